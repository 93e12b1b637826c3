"""Merges a record with the packed records of its subject in the usual cases, without unpacking these.

Nearly every subject has no record, or one of the publisher and scope that publishes the next one. The result is that of
``rules.publication.merge`` under version 1 of the rules, byte by byte, which decides in all other cases.
"""

from onecode_server.model.status import StatusRecord
from onecode_server.rules.publication import AHEAD_MAX_US, FIRST_REVISION_MAX, RISE_MAX
from onecode_server.rules.retention import LAG_US
from onecode_server.stores import layout


def merge_usual(packed: bytes, record: StatusRecord, now: int) -> bytes | None:
    """Return the packed records of a subject including ``record``, which is published at ``now`` (Unix microseconds);
    None where the case is not usual, or the record may have to be refused."""
    effective_at, revision = record.effective_at, record.revision
    if effective_at > now + AHEAD_MAX_US:
        return None
    if not packed:
        return layout.pack_record(record) if revision <= FIRST_REVISION_MAX else None
    known = layout.revision_of_only(packed, record)
    if known is None or not 0 < revision - known <= RISE_MAX:
        return None
    # The earlier record counts for readers whose clocks are behind, for as long as the new one has just taken effect.
    new = layout.pack_record(record)
    return new if effective_at <= now - LAG_US else packed + new
