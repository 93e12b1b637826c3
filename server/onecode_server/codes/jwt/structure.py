"""The structure of a JWT: three parts, the first a JOSE header (RFC 7515, section 7.1), which is a JSON object.

The header's text may begin with white space, and with any name in any spelling, so that PREFIX is not that of all JWTs.
"""

from typing import Final

from onecode_server.codes.encodings import base64url, bounded_json
from onecode_server.errors import Malformed
from onecode_server.model.code import CODE_BYTES_MAX

PREFIX: Final = b"eyJ"
"""Base64url of ``{"``, with which nearly every JOSE header starts."""
_SPACE: Final = b" \t\n\r"  # RFC 8259, section 2
_BEGINNINGS: Final = (b"I", b"C", b"D", b"e")
"""The first characters of base64url of white space (a space; a tab or line feed; a carriage return) or ``{``."""


def recognises(code: bytes) -> bool:
    """Tell whether a code has the structure of a JWT."""
    if code.startswith(PREFIX):
        return True
    if not code.startswith(_BEGINNINGS) or code.count(b".") != 2 or len(code) > CODE_BYTES_MAX:
        return False
    try:
        bounded_json.loads(base64url.decode(code[: code.find(b".")]))
    except Malformed:
        return False
    return True


def may_begin(prefix: bytes) -> bool:
    """Tell whether the text of some JWT, which starts with a JOSE header in base64url, begins with ``prefix``."""
    header, dot, _ = prefix.partition(b".")
    if dot:  # the whole header is known
        return recognises(header + b"..")
    number = 0
    for character in header:
        if character not in base64url.ALPHABET:
            return False
        number = number << 6 | base64url.ALPHABET.index(character)
    size, bits = divmod(6 * len(header), 8)
    expected = _SPACE + b"{"
    for byte in (number >> bits).to_bytes(size):
        if byte not in expected:
            return False
        if byte == ord("{"):
            expected = _SPACE + b'"}'
        elif byte not in _SPACE:
            return True
    # Only the first bits of the next byte are known.
    return any(byte >> 8 - bits == number & (1 << bits) - 1 for byte in expected)
