"""Machines that apply the same log have the same state, and it is the one that a plain model has."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.errors import LogUnavailable
from onecode_server.replication import outcomes
from onecode_server.replication.apply import apply
from onecode_server.replication.ignored import Ignored
from onecode_server.rules.publication import Outcome, Replay
from onecode_server.stores import layout

from tests.unit.replication.cluster import CLUSTER, Logged, identifier
from tests.unit.replication.memory_state import MemoryState
from tests.unit.replication.plain_replica import PlainReplica
from tests.unit.replication.status_logs import PARTITIONS, SUBJECTS, Entry, logs, message

KEY = CLUSTER.public_key
EXAMPLES = 40


def name(outcome: Outcome) -> str:
    return "" if outcome is None else "TAKEN" if outcome is Replay.KNOWN else outcome.name


def written(entries: list[Entry]) -> tuple[MemoryState, list[Logged]]:
    """Return the state of a machine that applied each message as it was appended, and the messages."""
    state, offsets, messages = MemoryState(), Counter[int](), list[Logged]()
    for entry in entries:
        messages.append(message(entry, offsets[entry.partition], state))
        offsets[entry.partition] += 1
        apply(state, messages[-1], KEY)
    return state, messages


@given(logs(20))
@settings(max_examples=EXAMPLES)
def test_each_record_has_the_outcome_and_each_subject_the_level_of_the_plain_model(entries: list[Entry]) -> None:
    state, offsets = MemoryState(), Counter[int]()
    plain = {partition: PlainReplica() for partition in PARTITIONS}
    for entry in entries:
        applied = apply(state, message(entry, offsets[entry.partition], state), KEY)
        offsets[entry.partition] += 1
        model = plain[entry.partition]
        if entry.kind in ("mark", "noise"):
            model.pass_by(entry.time)
            assert bool(applied.mark) is (entry.kind == "mark")
            continue
        expected = model.take(entry.number, entry.time, entry.made_at, entry.records)
        if isinstance(expected, str):
            assert applied.taken == 0
            assert applied.ignored == Ignored.REPEATED or _is_refused(state, entry)
            continue
        found = outcomes.read_records(state.outcome(identifier(entry.partition, entry.number)) or b"")
        assert len(found) == len(expected)
        for one, allowed in zip(found, expected, strict=True):
            assert name(one) in (allowed or {""})
        assert applied.taken == found.count(None)
    _expect_equal_levels(state, plain)


def _is_refused(state: MemoryState, entry: Entry) -> bool:
    try:
        outcomes.read_records(state.outcome(identifier(entry.partition, entry.number)) or b"")
    except LogUnavailable:
        return True
    return False


def _expect_equal_levels(state: MemoryState, plain: dict[int, PlainReplica]) -> None:
    for partition, model in plain.items():
        for subject in SUBJECTS[partition]:
            kept = layout.unpack_records(state.records(subject))
            assert all(record.published_at <= state.partition(partition).time for record in kept)
            for publisher in ("420000", "310000", "000000"):
                begun = [r for r in kept if r.publisher == publisher and r.effective_at <= model.rules.now]
                last = max(begun, key=lambda record: record.revision, default=None)
                found = last and (last.level.name, last.effective_at, last.expires_at, last.revision)
                assert found == model.in_effect(publisher, subject)
        windows = {token.subject: (token.issued_at, token.expires_at) for token in state.token_windows.values()}
        assert {of: window for of, window in windows.items() if of in SUBJECTS[partition]} == model.rules.tokens


@given(logs(), st.data())
@settings(max_examples=EXAMPLES)
def test_any_order_of_partitions_and_any_kills_lead_to_the_same_state(
    entries: list[Entry], data: st.DataObject
) -> None:
    reference, messages = written(entries)
    waiting = {partition: [m for m in messages if m.partition == partition] for partition in PARTITIONS}
    committed = state = MemoryState()
    while any(waiting[partition][state.partition(partition).offset :] for partition in PARTITIONS):
        match data.draw(st.sampled_from(["apply", "apply", "apply", "commit", "kill"])):
            case "apply":
                partition = data.draw(st.sampled_from(PARTITIONS))
                if rest := waiting[partition][state.partition(partition).offset :]:
                    apply(state, rest[0], KEY)
            case "commit":
                committed = state.copy()
            case "kill":
                state = committed.copy()
    assert state.content() == reference.content()


@given(logs())
@settings(max_examples=EXAMPLES)
def test_repeated_chunks_and_noise_leave_records_tokens_and_digests_as_they_are_without_them(
    entries: list[Entry],
) -> None:
    reference, messages = written(entries)
    state = MemoryState()
    for entry, one in zip(entries, messages, strict=True):
        if entry.kind != "again":
            apply(state, one if entry.kind != "noise" else one._replace(value=b""), KEY)
    assert (state.packed, state.token_windows) == (reference.packed, reference.token_windows)
    for partition in PARTITIONS:
        assert state.partition(partition).digest == reference.partition(partition).digest


@given(logs())
@settings(max_examples=EXAMPLES)
def test_two_states_that_differ_in_a_record_have_different_digests(entries: list[Entry]) -> None:
    """A digest stands for the whole history of a partition: without one taken chunk it is another."""
    reference, messages = written(entries)
    for left_out in range(len(messages)):
        state = MemoryState()
        for place, one in enumerate(messages):
            if entries[place].kind == "chunk" and place != left_out:
                apply(state, one, KEY)
        partition = messages[left_out].partition
        if state.packed != reference.packed:
            of_it = [subject for subject in SUBJECTS[partition] if state.records(subject) != reference.records(subject)]
            is_equal = state.partition(partition).digest == reference.partition(partition).digest
            assert not (of_it and is_equal)
