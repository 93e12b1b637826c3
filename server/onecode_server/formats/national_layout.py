"""How national codes of one length are built: their COSE and CWT heads, and between them what differs.

Deterministic CBOR gives the codes of an issuer the same heads at the same places. A layout is learned from one code
that ``national`` has read, and then reads every other code with exactly the same heads; what does not fit is left to
``national``. So both give the same answers, which a property test holds them to.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from onecode_server.formats import base45, base45_columns, national
from onecode_server.formats.columns import FIELDS_MAX, SECOND_US, Bytes, Field, Flags, Kind, Shape, Times
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format, Path

_UINT, _NEGINT, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_KINDS: Final = {_BYTES: Kind.BYTES, _TEXT: Kind.TEXT}
_NOT_ASCII: Final = 0x80


class _Irregular(Exception):
    """A code that is not built as codes must be to be read by columns."""


def shape(code: bytes) -> Shape:
    """Return the shape of a national code: its length."""
    return (len(code),)


def decode(codes: Sequence[bytes], shape: Shape) -> tuple[Bytes, Flags]:
    """Return the CBOR of national codes of one shape, uint8[n, m], and which of them are base45: bool[n]."""
    text = np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), *shape)[:, len(national.PREFIX) :]
    return base45_columns.decode(text)


def learn(code: bytes) -> "NationalLayout":
    """Return the layout of a code. Raises Malformed where it is none, ValueError where it has no layout."""
    return NationalLayout(code)


class NationalLayout:
    """The layout of one code. ``claims`` has the place of each claim by its label, a path of one step."""

    format: Final = Format.NATIONAL

    def __init__(self, code: bytes) -> None:
        """Learn the layout of a code that ``national`` can read.

        Raises Malformed where it cannot, ValueError where the code has no layout of this kind.
        """
        cbor = base45.decode(code[len(national.PREFIX) :])
        try:
            self._learn(cbor)
        except (_Irregular, IndexError):
            raise ValueError("not a code of fixed offsets") from None
        # What must be as it was: every bit of a head, and of text the bit that says that it is ASCII, since other text
        # may be no text at all. Eight bytes are compared at once; the rest of the last eight is zero in every row.
        must = np.full(len(cbor) + -len(cbor) % 8, 0xFF, np.uint8)
        for field in (self.key_id, self._signature, *self.claims.values()):
            must[field.start : field.end] = _NOT_ASCII if field.kind is Kind.TEXT else 0
        heads = np.zeros(must.size, np.uint8)
        heads[: len(cbor)] = np.frombuffer(cbor, np.uint8)
        self._must, self._heads = must.view(np.uint64), (heads & must).view(np.uint64)
        self._size, self._must_be = len(cbor), int.from_bytes(must.tobytes()[: len(cbor)])
        self._heads_are = int.from_bytes(cbor) & self._must_be
        self._before_bytes = before = national.SIGNATURE1 + national.bytes_head(
            self._protected.end - self._protected.start
        )
        self._between_bytes = between = b"\x40" + national.bytes_head(self._payload.end - self._payload.start)
        self._before, self._between = np.frombuffer(before, np.uint8), np.frombuffer(between, np.uint8)

    def _learn(self, cbor: bytes) -> None:
        """COSE_Sign1 with tag 18: the protected header, an empty map, the payload, the signature (RFC 9052, 4.2)."""
        if cbor[:2] != b"\xd2\x84":
            raise _Irregular
        self._protected = protected = _head(cbor, 2, _BYTES)
        if cbor[protected.end : protected.end + 1] != b"\xa0":
            raise _Irregular
        self._payload = _head(cbor, protected.end + 1, _BYTES)
        self._signature = _head(cbor, self._payload.end, _BYTES)
        if self._signature.end != len(cbor) or self._signature.end - self._signature.start != 64:
            raise _Irregular
        header = _map(cbor, protected)
        if set(header) != {(1,), (4,)} or header[(4,)].kind is not Kind.BYTES:
            raise _Irregular
        self.key_id = header[(4,)]
        self.claims: Mapping[Path, Field] = _map(cbor, self._payload)

    def fits(self, data: Bytes) -> Flags:
        """Tell which rows of CBOR, as ``decode`` returns them, are built as the layout says: bool[n]."""
        rows = data.view(np.uint64)
        if rows.shape[1] != self._must.size:
            return np.zeros(len(data), bool)
        return np.asarray(((rows & self._must) == self._heads).all(axis=1))

    def fits_one(self, cbor: bytes) -> bool:
        """Tell of one code's CBOR whether it is built as the layout says."""
        return len(cbor) == self._size and int.from_bytes(cbor) & self._must_be == self._heads_are

    def signed(self, cbor: bytes) -> SignedCode:
        """Return the envelope of one code that fits."""
        protected, payload, signature = self._protected, self._payload, self._signature
        body = cbor[payload.start : payload.end]
        message = b"".join((self._before_bytes, cbor[protected.start : protected.end], self._between_bytes, body))
        key_id = cbor[self.key_id.start : self.key_id.end]
        return SignedCode(Format.NATIONAL, key_id, message, cbor[signature.start : signature.end], body)

    def read_key_id(self, field: bytes) -> bytes:
        """Return the key id, which stands there as it is."""
        return field

    def signatures(self, data: Bytes) -> Bytes:
        """Return the signature of each row: uint8[n, 64]."""
        return data[:, self._signature.start : self._signature.end]

    def messages(self, data: Bytes) -> Bytes:
        """Return what each row's signature is over, uint8[n, m] (RFC 9052, section 4.4)."""
        protected, payload = self._protected, self._payload
        first, second = len(self._before), len(self._before) + protected.end - protected.start
        third = second + len(self._between)
        messages = np.empty((len(data), third + payload.end - payload.start), np.uint8)
        messages[:, :first] = self._before
        messages[:, first:second] = data[:, protected.start : protected.end]
        messages[:, second:third] = self._between
        messages[:, third:] = data[:, payload.start : payload.end]
        return messages

    def times(self, data: Bytes, field: Field) -> Times:
        """Return a field that is seconds since 1970 in four bytes, in Unix microseconds: int64[n]."""
        seconds = np.ascontiguousarray(data[:, field.start : field.end]).view(">u4")[:, 0]
        return seconds.astype(np.int64) * SECOND_US


def _map(cbor: bytes, inside: Field) -> dict[Path, Field]:
    """Return where the values of a map stand that fills a byte string, by its labels."""
    count, at = _argument(cbor, inside.start, _MAP)
    if count > FIELDS_MAX:
        raise _Irregular
    found: dict[Path, Field] = {}
    for _ in range(count):
        major = cbor[at] >> 5
        if major not in (_UINT, _NEGINT):
            raise _Irregular
        label, at = _argument(cbor, at, major)
        found[(-1 - label if major == _NEGINT else label,)] = field = _value(cbor, at)
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
        return Field(Kind.TIME, at + 1, at + 5)
    if major in (_UINT, _NEGINT) and cbor[at] & 31 < 24:
        return Field(Kind.OTHER, at + 1, at + 1)
    raise _Irregular


def _head(cbor: bytes, at: int, major: int) -> Field:
    """Return where the bytes of a string stand."""
    length, start = _argument(cbor, at, major)
    if start + length > len(cbor):
        raise _Irregular
    return Field(_KINDS[major], start, start + length)


def _argument(cbor: bytes, at: int, major: int) -> tuple[int, int]:
    """Return the argument of a head, and where it ends (RFC 8949, section 3)."""
    info = cbor[at] & 31
    if cbor[at] >> 5 != major or info > 26:
        raise _Irregular
    size = 0 if info < 24 else 1 << (info - 24)
    end = at + 1 + size
    return (int.from_bytes(cbor[at + 1 : end]) if size else info), end
