"""The form of status records in a chunk: each with its subject and its token, one after another."""

import struct
from collections.abc import Iterable
from typing import Final

from onecode_server.errors import Malformed
from onecode_server.model.partition import partition_of
from onecode_server.model.status import SUBJECT_BYTES, UNPUBLISHED, Level, Scope, StatusRecord
from onecode_server.model.subject import token_subject
from onecode_server.replication.messages import CHUNK_RECORDS_MAX
from onecode_server.rules.publication import REVISIONS_END
from onecode_server.stores import layout
from onecode_server.stores.protocol import Publication, TokenKey

# A record: effective_at << 5 | level << 3 | kind in 8 bytes, publisher << 1 | is LOCAL in 4, the revision in 8, the
# subject in 16; expires_at in 8 and the second half of the token's digest in 16, where the kind says so. The first half
# of the digest is the subject (``model.subject.token_subject``), and the token's region is the publisher, who alone may
# publish it. Times are counted from the year 1, as in ``stores.layout``; a time of publication is the log's to give.
_KINDS: Final = tuple(struct.Struct(f">QIQ{SUBJECT_BYTES}s{more}") for more in ("", "Q", "16s", "Q16s"))
_ENDS, _HAS_TOKEN = 1, 2
_YEAR_1_US: Final = -62_135_596_800_000_000
_TIMES_END: Final = 2**59  # past the year 9999
_LEVELS: Final = tuple(Level)
_REGION_DIGITS: Final = 6


def encode(publications: Iterable[Publication]) -> bytes:
    """Return records that the writer has checked (``rules.publication.rejection``).

    Raises Malformed where a time is not of the years 1 to 9999, or a token is not its publisher's for the subject.
    """
    try:
        return b"".join(map(_encode_one, publications))
    except (struct.error, ValueError):
        raise Malformed("a record does not fit into a chunk") from None


def _encode_one(publication: Publication) -> bytes:
    subject, record, token = publication
    kind = (0 if record.expires_at is None else _ENDS) | (0 if token is None else _HAS_TOKEN)
    effective_at = record.effective_at - _YEAR_1_US
    if len(subject) != SUBJECT_BYTES or not 0 <= effective_at < _TIMES_END:
        raise Malformed("a record does not fit into a chunk")
    place = int(record.publisher) << 1 | (record.scope is Scope.LOCAL)
    values: list[int | bytes] = [effective_at << 5 | record.level << 3 | kind, place, record.revision, subject]
    if record.expires_at is not None:
        values.append(record.expires_at - _YEAR_1_US)
    if token is not None:
        if not _is_own(token, publication):
            raise Malformed("a chunk's token is not its publisher's for the subject")
        values.append(token.digest[SUBJECT_BYTES:])
    return _KINDS[kind].pack(*values)


def decode(data: bytes, partition: int, published_at: int = UNPUBLISHED) -> tuple[Publication, ...]:
    """Return the records of a chunk for ``partition``, published at ``published_at`` (Unix microseconds).

    Raises Malformed where they are not 1 to CHUNK_RECORDS_MAX, where one breaks the form or a rule that needs neither
    earlier records nor the trust list, or where a subject belongs to another partition.
    """
    found: list[Publication] = []
    at, end = 0, len(data)
    try:
        while at < end:
            kind = data[at + 7] & 7
            form = _KINDS[kind]
            first, place, revision, subject, *more = form.unpack_from(data, at)
            at += form.size
            effective_at = (first >> 5) + _YEAR_1_US
            expires_at = more[0] + _YEAR_1_US if kind & _ENDS else None
            level, publisher = _LEVELS[first >> 3 & 3], layout.publisher(place >> 1)
            scope = Scope.LOCAL if place & 1 else Scope.NATIONAL
            if (
                not level
                or len(publisher) != _REGION_DIGITS
                or not 0 < revision < REVISIONS_END
                or (expires_at is not None and expires_at <= effective_at)
                or partition_of(subject) != partition
                or (place & 1 and kind & _HAS_TOKEN)
            ):
                raise Malformed("a record of a chunk breaks a rule, or is of another partition")
            record = StatusRecord(publisher, scope, level, effective_at, expires_at, revision, published_at)
            token = TokenKey(publisher, subject + more[-1]) if kind & _HAS_TOKEN else None
            found.append(Publication(subject, record, token))
    except (LookupError, struct.error):
        raise Malformed("a record of a chunk is cut off, or of an unknown kind") from None
    if not 0 < len(found) <= CHUNK_RECORDS_MAX:
        raise Malformed(f"a chunk has 1 to {CHUNK_RECORDS_MAX} records")
    return tuple(found)


def _is_own(token: TokenKey, publication: Publication) -> bool:
    record = publication.record
    named = token.region == record.publisher and token_subject(token.digest) == publication.subject
    return named and record.scope is Scope.NATIONAL
