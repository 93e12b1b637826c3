"""Every signature backend that this build has stands the same tests."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import pytest

from onecode_server.crypto import SignatureBackend, open_backend

KEYS_MAX = 1200
"""The published vectors have 1,024 keys, and each is to be checked by a table of its own."""


class Tabled:
    """An implementation of the kernel that makes a table of every key before it answers: nothing is left to PyNaCl."""

    def __init__(self, implementation: str) -> None:
        from onecode_server.crypto.native import NativeBackend

        self._backend = NativeBackend(implementation, KEYS_MAX)

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        self._backend.prepare(set(public_keys))
        assert set(public_keys) <= set(self._backend.tables.current.addresses)
        return self._backend.verify_batch(public_keys, signatures, messages)


def opened() -> dict[str, Callable[[], SignatureBackend | Tabled]]:
    found: dict[str, Callable[[], SignatureBackend | Tabled]] = {"libsodium": lambda: open_backend("libsodium")}
    if find_spec("onecode_server.crypto._kernel") is not None:
        from onecode_server.crypto.native import implementations

        found["native"] = lambda: open_backend("native")
        for name in implementations():
            found[f"tables, {name}"] = lambda name=name: Tabled(name)
    return found


@pytest.fixture(scope="session", params=opened())
def backend(request: pytest.FixtureRequest) -> SignatureBackend | Tabled:
    return opened()[request.param]()
