"""Codes of each format, and what the tests of several formats ask of a code."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from onecode_server.codes.codec import CODECS
from onecode_server.codes.national import codec as national
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format

from tests.unit.codes.samples import CLAIMS


@pytest.fixture(scope="session")
def is_authentic(key: SigningKey) -> Callable[[SignedCode], bool]:
    def check(code: SignedCode) -> bool:
        try:
            key.verify_key.verify(code.message, code.signature)
        except BadSignatureError:
            return False
        return True

    return check


@pytest.fixture(scope="session")
def minted(sign: Callable[[bytes], bytes]) -> dict[Format, bytes]:
    """A code of each signed format, made here."""
    return {fmt: codec.mint(CLAIMS[fmt], b"key-1", sign) for fmt, codec in CODECS.items()}


@pytest.fixture
def allocated_bytes() -> Iterator[Callable[[Callable[[], object]], int]]:
    """Measures how much more memory than before a call had in use at its peak.

    Other threads of the process count too, such as that by which pytest-xdist is given its next tests. What a call
    needs it needs each time, so that the least of two measurements is the call's own.
    """

    def measure(call: Callable[[], object]) -> int:
        call()  # what is made once, such as compiled patterns, is not the code's
        return min(once(call), once(call))

    def once(call: Callable[[], object]) -> int:
        national._protected_key_id.cache_clear()  # a stranger's header is new
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            call()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    gc.disable()
    yield measure
    gc.enable()
