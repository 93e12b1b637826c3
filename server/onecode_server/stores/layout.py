"""The binary layout of stored values: big-endian numbers, so that a subject takes few bytes. No I/O.

A change after which old bytes cannot be read needs a new SCHEMA.
"""

import functools
import json
import struct
from typing import Final

from onecode_server.errors import StoredDamaged
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import SUBJECT_BYTES, Level, Scope, StatusRecord, Token
from onecode_server.stores.protocol import AnsweredRequest, KnownList, TokenKey

SCHEMA: Final = b"4"
UNPUBLISHED_SCHEMA: Final = b"2"
"""The layout in which a record had no time of publication. Its bytes are read today as a record that was published when
it took effect."""
SCHEMAS_BEFORE: Final = (UNPUBLISHED_SCHEMA, b"3")
"""The earlier layouts that can be migrated. Up to 3 all reports were in one table, by id alone."""

# A record: effective_at << 5 | level << 3 | kind in 8 bytes; publisher << 4 | delay << 2 | scope in 3; the revision in
# 1, 4 or 8 bytes, as it needs; published_at minus effective_at, which may be negative, in none, 5 or 8, since most
# records are published within six days; and expires_at in 8, where there is one. Times are counted from the year 1.
_DELAYS: Final = ("", "bI", "q")
_KINDS: Final = tuple(
    tuple(struct.Struct(f">QHB{revision}{delay}{expiry}") for expiry in ("", "Q") for revision in "BIQ")
    for delay in _DELAYS
)
_RECORD_BYTES_MIN: Final = 12
_KIND_MAX: Final = 5
_DELAY_KIND_MAX: Final = len(_DELAYS) - 1
_PLACE_BITS: Final = ~0b1100  # without the kind of the delay
_REVISION_AT: Final = 11
_REVISION_BYTES: Final = (1, 4, 8, 1, 4, 8)
_SHORT_DELAY_MAX: Final = 2**39  # microseconds: 6.4 days
_YEAR_1_US: Final = -62_135_596_800_000_000  # where a Timestamp begins; up to the year 9999 are 59 bits
PUBLISHERS_KEPT: Final = 256
"""Texts of publishers that are kept: more than there are provinces with their local extensions."""
_TOKEN = struct.Struct(f">{SUBJECT_BYTES}sqq")
_CHANGE = struct.Struct(f">{SUBJECT_BYTES}sq")
_NUMBER = struct.Struct(">Q")
_LIST = struct.Struct(">Q32s")
_DAMAGED: Final = (struct.error, LookupError, ValueError, TypeError)
"""The exceptions of reading bytes that were not written by this module."""
REPORT_ID_BYTES_MAX: Final = 64
"""Longer than any id that a server makes; as a part of a key it stays below LMDB's 511 bytes."""
_ENDS: Final = 3  # the first kind of a record that ends
_NEVER: Final = 2**63 - 1  # past the year 9999, where a Timestamp ends
_LEVELS: Final = tuple(Level)
_SCOPES: Final = {int(scope): scope for scope in Scope}


@functools.lru_cache(PUBLISHERS_KEPT)
def publisher(number: int) -> str:
    """Return a publisher's six digits. Kept, since there are few, and writing them takes a tenth of an unpacking."""
    return f"{number:06d}"


def pack_records(records: tuple[StatusRecord, ...]) -> bytes:
    """Return a subject's records: 12 to 35 bytes each."""
    return b"".join(map(pack_record, records))


def pack_record(record: StatusRecord) -> bytes:
    """Return one record."""
    publisher, scope, level, effective_at, expires_at, revision, published_at = record
    kind = (revision >= 1 << 8) + (revision >= 1 << 32) + (0 if expires_at is None else _ENDS)
    delay = published_at - effective_at
    delay_kind = 0 if not delay else 1 if -_SHORT_DELAY_MAX <= delay < _SHORT_DELAY_MAX else 2
    place = int(publisher) << 4 | delay_kind << 2 | scope
    first = effective_at - _YEAR_1_US << 5 | level << 3 | kind
    form = _KINDS[delay_kind][kind]
    delays = (delay >> 32, delay & 0xFFFFFFFF) if delay_kind == 1 else (delay,) if delay_kind else ()
    if expires_at is None:
        return form.pack(first, place >> 8, place & 255, revision, *delays)
    return form.pack(first, place >> 8, place & 255, revision, *delays, expires_at - _YEAR_1_US)


def unpack_records(data: bytes) -> tuple[StatusRecord, ...]:
    """Return the records of a subject. Raises StoredDamaged, as every ``unpack_`` function here does."""
    records, at = [], 0
    try:
        while at < len(data):
            kind, delay_kind = data[at + 7] & 7, data[at + 10] >> 2 & 3
            form = _KINDS[delay_kind][kind]
            first, high, low, revision, *rest = form.unpack_from(data, at)
            at += form.size
            effective_at = (first >> 5) + _YEAR_1_US
            published_at = effective_at
            if delay_kind == 1:
                published_at += rest[0] << 32 | rest[1]
            elif delay_kind == 2:
                published_at += rest[0]
            records.append(
                StatusRecord(
                    publisher(high << 4 | low >> 4),
                    _SCOPES[low & 3],
                    _LEVELS[first >> 3 & 3],
                    effective_at,
                    rest[-1] + _YEAR_1_US if kind >= _ENDS else None,
                    revision,
                    published_at,
                )
            )
    except _DAMAGED:
        raise StoredDamaged("a stored record cannot be read") from None
    return tuple(records)


def repack_records(packed: bytes, before: tuple[StatusRecord, ...], after: tuple[StatusRecord, ...]) -> bytes:
    """Return ``pack_records(after)``, where ``packed`` has the records ``before``.

    Mostly ``after`` has a new record behind some of the last ones before, whose bytes are then taken as they are.
    """
    kept = len(after) - 1
    dropped = len(before) - kept
    if dropped < 0 or after[:-1] != before[dropped:]:
        return pack_records(after)
    at = 0
    for _ in range(dropped):
        at += _KINDS[packed[at + 10] >> 2 & 3][packed[at + 7] & 7].size
    return packed[at:] + pack_record(after[-1])


def revision_of_only(packed: bytes, like: StatusRecord) -> int | None:
    """Return the revision of a subject's only record where it is of the publisher and scope of ``like``; None where
    there are others, or where it cannot be read."""
    if len(packed) < _RECORD_BYTES_MIN:
        return None
    kind, delay_kind = packed[7] & 7, packed[10] >> 2 & 3
    if kind > _KIND_MAX or delay_kind > _DELAY_KIND_MAX or len(packed) != _KINDS[delay_kind][kind].size:
        return None
    if int.from_bytes(packed[8:11]) & _PLACE_BITS != int(like.publisher) << 4 | like.scope:
        return None
    return int.from_bytes(packed[_REVISION_AT : _REVISION_AT + _REVISION_BYTES[kind]])


def number(value: int) -> bytes:
    """Return the number of a change or an entry as a key, which LMDB keeps in order."""
    return _NUMBER.pack(value)


def read_number(key: bytes) -> int:
    """Return the number in a key."""
    return int.from_bytes(key)


def pack_change(subject: bytes, time: int) -> bytes:
    """Return a change: the subject whose records changed, and the time (Unix microseconds)."""
    return _CHANGE.pack(subject, time)


def unpack_change(data: bytes) -> tuple[bytes, int]:
    """Return the subject of a change, and its time."""
    try:
        subject, time = _CHANGE.unpack(data)
    except _DAMAGED:
        raise StoredDamaged("a stored change cannot be read") from None
    return subject, time


def token_key(key: TokenKey) -> bytes:
    """Return the key of a token."""
    return key.region.encode() + key.digest


def pack_token(token: Token) -> bytes:
    """Return a token as 32 bytes."""
    return _TOKEN.pack(token.subject, token.issued_at, _NEVER if token.expires_at is None else token.expires_at)


def unpack_token(data: bytes) -> Token:
    """Return a token."""
    try:
        subject, issued_at, expires_at = _TOKEN.unpack(data)
    except _DAMAGED:
        raise StoredDamaged("a stored token cannot be read") from None
    return Token(subject, issued_at, None if expires_at == _NEVER else expires_at)


def pack_exception(exception: RecognitionException) -> bytes:
    """Return an exception as JSON, which people can read in an emergency."""
    return json.dumps(exception._asdict()).encode()


def unpack_exception(data: bytes) -> RecognitionException:
    """Return an exception."""
    try:
        members = json.loads(data)  # a later version may have written more of them
        return RecognitionException(**{name: members[name] for name in RecognitionException._fields if name in members})
    except _DAMAGED:
        raise StoredDamaged("a stored exception cannot be read") from None


def report_key(identifier: str) -> bytes | None:
    """Return the key of a report, or None where no report can have such an id."""
    key = identifier.encode(errors="replace")
    return key if 0 < len(key) <= REPORT_ID_BYTES_MAX else None


def pack_answered(answered: AnsweredRequest) -> bytes:
    """Return the stored result of a request id."""
    return json.dumps([answered.step, answered.content.hex(), answered.report_id, answered.time]).encode()


def unpack_answered(data: bytes) -> AnsweredRequest:
    """Return the result of a request id."""
    try:
        step, content, report_id, time = json.loads(data)
        return AnsweredRequest(step, bytes.fromhex(content), report_id, time)
    except _DAMAGED:
        raise StoredDamaged("the stored answer to a request id cannot be read") from None


def pack_list(known: KnownList) -> bytes:
    """Return the highest trust list: 40 bytes and the file."""
    return _LIST.pack(known.version, known.digest) + known.file


def unpack_list(data: bytes) -> KnownList:
    """Return the highest trust list."""
    try:
        version, digest = _LIST.unpack_from(data)
    except _DAMAGED:
        raise StoredDamaged("the stored trust list cannot be read") from None
    return KnownList(version, digest, data[_LIST.size :])
