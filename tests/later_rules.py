"""The rules of a release that follows this one, which tests of upgrades compose: it knows one version more.

Under the later version a YELLOW record is merged as RED. What a machine has shows by that under which version it was
applied, and two machines that applied one message under different versions would have different digests.
"""

from onecode_server.model.status import Level, StatusRecord
from onecode_server.replication.packed_merge import merge_usual
from onecode_server.replication.rule_versions import KNOWN, RuleVersions
from onecode_server.rules import publication
from onecode_server.rules.publication import Records, Rejection, Replay

LATER_RULES = KNOWN.latest + 1


def _as_merged(record: StatusRecord) -> StatusRecord:
    return record._replace(level=Level.RED) if record.level is Level.YELLOW else record


def _merge(records: Records, record: StatusRecord, now: int) -> Records | Rejection | Replay:
    if publication.merge(records, record, now) is Replay.KNOWN:  # sent again behind the switch
        return Replay.KNOWN
    return publication.merge(records, _as_merged(record), now)


def _merge_usual(packed: bytes, record: StatusRecord, now: int) -> bytes | None:
    return merge_usual(packed, _as_merged(record), now)


LATER = RuleVersions(
    {version: KNOWN.of(version) for version in range(KNOWN.first, LATER_RULES)}
    | {LATER_RULES: KNOWN.of(KNOWN.latest)._replace(merge=_merge, merge_usual=_merge_usual)}
)
"""What the later release knows: the versions of this one, and the one that follows."""
