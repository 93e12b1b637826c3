"""Base45 (RFC 9285) and base64url (RFC 4648, section 5), strict: each byte string has exactly one text.

A decoder that skips characters, or ignores the unused bits of the last one, takes a changed code for the signed one.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from onecode_client.offline.faults import Malformed

_BASE45: Final = {char: value for value, char in enumerate(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")}


def from_base64url(text: bytes) -> bytes:
    """Return the bytes of base64url text without padding. Raises Malformed."""
    try:
        data = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raise Malformed("not base64url") from None
    if urlsafe_b64encode(data).rstrip(b"=") != text:
        raise Malformed("not base64url")
    return data


def from_base45(text: bytes) -> bytes:
    """Return the bytes of base45 text: three characters for two bytes, two for a last one. Raises Malformed."""
    data = bytearray()
    for start in range(0, len(text), 3):
        group = text[start : start + 3]
        if len(group) == 1:
            raise Malformed("not base45")
        try:
            number = sum(_BASE45[char] * 45**place for place, char in enumerate(group))
            data += number.to_bytes(len(group) - 1)
        except (KeyError, OverflowError):  # another character, or a group above 65,535 or 255
            raise Malformed("not base45") from None
    return bytes(data)
