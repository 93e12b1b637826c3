"""Every signature backend that this build has stands the same tests."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from onecode_server.crypto import SignatureBackend, open_backend

KEYS_MAX = 1200
"""The published vectors have 1,024 keys, and each is to be checked by a table of its own."""


class Tabled:
    """An implementation of the kernel that makes a table of every key before it answers: nothing is left to PyNaCl."""

    def __init__(self, implementation: str) -> None:
        from onecode_server.crypto.native import NativeBackend

        self._backend = NativeBackend(implementation, KEYS_MAX)
        self._preparing = threading.Lock()  # what is asserted holds until another thread prepares

    def verify_one(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        self.prepare([public_key])
        return self._backend.verify_one(public_key, signature, message)

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        self.prepare(public_keys)
        return self._backend.verify_batch(public_keys, signatures, messages)

    def verify_columns(self, public_keys: Sequence[bytes], which: Any, signatures: Any, messages: Any) -> Any:
        self.prepare(public_keys)
        return self._backend.verify_columns(public_keys, which, signatures, messages)

    def prepare(self, public_keys: Sequence[bytes]) -> None:
        with self._preparing:
            self._backend.prepare(set(public_keys))
            assert set(public_keys) <= set(self._backend.tables.current.addresses)


class InColumns:
    """A backend that is asked in columns for all items of one size; what is no key or signature, as it is."""

    def __init__(self, backend: SignatureBackend | Tabled) -> None:
        self._backend = backend

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        items = list(zip(public_keys, signatures, messages, strict=True))
        answers: list[bool | None] = [None] * len(items)
        sizes: dict[tuple[int, ...], list[int]] = {}
        for place, item in enumerate(items):
            sizes.setdefault(tuple(map(len, item)), []).append(place)
        for (key_bytes, signature_bytes, message_bytes), places in sizes.items():
            keys, parts, texts = zip(*[items[place] for place in places], strict=True)
            if (key_bytes, signature_bytes) == (32, 64):
                known = sorted(set(keys))
                which = np.array([known.index(key) for key in keys], np.int64)
                rows = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 64)
                columns = np.frombuffer(b"".join(texts), np.uint8).reshape(len(places), message_bytes)
                found = self._backend.verify_columns(known, which, rows, columns).tolist()
            else:
                found = self._backend.verify_batch(keys, parts, texts)
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        assert None not in answers
        return answers  # type: ignore[return-value]


class OneByOne:
    """A backend that is asked for one item after the other."""

    def __init__(self, backend: SignatureBackend | Tabled) -> None:
        self._backend = backend

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        items = zip(public_keys, signatures, messages, strict=True)
        return [self._backend.verify_one(*item) for item in items]


Backend = SignatureBackend | Tabled | InColumns | OneByOne


def opened() -> dict[str, Callable[[], Backend]]:
    found: dict[str, Callable[[], Backend]] = {"libsodium": lambda: open_backend("libsodium")}
    if find_spec("onecode_server.crypto._kernel") is not None:
        from onecode_server.crypto.native import implementations

        found["native"] = lambda: open_backend("native")
        for name in implementations():
            found[f"tables, {name}"] = partial(Tabled, name)
    others = {"in columns": InColumns, "one by one": OneByOne}
    return found | {
        f"{name}, {how}": lambda make=make, asked=asked: asked(make())
        for how, asked in others.items()
        for name, make in found.items()
    }


@pytest.fixture(scope="session", params=opened())
def backend(request: pytest.FixtureRequest) -> Backend:
    return opened()[request.param]()
