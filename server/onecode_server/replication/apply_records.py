"""Applies the commands of status partitions: status records with their tokens, and revisions that are set back."""

from onecode_server.model.status import token_of
from onecode_server.replication import digests, outcomes
from onecode_server.replication.messages import Chunk, Reset
from onecode_server.replication.rule_versions import RuleSet
from onecode_server.replication.state import ReplicaState
from onecode_server.rules.publication import Outcome, Rejection, Replay
from onecode_server.stores import layout


def publish(state: ReplicaState, chunk: Chunk, rules: RuleSet, time: int, digest: bytes) -> tuple[bytes, int, bytes]:
    """Merge each record with those of its subject, in order; ``time`` is when all of them were published.

    A new token is stored even if its record was known. Returns the new digest, the number of records taken, and the
    outcome of the chunk.
    """
    merge, merge_usual, results, changes, taken = rules.merge, rules.merge_usual, list[Outcome](), list[bytes](), 0
    records_of, put_records = state.records, state.put_records
    for subject, record, token in chunk.publications:
        packed = records_of(subject)
        if token is None and (usual := merge_usual(packed, record, time)) is not None:
            put_records(subject, usual, time)
            changes.append(digests.of_records(subject, usual))
            results.append(None)
            taken += 1
            continue
        known = layout.unpack_records(packed) if packed else ()
        merged = merge(known, record, time)
        if isinstance(merged, Rejection):
            results.append(merged)
            continue
        if isinstance(merged, Replay):
            results.append(merged)
            merged = known
        else:
            results.append(None)
            taken += 1
            packed = layout.repack_records(packed, known, merged)
            put_records(subject, packed, time)
            changes.append(digests.of_records(subject, packed))
        if token is not None and (merged is not known or not state.has_token(token)):
            window = token_of(subject, record, merged)
            state.put_token(token, window)
            changes.append(digests.of_token(token, window))
    return digests.chained(digest, changes), taken, outcomes.of_records(results)


def set_back(state: ReplicaState, asked: Reset, rules: RuleSet, time: int, digest: bytes) -> tuple[bytes, int, bytes]:
    """Set a revision back. Returns the new digest, 1, and the former revision. Raises PreconditionFailed."""
    subject, publisher, scope, to = asked.reset
    known = layout.unpack_records(state.records(subject))
    records = rules.set_back(known, publisher, scope, to)
    was = max(r.revision for r in known if (r.publisher, r.scope) == (publisher, scope))
    packed = layout.pack_records(records)
    state.put_records(subject, packed, time)
    return digests.chained(digest, [digests.of_records(subject, packed)]), 1, outcomes.of_number(was)
