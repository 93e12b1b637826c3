"""National codes by the batch: whole columns of codes that are built alike are read at fixed offsets.

Deterministic CBOR gives the codes of an issuer one layout for each of a few lengths: the same heads at the same places,
and between them what differs from code to code. A layout is learned from one code that ``national`` has read, and then
reads every other code that has exactly the same heads; what does not fit is left to ``national``. So both give the same
answers, which a property test holds them to. Arrays are NumPy's; ``n`` is how many codes there are.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.formats import base45, national
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format

Bytes = npt.NDArray[np.uint8]

_UINT, _NEGINT, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_VALUES: Final = np.frombuffer(base45.VALUES, np.uint8)
_OUTSIDE: Final = 45
_FIELDS_MAX: Final = 16
"""Claims of a code that is read by columns; ours have five or six."""


class Field(NamedTuple):
    """Where a claim's value stands: bytes ``start`` to ``end`` of the code's CBOR."""

    major: int
    start: int
    end: int


class _Irregular(Exception):
    """A code that is not built as codes must be to be read by columns."""


class Layout:
    """How the codes of one length are built. ``claims`` has the place of each claim by its label."""

    def __init__(self, cbor: bytes) -> None:
        """Learn the layout of a code that ``national`` can read. Raises ValueError where it has none of this kind."""
        self.size = len(cbor)
        self._free = np.zeros(self.size, bool)
        try:
            self._learn(cbor)
        except (_Irregular, IndexError):
            raise ValueError("not a code of fixed offsets") from None
        self._heads = np.frombuffer(cbor, np.uint8)[~self._free]
        self._fixed = np.flatnonzero(~self._free)
        self._texts = [field for field in self.claims.values() if field.major == _TEXT]

    def _learn(self, cbor: bytes) -> None:
        """COSE_Sign1 with tag 18: the protected header, an empty map, the payload, the signature (RFC 9052, 4.2)."""
        if cbor[:2] != b"\xd2\x84":
            raise _Irregular
        protected = _head(cbor, 2, _BYTES)
        self.protected = protected
        if cbor[protected.end : protected.end + 1] != b"\xa0":
            raise _Irregular
        self.payload = _head(cbor, protected.end + 1, _BYTES)
        self.signature = _head(cbor, self.payload.end, _BYTES)
        if self.signature.end != len(cbor) or self.signature.end - self.signature.start != 64:
            raise _Irregular
        header = _map(cbor, protected)
        if set(header) != {1, 4} or header[4].major != _BYTES:
            raise _Irregular
        self.key_id = header[4]
        self.claims: Mapping[int, Field] = _map(cbor, self.payload)
        for field in (self.key_id, self.signature, *self.claims.values()):
            self._free[field.start : field.end] = True

    def fits(self, data: Bytes) -> npt.NDArray[np.bool_]:
        """Tell which rows of CBOR, uint8[n, size], are built as the layout says: bool[n]."""
        is_alike: npt.NDArray[np.bool_] = (data[:, self._fixed] == self._heads).all(axis=1)
        for text in self._texts:  # other text than ASCII may be no text at all: ``national`` is asked
            is_alike &= (data[:, text.start : text.end] < 128).all(axis=1)
        return is_alike

    def signed(self, data: Bytes) -> list[SignedCode]:
        """Return what ``national.decode`` says of each row that fits."""
        envelopes = zip(
            octets(data, self.key_id),
            self._messages(data),
            octets(data, self.signature),
            octets(data, self.payload),
            strict=True,
        )
        return [SignedCode(Format.NATIONAL, *parts) for parts in envelopes]

    def _messages(self, data: Bytes) -> list[bytes]:
        """Return what each row's signature is over (RFC 9052, section 4.4)."""
        protected, payload, n = self.protected, self.payload, len(data)
        before = national.SIGNATURE1 + national.bytes_head(protected.end - protected.start)
        between = b"\x40" + national.bytes_head(payload.end - payload.start)
        parts = (
            np.broadcast_to(np.frombuffer(before, np.uint8), (n, len(before))),
            data[:, protected.start : protected.end],
            np.broadcast_to(np.frombuffer(between, np.uint8), (n, len(between))),
            data[:, payload.start : payload.end],
        )
        return _rows_of(np.concatenate(parts, axis=1))


def octets(data: Bytes, field: Field) -> list[bytes]:
    """Return a field's bytes of each row."""
    return _rows_of(data[:, field.start : field.end])


def numbers(data: Bytes, field: Field) -> list[int]:
    """Return a field of each row that is an unsigned integer of four bytes."""
    values: list[int] = data[:, field.start : field.end].copy().view(">u4")[:, 0].tolist()
    return values


def cbor_of(code: bytes) -> bytes:
    """Return the CBOR of a national code. Raises Malformed."""
    return base45.decode(code[len(national.PREFIX) :])


def decode(codes: Sequence[bytes]) -> tuple[Bytes, npt.NDArray[np.bool_]]:
    """Return the CBOR of national codes that are equally long, uint8[n, m], and which of them are base45 (RFC 9285)."""
    text = np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), -1)[:, len(national.PREFIX) :]
    values = _VALUES[text]
    is_good = (values < _OUTSIDE).all(axis=1)
    whole = text.shape[1] // 3
    groups = values[:, : 3 * whole].reshape(len(codes), whole, 3)
    numbers = groups[:, :, 0] + groups[:, :, 1] * np.uint32(45) + groups[:, :, 2] * np.uint32(2025)
    is_good &= (numbers < 65_536).all(axis=1)
    data = numbers.astype(">u2").view(np.uint8)
    if text.shape[1] % 3:  # two characters are left, for one byte
        last = values[:, -2] + values[:, -1] * np.uint32(45)
        is_good &= last < 256
        data = np.concatenate((data, last.astype(np.uint8)[:, None]), axis=1)
    return data, is_good


def _rows_of(columns: Bytes) -> list[bytes]:
    """Return each row's bytes."""
    flat, size = columns.tobytes(), columns.shape[1]
    return [flat[at : at + size] for at in range(0, len(flat), size)] if size else [b""] * len(columns)


def _map(cbor: bytes, inside: Field) -> dict[int, Field]:
    """Return where the values of a map stand that fills a byte string, by its labels."""
    count, at = _argument(cbor, inside.start, _MAP)
    if count > _FIELDS_MAX:
        raise _Irregular
    found: dict[int, Field] = {}
    for _ in range(count):
        major = cbor[at] >> 5
        if major not in (_UINT, _NEGINT):
            raise _Irregular
        label, at = _argument(cbor, at, major)
        if label == 0:  # what stands for no label elsewhere
            raise _Irregular
        found[-1 - label if major == _NEGINT else label] = field = _value(cbor, at)
        at = field.end
    if at != inside.end or len(found) != count:
        raise _Irregular
    return found


def _value(cbor: bytes, at: int) -> Field:
    """Return where a value's bytes stand: a string's after its head, a number's argument of four bytes.

    A shorter number is a head alone, with nothing that may differ.
    """
    major = cbor[at] >> 5
    if major in (_BYTES, _TEXT):
        return _head(cbor, at, major)
    if major == _UINT and cbor[at] & 31 == 26:
        return Field(_UINT, at + 1, at + 5)
    if major in (_UINT, _NEGINT) and cbor[at] & 31 < 24:
        return Field(major, at + 1, at + 1)
    raise _Irregular


def _head(cbor: bytes, at: int, major: int) -> Field:
    """Return where the bytes of a string stand."""
    length, start = _argument(cbor, at, major)
    if start + length > len(cbor):
        raise _Irregular
    return Field(major, start, start + length)


def _argument(cbor: bytes, at: int, major: int) -> tuple[int, int]:
    """Return the argument of a head, and where it ends (RFC 8949, section 3)."""
    info = cbor[at] & 31
    if cbor[at] >> 5 != major or info > 26:
        raise _Irregular
    size = 0 if info < 24 else 1 << (info - 24)
    end = at + 1 + size
    return (int.from_bytes(cbor[at + 1 : end]) if size else info), end
