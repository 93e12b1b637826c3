"""Base64url without padding (RFC 4648, section 5; RFC 7515, appendix C), strict.

Python's own decoder skips bytes outside the alphabet and ignores the unused bits of the last character, so that a
changed code could still decode to the signed bytes. Here each byte string has exactly one text.
"""

from base64 import urlsafe_b64encode
from binascii import a2b_base64
from typing import Final

from onecode_server.errors import Malformed

ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")  # "!" is in neither alphabet


def decode(text: bytes) -> bytes:
    """Return the bytes of ``text``. Raises Malformed where it is not exactly their base64url."""
    try:
        data = a2b_base64(text.translate(_TO_STANDARD) + b"==="[: -len(text) % 4], strict_mode=True)
    except ValueError:
        raise Malformed("not base64url") from None
    # The strict decoder still accepts unused bits that are not zero, in the last characters.
    groups = len(text) // 4
    if encode(data[3 * groups :]) != text[4 * groups :]:
        raise Malformed("not base64url")
    return data


def encode(data: bytes) -> bytes:
    """Return ``data`` as base64url text without padding."""
    return urlsafe_b64encode(data).rstrip(b"=")
