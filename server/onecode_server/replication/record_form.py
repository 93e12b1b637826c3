"""The form of status records in a chunk: each with its subject, packed as in the store, and its token."""

from collections.abc import Iterable
from typing import Final

from onecode_server.errors import Malformed, StoredDamaged
from onecode_server.model.partition import partition_of
from onecode_server.model.status import SUBJECT_BYTES, UNPUBLISHED, Level, Scope, StatusRecord
from onecode_server.model.subject import token_subject
from onecode_server.replication.messages import CHUNK_RECORDS_MAX
from onecode_server.rules.publication import REVISIONS_END
from onecode_server.stores import layout
from onecode_server.stores.protocol import Publication, TokenKey

# A record: its subject in 16 bytes; in 1, whether it has a token and the length of the record; the packed record, of 12
# to 27 bytes; and the second half of the token's digest in 16, where there is a token. The first half of the digest is
# the subject (``model.subject.token_subject``), and the token's region is the publisher, who alone may publish it.
_HAS_TOKEN: Final = 128
_REGION_DIGITS: Final = 6


def encode(publications: Iterable[Publication]) -> bytes:
    """Return records that the writer has checked (``rules.publication.rejection``). Raises Malformed where the token is
    not the publisher's for the subject."""
    return b"".join(map(_encode_one, publications))


def _encode_one(publication: Publication) -> bytes:
    subject, record, token = publication
    # Published when it takes effect: the store's form then has no bytes for a time that the log decides.
    packed = layout.pack_records((record._replace(published_at=record.effective_at),))
    if token is None:
        return subject + bytes((len(packed),)) + packed
    if not _is_own(token, publication):
        raise Malformed("a chunk's token is not its publisher's for the subject")
    return subject + bytes((len(packed) | _HAS_TOKEN,)) + packed + token.digest[SUBJECT_BYTES:]


def decode(data: bytes, partition: int) -> tuple[Publication, ...]:
    """Return the records of a chunk for ``partition``, with ``published_at`` UNPUBLISHED.

    Raises Malformed where they are not 1 to CHUNK_RECORDS_MAX, where one breaks the form or a rule that needs neither
    earlier records nor the trust list, or where a subject belongs to another partition.
    """
    found: list[Publication] = []
    at, end = 0, len(data)
    try:
        while at < end:
            record_at = at + SUBJECT_BYTES + 1
            subject, size = data[at : record_at - 1], data[record_at - 1]
            at = record_at + (size & ~_HAS_TOKEN)
            (record,) = layout.unpack_records(data[record_at:at])
            _expect_sound(record)
            token = None
            if size & _HAS_TOKEN:
                token = TokenKey(record.publisher, subject + data[at : at + SUBJECT_BYTES])
                at += SUBJECT_BYTES
                if record.scope is not Scope.NATIONAL:
                    raise Malformed("a chunk's token has a record that is not NATIONAL")
            if partition_of(subject) != partition:
                raise Malformed("a chunk has a subject of another partition")
            found.append(Publication(subject, record._replace(published_at=UNPUBLISHED), token))
    except (IndexError, ValueError, StoredDamaged):
        raise Malformed("a record of a chunk cannot be read") from None
    if at != end:
        raise Malformed("a record of a chunk is cut off")
    if not 0 < len(found) <= CHUNK_RECORDS_MAX:
        raise Malformed(f"a chunk has 1 to {CHUNK_RECORDS_MAX} records")
    return tuple(found)


def _expect_sound(record: StatusRecord) -> None:
    publisher, _, level, effective_at, expires_at, revision, published_at = record
    if (
        len(publisher) != _REGION_DIGITS
        or level is Level.UNSPECIFIED
        or not 0 < revision < REVISIONS_END
        or published_at != effective_at
        or (expires_at is not None and expires_at <= effective_at)
    ):
        raise Malformed("a record of a chunk breaks a rule of its form")


def _is_own(token: TokenKey, publication: Publication) -> bool:
    record = publication.record
    named = token.region == record.publisher and token_subject(token.digest) == publication.subject
    return named and record.scope is Scope.NATIONAL
