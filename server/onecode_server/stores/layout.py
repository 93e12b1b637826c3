"""How nouns lie in a store: fixed-size numbers, big-endian, so that a subject takes few bytes. No I/O.

A change here that old bytes do not survive needs a new SCHEMA.
"""

import json
import struct
from typing import Final

from onecode_server.model.exception import RecognitionException
from onecode_server.model.status import SUBJECT_BYTES, Level, Scope, StatusRecord, Token
from onecode_server.stores.protocol import KnownList, TokenKey

SCHEMA: Final = b"1"

_RECORD = struct.Struct(">IqqQ")  # publisher << 8 | scope << 4 | level, effective_at, expires_at, revision
_TOKEN = struct.Struct(f">{SUBJECT_BYTES}sqq")
_CHANGE = struct.Struct(f">{SUBJECT_BYTES}sq")
_NUMBER = struct.Struct(">Q")
_LIST = struct.Struct(">Q32s")
_NEVER: Final = 2**63 - 1  # past the year 9999, where a Timestamp ends
_LEVELS: Final = tuple(Level)
_SCOPES: Final = {int(scope): scope for scope in Scope}


def pack_records(records: tuple[StatusRecord, ...]) -> bytes:
    """Return a subject's records, 28 bytes each."""
    return b"".join(
        _RECORD.pack(
            int(r.publisher) << 8 | r.scope << 4 | r.level,
            r.effective_at,
            _NEVER if r.expires_at is None else r.expires_at,
            r.revision,
        )
        for r in records
    )


def unpack_records(data: bytes) -> tuple[StatusRecord, ...]:
    """Return the records of a subject."""
    return tuple(
        StatusRecord(
            f"{head >> 8:06d}",
            _SCOPES[head >> 4 & 15],
            _LEVELS[head & 15],
            effective_at,
            None if expires_at == _NEVER else expires_at,
            revision,
        )
        for head, effective_at, expires_at, revision in _RECORD.iter_unpack(data)
    )


def number(value: int) -> bytes:
    """Return a change's or an entry's number as a key: LMDB keeps them in order."""
    return _NUMBER.pack(value)


def read_number(key: bytes) -> int:
    """Return the number that a key is."""
    return int.from_bytes(key)


def pack_change(subject: bytes, time: int) -> bytes:
    """Return a change: whose records, and when (Unix microseconds)."""
    return _CHANGE.pack(subject, time)


def unpack_change(data: bytes) -> tuple[bytes, int]:
    """Return whose records changed, and when."""
    subject, time = _CHANGE.unpack(data)
    return subject, time


def token_key(key: TokenKey) -> bytes:
    """Return the bytes under which a token lies."""
    return key.region.encode() + key.digest


def pack_token(token: Token) -> bytes:
    """Return a token's 32 bytes."""
    return _TOKEN.pack(token.subject, token.issued_at, _NEVER if token.expires_at is None else token.expires_at)


def unpack_token(data: bytes) -> Token:
    """Return a token."""
    subject, issued_at, expires_at = _TOKEN.unpack(data)
    return Token(subject, issued_at, None if expires_at == _NEVER else expires_at)


def pack_exception(exception: RecognitionException) -> bytes:
    """Return an exception as JSON: there are few, and people read them when things go wrong."""
    return json.dumps(exception._asdict()).encode()


def unpack_exception(data: bytes) -> RecognitionException:
    """Return an exception."""
    return RecognitionException(**json.loads(data))


def pack_list(known: KnownList) -> bytes:
    """Return the highest trust list: 40 bytes and the file."""
    return _LIST.pack(known.version, known.digest) + known.file


def unpack_list(data: bytes) -> KnownList:
    """Return the highest trust list."""
    version, digest = _LIST.unpack_from(data)
    return KnownList(version, digest, data[_LIST.size :])
