"""Reads the value of a claim of any type: the subject's identifier, the level's word, a region."""

import json
from typing import Any, Final
from uuid import UUID

from onecode_server.codes.kinds import expected
from onecode_server.errors import Malformed
from onecode_server.model.region import is_region_code
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX

IDENTIFIER_BYTES_MAX: Final = LOCAL_ID_BYTES_MAX // 2
"""The bound on an identifier that is bytes: its text is hex, two characters a byte."""
LEVEL_CHARACTERS_MAX: Final = 128
"""The bound on the JSON text of a level that is not a string. No region's word is longer."""


def read_subject(value: Any, *, carries_pseudonym: bool = False) -> str | bytes:
    """Return a region's local identifier as text, or the pseudonym (16 bytes) that a code of ``000000`` carries.

    A number counts as its decimal text, bytes (1 to 128) as lower-case hex, a UUID (CBOR tag 37) as its text (RFC 9562,
    section 4). Raises Malformed.
    """
    if isinstance(value, bytes):
        if carries_pseudonym:
            if len(value) != SUBJECT_BYTES:
                raise Malformed(f"{expected('a pseudonym', value)} of another length than {SUBJECT_BYTES}")
            return value
        if not 0 < len(value) <= IDENTIFIER_BYTES_MAX:
            raise Malformed(f"{expected('an identifier', value)} of another length than 1 to {IDENTIFIER_BYTES_MAX}")
        return value.hex()
    is_number = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64
    if is_number or isinstance(value, UUID):
        value = str(value)
    if not isinstance(value, str):
        raise Malformed(expected("an identifier (text, an integer of 64 bits, or bytes)", value))
    try:
        if not value or len(value[: LOCAL_ID_BYTES_MAX + 1].encode()) > LOCAL_ID_BYTES_MAX:
            raise Malformed(f"{expected('an identifier', value)} of another length than 1 to {LOCAL_ID_BYTES_MAX}")
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell
        raise Malformed("expected an identifier, found a lone surrogate, which is not text") from None
    return value


def read_level(value: Any) -> str:
    """Return a region's level word: text unchanged, any other value as its JSON text. Raises Malformed."""
    if isinstance(value, str):
        return value
    if _characters(value) > LEVEL_CHARACTERS_MAX:
        raise Malformed(f"{expected('a level', value)} of more than {LEVEL_CHARACTERS_MAX} characters")
    try:
        return _JSON.encode(value)
    except (TypeError, ValueError):  # bytes, a date, an infinity
        raise Malformed(expected("a level that JSON can write", value)) from None


def read_region(value: Any) -> str:
    """Return a claim that names a region. Raises Malformed."""
    if not isinstance(value, str) or not is_region_code(value):
        raise Malformed(expected("the six digits of a region", value))
    return value


def _characters(value: Any) -> int:
    """Return an upper bound of the length of the JSON text of ``value``, without building it."""
    if isinstance(value, dict):
        return 2 + sum(2 + _characters(name) + _characters(member) for name, member in value.items())
    if isinstance(value, list):
        return 2 + sum(1 + _characters(member) for member in value)
    if isinstance(value, str):
        return 2 + 6 * len(value)
    return 2 + value.bit_length() // 3 if isinstance(value, int) else 24


_JSON: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
