"""Subjects: pseudonyms in place of names and identity numbers.

A pseudonym is keyed BLAKE2b (RFC 7693) under the deployment's pseudonym key: it is equal on every node, and cannot be
related to an identifier without the key.
"""

from hashlib import blake2b
from typing import Final

from onecode_server.model.status import SUBJECT_BYTES

PSEUDONYM_KEY_BYTES: Final = 32
LOCAL_ID_BYTES_MAX: Final = 256
"""The longest identifier of a region, in UTF-8. Identity numbers have 18 characters; this leaves room for URNs."""
TOKEN_DIGEST_BYTES: Final = 32

# BLAKE2b's personalisation separates the two uses of the key (RFC 7693, section 2.5).
_SUBJECT: Final = b"onecode subject"
_TOKEN: Final = b"onecode token"


def pseudonym(key: bytes, region: str, local_id: str) -> bytes:
    """Return the 16-byte pseudonym of a region's local identifier.

    Raises UnicodeEncodeError if ``local_id`` is not text (lone surrogates).
    """
    state = pseudonym_state(key, region)
    state.update(local_id.encode())
    return state.digest()


def pseudonym_state(key: bytes, region: str) -> blake2b:
    """Return the hash state of a region, to be copied and updated with a local identifier in UTF-8."""
    return blake2b(region.encode() + b"\0", digest_size=SUBJECT_BYTES, key=key, person=_SUBJECT)


def token_digest(key: bytes, region: str, token: bytes) -> bytes:
    """Return the 32-byte digest under which an opaque token of a region is stored. The token itself is never stored."""
    return blake2b(region.encode() + b"\0" + token, digest_size=TOKEN_DIGEST_BYTES, key=key, person=_TOKEN).digest()


def token_subject(digest: bytes) -> bytes:
    """Return the pseudonym of an opaque token's bearer, derived from the token: its region gave no other identifier."""
    return digest[:SUBJECT_BYTES]
