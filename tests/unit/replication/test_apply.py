"""Applying: what a message does to a machine's state, and which messages do nothing."""

import pytest

from onecode_server.errors import LogUnavailable, PreconditionFailed
from onecode_server.model.partition import DECISIONS
from onecode_server.model.partition_state import INITIAL, PartitionState
from onecode_server.model.status import Level, Scope, Token
from onecode_server.replication import outcomes
from onecode_server.replication.apply import AGE_MAX_US, AHEAD_MAX_US, MEMORY_US, Applied, Diverged, UnknownRules, apply
from onecode_server.replication.ignored import Ignored
from onecode_server.replication.messages import NO_OFFSET, Reset
from onecode_server.replication.rule_versions import RULES
from onecode_server.rules.publication import Rejection, Replay, RevisionReset
from onecode_server.stores import layout
from onecode_server.stores.protocol import Publication, TokenKey

from tests.unit.replication.cluster import (
    CLUSTER,
    FIRST,
    HOUR,
    NOON,
    OTHER,
    SECOND,
    Logged,
    chunk,
    identifier,
    logged,
    mark,
    record,
    subject,
)
from tests.unit.replication.memory_state import MemoryState

KEY = CLUSTER.public_key
HERE = subject(3)


def records(state: MemoryState, of: bytes = HERE) -> list[tuple[int, Level, int]]:
    return [(one.revision, one.level, one.published_at) for one in layout.unpack_records(state.records(of))]


def outcome(state: MemoryState, number: int = 1, partition: int = 0) -> bytes:
    found = state.outcome(identifier(partition, number))
    assert found is not None
    return found


def test_a_record_is_published_at_the_logs_time_which_never_runs_backwards() -> None:
    state = MemoryState()
    assert apply(state, logged(chunk(Publication(HERE, record())), 0, 7, NOON + 5), KEY) == Applied(taken=1)
    assert apply(state, logged(chunk(Publication(HERE, record(2)), number=2), 0, 8, NOON - HOUR), KEY).taken == 1
    assert records(state) == [(1, Level.RED, NOON + 5), (2, Level.RED, NOON + 5)]
    assert state.partition(0)._replace(digest=b"") == PartitionState(9, 3, NOON + 5, b"")
    assert state.changes == [(HERE, NOON + 5)] * 2


def test_the_outcome_of_each_record_is_kept_for_its_writer() -> None:
    state = MemoryState()
    one = Publication(HERE, record(5))
    apply(state, logged(chunk(one, one, one._replace(record=record(4)), Publication(subject(4), record())), 0), KEY)
    assert outcomes.read_records(outcome(state)) == [None, Replay.KNOWN, Rejection.SUPERSEDED, None]


def test_a_repeated_chunk_moves_the_partition_on_and_changes_nothing() -> None:
    state = MemoryState()
    apply(state, logged(chunk(Publication(HERE, record())), 0, 0), KEY)
    before = state.copy()
    again = logged(chunk(Publication(HERE, record(2))), 0, 1)
    assert apply(state, again, KEY) == Applied(ignored=Ignored.REPEATED)
    assert state.partition(0) == before.partition(0)._replace(offset=2)
    before.set_partition(0, state.partition(0))
    assert state.content() == before.content()


def test_a_message_before_the_partitions_offset_is_not_applied_again() -> None:
    state = MemoryState()
    apply(state, logged(chunk(Publication(HERE, record())), 0, 4), KEY)
    before = state.copy()
    late = logged(chunk(Publication(HERE, record(2)), number=2), 0, 4)
    assert apply(state, late, KEY) == Applied(ignored=Ignored.APPLIED_BEFORE)
    assert state.content() == before.content()


@pytest.mark.parametrize(("off", "is_taken"), [
    (-AGE_MAX_US, True), (-AGE_MAX_US - 1, False), (AHEAD_MAX_US, True), (AHEAD_MAX_US + 1, False)
])  # fmt: skip
def test_a_chunk_whose_writers_clock_is_far_from_the_logs_is_refused(off: int, is_taken: bool) -> None:
    state = MemoryState()
    apply(state, logged(chunk(Publication(HERE, record()), made_at=NOON + off), 0), KEY)
    assert bool(state.packed) is is_taken
    if not is_taken:
        assert state.partition(0).digest == INITIAL.digest
        with pytest.raises(LogUnavailable, match="ten minutes"):
            outcomes.read_records(outcome(state))


def test_a_repeated_chunk_that_is_still_in_time_is_never_forgotten() -> None:
    state = MemoryState()
    first = chunk(Publication(HERE, record()), made_at=NOON + AHEAD_MAX_US)
    apply(state, logged(first, 0, 0, NOON), KEY)
    apply(
        state,
        logged(chunk(Publication(HERE, record(2)), number=2, made_at=NOON + MEMORY_US), 0, 1, NOON + MEMORY_US),
        KEY,
    )
    assert apply(state, logged(first, 0, 2, NOON + MEMORY_US), KEY).ignored == Ignored.REPEATED
    assert apply(state, logged(first, 0, 3, NOON + MEMORY_US + 1), KEY) == Applied(refused=1)
    with pytest.raises(LogUnavailable):  # it was forgotten, and is too old
        outcomes.read_records(outcome(state))


def test_a_mark_is_returned_and_keeps_a_checkpoint() -> None:
    state = MemoryState()
    first = mark(NO_OFFSET)
    assert apply(state, logged(first, 0, 0), KEY) == Applied(mark=first)
    apply(state, logged(chunk(Publication(HERE, record())), 0, 1), KEY)
    second = mark(0, INITIAL.digest)
    assert apply(state, logged(second, 0, 2), KEY).mark == second
    assert state.checkpoints[0] == {0: INITIAL.digest, 2: state.partition(0).digest}
    assert state.partition(0).digest != INITIAL.digest


def test_a_mark_with_another_digest_stops_the_machine_and_names_where_they_differ() -> None:
    state = MemoryState()
    apply(state, logged(mark(NO_OFFSET), 0, 0), KEY)
    with pytest.raises(Diverged, match=f"partition 0 differs after offset 0 from machine {OTHER.hex()}"):
        apply(state, logged(mark(0, b"x" * 32, OTHER), 0, 1), KEY)


def test_a_mark_of_decisions_compares_the_audit_record_as_well() -> None:
    state = MemoryState()
    apply(state, logged(mark(NO_OFFSET), DECISIONS, 0), KEY)
    assert apply(state, logged(mark(0), DECISIONS, 1), KEY).mark
    with pytest.raises(Diverged):
        apply(state, logged(mark(0, audit_head=b"x" * 32), DECISIONS, 2), KEY)


def test_a_mark_that_names_a_forgotten_checkpoint_is_not_compared() -> None:
    state = MemoryState()
    assert apply(state, logged(mark(77, b"x" * 32), 0, 100), KEY).mark


def test_a_token_has_the_window_of_its_publishers_records() -> None:
    state = MemoryState()
    key = TokenKey("310000", HERE + b"second half.....")
    first = record(publisher="310000", expires_at=NOON + HOUR)
    apply(state, logged(chunk(Publication(HERE, first, key)), 0, 0), KEY)
    assert state.token_windows == {key: Token(HERE, NOON, NOON + HOUR)}
    later = record(2, effective_at=NOON + SECOND, publisher="310000")
    apply(state, logged(chunk(Publication(HERE, later, key), number=2), 0, 1), KEY)
    assert state.token_windows == {key: Token(HERE, NOON, None)}


def test_a_known_record_brings_its_token_and_changes_the_digest() -> None:
    state = MemoryState()
    one = record(publisher="310000")
    apply(state, logged(chunk(Publication(HERE, one)), 0, 0), KEY)
    before = state.partition(0).digest
    key = TokenKey("310000", HERE + b"second half.....")
    applied = apply(state, logged(chunk(Publication(HERE, one, key), number=2), 0, 1), KEY)
    assert (applied.taken, [*state.token_windows]) == (0, [key])
    assert state.partition(0).digest != before


def reset(to: int, number: int, made_at: int = NOON) -> Reset:
    return Reset(FIRST, identifier(0, number), made_at, RULES, RevisionReset(HERE, "420000", Scope.NATIONAL, to), "ops")


def test_a_revision_is_set_back_and_its_former_value_is_the_outcome() -> None:
    state = MemoryState()
    apply(state, logged(chunk(Publication(HERE, record(50))), 0, 0), KEY)
    assert apply(state, logged(reset(3, 2), 0, 1), KEY).taken == 1
    assert outcomes.read_number(outcome(state, 2)) == 50
    assert records(state) == [(3, Level.RED, NOON)]
    before = state.partition(0).digest
    assert apply(state, logged(reset(3, 3), 0, 2), KEY).taken == 0
    with pytest.raises(PreconditionFailed, match="can only be set back") as refused:
        outcomes.read_number(outcome(state, 3))
    assert refused.value.reason == "NOT_BACK"
    assert state.partition(0).digest == before


def test_a_message_under_unknown_rules_stops_the_machine_before_anything_is_changed() -> None:
    state = MemoryState()
    with pytest.raises(UnknownRules, match="needs version 2 of the rules, and this program knows up to 1"):
        apply(state, logged(chunk(Publication(HERE, record()))._replace(rules=2), 0), KEY)
    assert state.content() == MemoryState().content()


def test_a_strangers_bytes_change_only_the_offset() -> None:
    state = MemoryState()
    for offset, value in enumerate([b"", b"x", b"OCL1", b"OCL1" + bytes(300), bytes(70_000)]):
        found = apply(state, Logged(0, offset, 3, NOON, value), KEY).ignored
        assert found == (Ignored.CERTIFICATE if len(value) == 304 else Ignored.FOREIGN)
    assert state.partitions == {0: PartitionState(5, 3, NOON, INITIAL.digest)}
