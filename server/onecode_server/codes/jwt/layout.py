"""The layout of JWT codes of one shape: a header that names the key, claims at fixed offsets, a signature.

A row is the code's text, then its claims and its signature; each decoded part starts at a multiple of eight.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from onecode_server.codes.encodings import base64url, base64url_columns, bounded_json
from onecode_server.codes.encodings.single_rows import RowCutter
from onecode_server.codes.json_layout import JsonLayout
from onecode_server.codes.jwt import codec as jwt
from onecode_server.codes.layouts import Bytes, Envelope, Field, Flags, Kind, Shape, padded

_SIGNATURE_CHARACTERS: Final = 86


def shape(code: bytes) -> Shape | None:
    """Return the shape of a JWT: its length and the offsets of its dots. None where it cannot be a JWT."""
    first, last = code.find(b"."), code.rfind(b".")
    if code.count(b".") != 2 or first > bounded_json.HEADER_CHARACTERS_MAX:
        return None
    return (len(code), first, last) if len(code) - last - 1 == _SIGNATURE_CHARACTERS else None


def decode(codes: Sequence[bytes], shape: Shape) -> tuple[Bytes, Flags]:
    """Return the rows of JWTs of one shape, uint8[n, m], and which have claims and signature in base64url: bool[n].

    The header is not decoded: see ``JwtLayout.read_key_id``.
    """
    length, first, last = shape
    claims, signature = _parts(shape)
    data = np.zeros((len(codes), signature.end), np.uint8)
    text = data[:, :length] = np.frombuffer(b"".join(codes), np.uint8).reshape(len(codes), length)
    is_good = base64url_columns.decode(text[:, first + 1 : last], data[:, claims.start : claims.end])
    is_good &= base64url_columns.decode(text[:, last + 1 :], data[:, signature.start : signature.end])
    return data, is_good


def learn(code: bytes) -> "JwtLayout":
    """Return the layout of a code. Raises Malformed where it is no JWT, ValueError where it has no layout."""
    return JwtLayout(code)


def key_id_field(code: bytes) -> bytes:
    """Return the header of a JWT, in base64url, as it is in the code."""
    return code[: code.find(b".")]


class JwtLayout(JsonLayout):
    """The layout of one code. ``claims`` has the place of each claim by its path."""

    format: Final = jwt.FORMAT

    def __init__(self, code: bytes) -> None:
        """Learn the layout of a code that ``jwt.codec`` can read.

        Raises Malformed where it cannot, ValueError where the code has no layout of this kind.
        """
        payload, found = jwt.decode(code).payload, shape(code)
        jwt.read_claims(payload)
        if found is None:
            raise ValueError("not a JWT of fixed offsets")
        self._shape, (_, first, self._signed_end) = found, found
        self._payload, self._signature = _parts(found)
        self.key_id = Field(Kind.OTHER, 0, first)
        message = (0, self._signed_end)
        self.envelope: Envelope = RowCutter(
            ((self.key_id.place,), (message,), (self._signature.place,), (self._payload.place,))
        ).cut
        super().__init__(payload, self._payload.start)

    def is_alike(self, code: bytes) -> bool:
        """Tell whether a code has the prefix and the shape of the layout."""
        return code.startswith(jwt.PREFIX) and shape(code) == self._shape

    @staticmethod
    def decode_one(code: bytes) -> bytes:
        """Return the row of one JWT that has a shape. Raises Malformed."""
        first, last = code.find(b"."), code.rfind(b".")
        text = code + bytes(padded(len(code)) - len(code))
        payload = base64url.decode(code[first + 1 : last])
        return b"".join((text, payload, bytes(-len(payload) % 8), base64url.decode(code[last + 1 :])))

    def read_key_id(self, field: bytes) -> bytes:
        """Return the key id of a header in base64url. Raises Malformed."""
        return jwt.read_header(field)

    def signatures(self, data: Bytes) -> Bytes:
        """Return the signature of each row: uint8[n, 64]."""
        return data[:, self._signature.start : self._signature.end]

    def messages(self, data: Bytes) -> Bytes:
        """Return the signed message of each row, uint8[n, m]: the text before the last dot (RFC 7515, 5.1)."""
        return data[:, : self._signed_end]


def _parts(shape: Shape) -> tuple[Field, Field]:
    """Return the places of the claims and the signature in a row."""
    length, first, last = shape
    begin = padded(length)
    end = begin + base64url_columns.size_of(last - first - 1)
    signature = padded(end)
    return Field(Kind.OTHER, begin, end), Field(Kind.BYTES, signature, signature + jwt.SIGNATURE_BYTES)
