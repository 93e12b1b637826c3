"""The layout of PASETO codes of one shape: claims at fixed offsets, a signature, a footer that names the key.

A row is the code's text, then its claims and signature, then its footer; claims and footer start at multiples of eight.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from onecode_server.codes.encodings import base64url, base64url_columns, bounded_json
from onecode_server.codes.encodings.single_rows import RowCutter
from onecode_server.codes.json_layout import JsonLayout
from onecode_server.codes.layouts import Bytes, Envelope, Field, Flags, Kind, Shape, padded
from onecode_server.codes.paseto import codec as paseto

_BODY: Final = len(paseto.PREFIX)


def shape(code: bytes) -> Shape | None:
    """Return the shape of a PASETO: its length and the offset of the dot before its footer. None where it cannot be a
    PASETO."""
    dot = code.find(b".", _BODY)
    if dot < 0 or len(code) - dot > bounded_json.HEADER_CHARACTERS_MAX:
        return None
    return (len(code), dot) if base64url_columns.size_of(dot - _BODY) >= paseto.SIGNATURE_BYTES else None


def decode(codes: Sequence[bytes], shape: Shape) -> tuple[Bytes, Flags]:
    """Return the rows of PASETOs of one shape, uint8[n, m], and which are base64url: bool[n]."""
    length, dot = shape
    claims, signature, footer = _parts(shape)
    data = np.zeros((len(codes), padded(footer.end)), np.uint8)
    text = data[:, :length] = np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), length)
    is_good = base64url_columns.decode(text[:, _BODY:dot], data[:, claims.start : signature.end])
    is_good &= base64url_columns.decode(text[:, dot + 1 :], data[:, footer.start : footer.end])
    return data, is_good


def learn(code: bytes) -> "PasetoLayout":
    """Return the layout of a code. Raises Malformed where it is no PASETO, ValueError where it has no layout."""
    return PasetoLayout(code)


def key_id_field(code: bytes) -> bytes:
    """Return the footer of a PASETO, in base64url, as it is in the code."""
    return code[code.find(b".", _BODY) + 1 :]


class PasetoLayout(JsonLayout):
    """The layout of one code. ``claims`` has the place of each claim by its path."""

    format: Final = paseto.FORMAT

    def __init__(self, code: bytes) -> None:
        """Learn the layout of a code that ``paseto.codec`` can read.

        Raises Malformed where it cannot, ValueError where the code has no layout of this kind.
        """
        signed, found = paseto.decode(code), shape(code)
        paseto.read_claims(signed.payload)
        if found is None:
            raise ValueError("not a PASETO of fixed offsets")
        self._shape, (length, dot) = found, found
        self._payload, self._signature, self._footer = _parts(found)
        self.key_id = Field(Kind.OTHER, dot + 1, length)
        # The signed message of another code differs from this only in the claims and the footer, which have the same
        # lengths.
        self._message = np.frombuffer(signed.message, np.uint8)
        self._message_parts = claims, footer = _places_of_pieces(self._payload, self._footer)
        before, between, after = _around(signed.message, claims, footer)
        payload = self._payload.place
        message = before, payload, between, self._footer.place, after
        self.envelope: Envelope = RowCutter(((self.key_id.place,), message, (self._signature.place,), (payload,))).cut
        super().__init__(signed.payload, self._payload.start)

    def is_alike(self, code: bytes) -> bool:
        """Tell whether a code has the prefix and the shape of the layout."""
        return code.startswith(paseto.PREFIX) and shape(code) == self._shape

    @staticmethod
    def decode_one(code: bytes) -> bytes:
        """Return the row of one PASETO that has a shape. Raises Malformed."""
        dot = code.find(b".", _BODY)
        text = code + bytes(padded(len(code)) - len(code))
        body, footer = base64url.decode(code[_BODY:dot]), base64url.decode(code[dot + 1 :])
        return b"".join((text, body, bytes(-len(body) % 8), footer, bytes(-len(footer) % 8)))

    def read_key_id(self, field: bytes) -> bytes:
        """Return the key id of a footer in base64url. Raises Malformed."""
        return paseto.read_footer(field)[1]

    def signatures(self, data: Bytes) -> Bytes:
        """Return the signature of each row: uint8[n, 64]."""
        return data[:, self._signature.start : self._signature.end]

    def messages(self, data: Bytes) -> Bytes:
        """Return the signed message of each row: uint8[n, m]."""
        messages = np.empty((len(data), len(self._message)), np.uint8)
        messages[:] = self._message
        for piece, field in zip(self._message_parts, (self._payload, self._footer), strict=True):
            messages[:, piece] = data[:, field.start : field.end]
        return messages


def _places_of_pieces(payload: Field, footer: Field) -> tuple[slice, slice]:
    """Return the places of claims and footer in the message: see ``paseto.codec.pre_authentication_encoding``."""
    first = 8 + 8 + len(paseto.PREFIX) + 8
    second = first + payload.end - payload.start + 8
    return slice(first, second - 8), slice(second, second + footer.end - footer.start)


def _around(message: bytes, claims: slice, footer: slice) -> tuple[bytes, bytes, bytes]:
    """Return what stands before the claims, between claims and footer, and after the footer."""
    return message[: claims.start], message[claims.stop : footer.start], message[footer.stop :]


def _parts(shape: Shape) -> tuple[Field, Field, Field]:
    """Return the places of the claims, the signature and the footer in a row."""
    length, dot = shape
    begin = padded(length)
    signature = begin + base64url_columns.size_of(dot - _BODY) - paseto.SIGNATURE_BYTES
    end = signature + paseto.SIGNATURE_BYTES
    footer = padded(end)
    return (
        Field(Kind.OTHER, begin, signature),
        Field(Kind.BYTES, signature, end),
        Field(Kind.OTHER, footer, footer + base64url_columns.size_of(length - dot - 1)),
    )
