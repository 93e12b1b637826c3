"""The layout of national codes of one length: fixed COSE and CWT heads, and the places of the values between them.

Deterministic CBOR gives the codes of an issuer the same heads at the same places. A layout is learned from one code
that ``national.codec`` has read, and then reads every other code with exactly the same heads; a code that does not fit
is left to ``national.codec``. So both give the same answers, which a property test checks.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from onecode_server.codes.encodings import base45, base45_columns
from onecode_server.codes.encodings.fixed_bits import FixedBits
from onecode_server.codes.encodings.single_rows import TIME_BYTES, Base45Rows, RowCutter
from onecode_server.codes.layouts import SECOND_US, Bytes, Cut, Envelope, Field, Flags, Kind, Shape, Times, padded
from onecode_server.codes.national import codec as national
from onecode_server.codes.national.fields import Irregular, bytes_at, fields_of, number
from onecode_server.model.trust_list import Path

_NOT_ASCII: Final = 0x80
key_id_field: Final = None
"""A row has the key id itself: see ``codes.layouts.Layouts``."""


def shape(code: bytes) -> Shape:
    """Return the shape of a national code: its length."""
    return (len(code),)


def decode(codes: Sequence[bytes], shape: Shape) -> tuple[Bytes, Flags]:
    """Return the CBOR of national codes of one shape, uint8[n, m], and which of them are base45: bool[n]."""
    text = np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), *shape)[:, len(national.PREFIX) :]
    return base45_columns.decode(text)


def learn(code: bytes) -> "NationalLayout":
    """Return the layout of a code. Raises Malformed where it is no national code, ValueError where it has no layout."""
    return NationalLayout(code)


class NationalLayout:
    """The layout of one code. ``claims`` has the place of each claim by its path."""

    format: Final = national.FORMAT

    def __init__(self, code: bytes) -> None:
        """Learn the layout of a code that ``national.codec`` can read.

        Raises Malformed where it cannot, ValueError where the code has no layout of this kind.
        """
        cbor = base45.decode(code[len(national.PREFIX) :])
        try:
            self._learn(cbor)
        except (Irregular, IndexError):
            raise ValueError("not a code of fixed offsets") from None
        national.read_claims(national.decode(code).payload)
        # All bits are fixed, except those that the next lines clear.
        must = np.full(len(cbor), 0xFF, np.uint8)
        for field in (self.key_id, self._signature, *self.claims.values()):
            must[field.start : field.end] = _fixed_bits(field, cbor)
        self._size, self._heads = len(cbor), FixedBits(must.tobytes(), cbor)
        self.row = Base45Rows(national.PREFIX, must.tobytes(), self._heads.fixed).read
        before = national.SIGNATURE1 + national.bytes_head(self._protected.end - self._protected.start)
        between = b"\x40" + national.bytes_head(self._payload.end - self._payload.start)
        self._before, self._between = np.frombuffer(before, np.uint8), np.frombuffer(between, np.uint8)
        payload = self._payload.place
        message = before, self._protected.place, between, payload  # RFC 9052, section 4.4
        self.envelope: Envelope = RowCutter(((self.key_id.place,), message, (self._signature.place,), (payload,))).cut

    def _learn(self, cbor: bytes) -> None:
        """Walk a COSE_Sign1 with tag 18: the protected header, an empty map, the payload, the signature (RFC 9052,
        4.2).

        The signature does not cover the tag and the heads between these four, so these must have their shortest form.
        Otherwise the holder of one genuine code could make many others of it, each with a layout of its own.
        """
        self._protected = protected = bytes_at(cbor, 2)
        self._payload = payload = bytes_at(cbor, protected.end + 1)
        self._signature = signature = bytes_at(cbor, payload.end)
        parts = [cbor[field.start : field.end] for field in (protected, payload, signature)]
        heads = [national.bytes_head(len(part)) for part in parts]
        envelope = (b"\xd2\x84", heads[0], parts[0], b"\xa0", heads[1], parts[1], heads[2], parts[2])
        if b"".join(envelope) != cbor or len(parts[2]) != national.SIGNATURE_BYTES:
            raise Irregular
        header = fields_of(cbor, protected)
        if set(header) != {(1,), (4,)} or header[(4,)].kind is not Kind.BYTES:
            raise Irregular
        self.key_id = header[(4,)]
        self.claims: Mapping[Path, Field] = fields_of(cbor, payload)

    def fits(self, data: Bytes) -> Flags:
        """Tell which rows of CBOR, as ``decode`` returns them, have this layout: bool[n]."""
        if data.shape[1] != padded(self._size):
            return np.zeros(len(data), bool)
        return self._heads.are_in_rows(data)

    def cutter(self, parts: Sequence[Sequence[Field]], times: Sequence[Field]) -> Cut:
        """Return the function that cuts one code's CBOR that fits: see ``codes.layouts.Layout``."""
        places = [tuple(field.place for field in part) for part in parts]
        return RowCutter((*places, *(field.start for field in times))).cut

    def read_key_id(self, field: bytes) -> bytes:
        """Return the key id, which the field has unchanged."""
        return field

    def signatures(self, data: Bytes) -> Bytes:
        """Return the signature of each row: uint8[n, 64]."""
        return data[:, self._signature.start : self._signature.end]

    def messages(self, data: Bytes) -> Bytes:
        """Return the signed message of each row, uint8[n, m] (RFC 9052, section 4.4)."""
        protected, payload = self._protected, self._payload
        first, second = len(self._before), len(self._before) + protected.end - protected.start
        third = second + len(self._between)
        messages = np.empty((len(data), third + payload.end - payload.start), np.uint8)
        messages[:, :first] = self._before
        messages[:, first:second] = data[:, protected.start : protected.end]
        messages[:, second:third] = self._between
        messages[:, third:] = data[:, payload.start : payload.end]
        return messages

    def text(self, field: Field, octets: bytes) -> str:
        """Return the value of a field as text; a value that is no string as its JSON text."""
        if field.kind is Kind.TEXT:
            return octets.decode()
        return str(int.from_bytes(octets)) if field.kind is Kind.NUMBER else number(octets)

    def is_time(self, field: Field) -> bool:
        """Tell whether a field is seconds since 1970, in four bytes."""
        return field.kind is Kind.NUMBER and field.end - field.start == TIME_BYTES

    def times(self, data: Bytes, field: Field) -> Times:
        """Return the times in a field, in Unix microseconds: int64[n]."""
        seconds = np.ascontiguousarray(data[:, field.start : field.end]).view(">u4")[:, 0]
        return seconds.astype(np.int64) * SECOND_US


def _fixed_bits(field: Field, cbor: bytes) -> int:
    """Return the bits of each of a field's bytes that are fixed: equal in every row and in the code of the layout.

    Bytes and numbers have no fixed bits. In ASCII text the one bit that distinguishes it from bytes that may be no text
    (RFC 3629) is fixed. In other text every bit is.
    """
    if field.kind in (Kind.BYTES, Kind.NUMBER):
        return 0
    is_ascii = field.kind is Kind.TEXT and cbor[field.start : field.end].isascii()
    return _NOT_ASCII if is_ascii else 0xFF
