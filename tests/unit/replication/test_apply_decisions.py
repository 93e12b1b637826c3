"""Decisions: steps of exceptions, trust lists and rule versions, each with its entry in the audit record."""

import random
from typing import Any

import pytest

from onecode_server.errors import NotServing, OnecodeError, PreconditionFailed, TrustListRefused
from onecode_server.model.audit import follows
from onecode_server.model.identity import LOCAL, Identity, Role
from onecode_server.model.partition import DECISIONS
from onecode_server.model.status import Level, Scope
from onecode_server.recognition.steps import Acknowledge, Report, Step, Withdraw
from onecode_server.recognition.store_steps import StoreSteps
from onecode_server.replication import message_form, outcomes
from onecode_server.replication.apply import Applied, UnknownRules, apply
from onecode_server.replication.ignored import Ignored
from onecode_server.replication.messages import (
    Command,
    ListCommand,
    ResetRecord,
    RulesCommand,
    StepCommand,
    identifier_in,
)
from onecode_server.replication.rule_versions import KNOWN, RULES, RuleVersions
from onecode_server.rules.publication import RevisionReset
from onecode_server.stores import layout
from onecode_server.stores.protocol import ExceptionAnswer, KnownList, Publication

from tests.later_rules import LATER, LATER_RULES
from tests.unit.replication.cluster import (
    CLUSTER,
    FIRST,
    HOUR,
    NOON,
    SEALERS,
    SECOND,
    Logged,
    chunk,
    identifier,
    logged,
    record,
    subject,
)
from tests.unit.replication.memory_state import MemoryState
from tests.world import World

KEY = CLUSTER.public_key
REQUEST_ID = "a request of mine"
DAY = 24 * HOUR


class Machine:
    """A machine, and the partition of decisions that it applies."""

    def __init__(self, versions: RuleVersions = KNOWN) -> None:
        self.state, self.versions = MemoryState(), versions
        self.log: list[Logged] = []
        self.number = 0

    def obey(self, command: Command, time: int, partition: int = DECISIONS) -> Applied:
        self.log.append(logged(command, partition, self.state.partition(partition).offset, time))
        return apply(self.state, self.log[-1], KEY, versions=self.versions)

    def head(self, made_at: int, rules: int = RULES) -> tuple[bytes, bytes, int, int]:
        self.number += 1
        return FIRST, identifier(DECISIONS, self.number), made_at, rules

    def outcome(self) -> bytes:
        found = self.state.outcome(identifier(DECISIONS, self.number))
        assert found is not None
        return found

    def take(self, step: Step, time: int, made_at: int | None = None) -> ExceptionAnswer:
        self.obey(StepCommand(*self.head(time if made_at is None else made_at), step), time)
        return outcomes.read_answer(self.outcome())


@pytest.fixture
async def known(world: World) -> KnownList:
    found = await world.store.known_list()
    assert found is not None
    return found


@pytest.fixture
def machine(known: KnownList) -> Machine:
    made = Machine()
    made.obey(ListCommand(*made.head(NOON), known), NOON)
    return made


def report(begins: int = NOON, number: int = 1, home: str = "420000", request_id: str = "") -> Report:
    return Report(LOCAL, f"RE-{number:016x}", "440000", home, "why", begins, begins + 2 * HOUR, request_id)


def test_a_trust_list_is_taken_once_and_audited(machine: Machine, known: KnownList) -> None:
    assert (machine.state.list, [entry.event for entry in machine.state.audit]) == (known, ["trust list taken"])
    digest = machine.state.partition(DECISIONS).digest
    for older in (known, known._replace(version=known.version - 1)):
        assert machine.obey(ListCommand(*machine.head(NOON), older), NOON).taken == 0
        outcomes.expect_done(machine.outcome())
    assert (len(machine.state.audit), machine.state.partition(DECISIONS).digest) == (1, digest)


@pytest.mark.parametrize("wrong", [{"version": 99}, {"version": 99, "digest": bytes(32)}, {"version": 99, "file": b""}])
def test_a_trust_list_that_is_not_what_the_message_names_is_refused(machine: Machine, known: KnownList, wrong) -> None:
    before = machine.state.audit_head()
    machine.obey(ListCommand(*machine.head(NOON), known._replace(**wrong)), NOON)
    with pytest.raises(TrustListRefused):
        outcomes.expect_done(machine.outcome())
    assert (machine.state.list, machine.state.audit_head()) == (known, before)


def test_a_report_without_a_trust_list_is_refused() -> None:
    with pytest.raises(NotServing, match="no trust list has been accepted yet"):
        Machine().take(report(), NOON)


def test_a_start_that_the_log_delays_becomes_the_logs_time(machine: Machine) -> None:
    late = machine.take(report(NOON), NOON + 5 * SECOND, made_at=NOON)
    assert (late.report.effective_from, late.report.reported_at) == (NOON + 5 * SECOND, NOON + 5 * SECOND)
    slow = machine.take(report(NOON - 60 * SECOND, 2, "110000"), NOON + 9 * SECOND, made_at=NOON)
    assert slow.report.effective_from == NOON + 9 * SECOND
    with pytest.raises(PreconditionFailed, match="past") as refused:
        machine.take(report(NOON - 60 * SECOND - 1, 3, "110000"), NOON + 9 * SECOND, made_at=NOON)
    assert refused.value.reason == "BACKWARDS"


def test_a_request_that_is_repeated_through_the_log_has_one_effect_and_one_answer(machine: Machine) -> None:
    first = machine.take(report(request_id=REQUEST_ID), NOON + SECOND)
    state = machine.state.partition(DECISIONS)
    again = machine.take(report(request_id=REQUEST_ID, number=2), NOON + 20 * SECOND)
    assert again == first
    assert (len(machine.state.audit), machine.state.partition(DECISIONS).digest) == (2, state.digest)


def test_of_two_acknowledgements_for_the_same_time_the_first_in_the_log_is_made(machine: Machine) -> None:
    for number in (1, 2):
        machine.take(report(number=number), NOON)
    machine.take(Acknowledge(LOCAL, report(number=2).identifier), NOON)
    with pytest.raises(PreconditionFailed, match="overlaps"):
        machine.take(Acknowledge(LOCAL, report(number=1).identifier), NOON)


PEOPLE = [
    LOCAL,
    Identity(Role.NATIONAL_OPERATOR),
    Identity(Role.REGIONAL_OPERATOR, "440000"),
    Identity(Role.REGIONAL_OPERATOR, "420000", gateway="g"),
    Identity(Role.SCANNER, "440000"),
]


FLAWS: list[dict[str, Any]] = [
    {"by": PEOPLE[3]},
    {"by": PEOPLE[4]},
    {"request_id": "short"},
    {"identifier": "x" * 65},
    {"identifier": "RE-unknown"},
    {"begins": -60 * SECOND - 1},
    {"begins": 31 * DAY},
    {"lasts": -1},
    {"lasts": HOUR - 1},
    {"lasts": 30 * DAY + 1},
    {"host": "999999"},
    {"home": "000000"},
    {"home": "440000"},
    {"reason": ""},
    {"reason": "疫" * 342},
]


def some_step(chance: random.Random, number: int, now: int) -> Step:
    """Return a step with at most one flaw of its own, on a report that may have been filed."""
    flaw = chance.choice([{}, {}, *FLAWS]) if chance.random() < 0.4 else {}
    request_id = chance.choice(["", "", "", f"request {chance.randrange(8):016}"])
    filed = f"RE-{chance.randrange(max(number, 1)):016x}"
    kind = chance.choice(["report", "report", "acknowledge", "acknowledge", "acknowledge", "withdraw"])
    drawn: dict[str, Any] = {
        "by": chance.choice(PEOPLE[:2] if kind == "acknowledge" else [PEOPLE[0], PEOPLE[2]]),
        "identifier": f"RE-{number:016x}" if kind == "report" else filed,
        "host": "440000",
        "home": chance.choice(["420000", "420000", "110000"]),
        "reason": "疫" * 341,
        "begins": chance.choice([-60 * SECOND, 0, 0, HOUR, 4 * HOUR]),
        "lasts": chance.choice([HOUR, 3 * HOUR, 9 * HOUR]),
        "request_id": request_id,
    }
    drawn |= flaw
    if kind != "report":
        return (Acknowledge if kind == "acknowledge" else Withdraw)(
            drawn["by"], drawn["identifier"], drawn["request_id"]
        )
    begins = now + drawn["begins"]
    named = {name: drawn[name] for name in ("by", "identifier", "host", "home", "reason", "request_id")}
    return Report(**named, begins=begins, ends=begins + drawn["lasts"])


async def _answer(embedded: StoreSteps, step: Step) -> object:
    try:
        return await embedded.take(step)
    except OnecodeError as refusal:
        return type(refusal), getattr(refusal, "reason", ""), str(refusal)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_steps_have_the_answers_refusals_and_audit_entries_of_the_embedded_store(
    world: World, machine: Machine, seed: int
) -> None:
    chance, embedded = random.Random(seed), StoreSteps(world.store, world.trust, lambda: world.now, 60 * SECOND)
    refusals, answers = set[object](), 0
    for number in range(120):
        world.now += chance.choice([0, 0, SECOND, HOUR])
        step = some_step(chance, number, world.now)
        expected = await _answer(embedded, step)
        try:
            found: object = machine.take(step, world.now)
            answers += 1
        except OnecodeError as refusal:
            found = type(refusal), getattr(refusal, "reason", ""), str(refusal)
            refusals.add(found)
        assert found == expected
    assert answers > 10
    assert len(refusals) > 6
    assert machine.state.audit == await world.store.audit(0)
    _expect_sound(machine.state)
    _expect_equal_replay(machine, chance)


def _expect_sound(state: MemoryState) -> None:
    """The audit record is a chain, and acknowledged reports of a pair never overlap."""
    for last, entry in zip([None, *state.audit], state.audit, strict=False):
        assert follows(entry, last)
    counted = [one for one in state.reports.values() if one.acknowledged_at is not None]
    for one in counted:
        for other in counted:
            if one is not other and (one.host, one.home) == (other.host, other.home):
                until = [min(x.effective_until, x.withdrawn_at or x.effective_until) for x in (one, other)]
                since = [max(x.effective_from, x.acknowledged_at or 0) for x in (one, other)]
                assert min(until) <= max(since)


def _expect_equal_replay(machine: Machine, chance: random.Random) -> None:
    """The log from its beginning, with kills on the way, gives the same state and audit head."""
    committed = state = MemoryState()
    while (offset := state.partition(DECISIONS).offset) < len(machine.log):
        assert not apply(state, machine.log[offset], KEY).ignored
        if chance.random() < 0.1:
            committed = state.copy()
        if chance.random() < 0.05:
            state = committed.copy()
    assert state.content() == machine.state.content()


def test_the_entry_of_a_reset_is_written_once(machine: Machine) -> None:
    asked = RevisionReset(subject(3), "420000", Scope.NATIONAL, 3)
    of_reset = identifier(0, 77)
    entry = ResetRecord(FIRST, identifier_in(DECISIONS, of_reset), NOON, RULES, asked, "ops", 50)
    assert machine.obey(entry, NOON).taken == 1
    assert machine.obey(entry, NOON).ignored == Ignored.REPEATED
    last = machine.state.audit[-1]
    assert (len(machine.state.audit), last.event, last.subject) == (2, "revision reset", subject(3).hex())
    assert last.details == {"publisher": "420000", "scope": "NATIONAL", "from": 50, "to": 3, "by": "ops"}


def test_a_command_in_a_partition_of_the_other_kind_is_ignored(machine: Machine) -> None:
    step = StepCommand(FIRST, identifier(0, 1), NOON, RULES, report())
    assert machine.obey(step, NOON, partition=0).ignored == Ignored.MISPLACED
    asked = RulesCommand(FIRST, identifier(5, 1), NOON, RULES, 2)
    assert machine.obey(asked, NOON, partition=5).ignored == Ignored.MISPLACED


def test_a_version_of_the_rules_that_is_not_later_is_refused(machine: Machine) -> None:
    machine.obey(RulesCommand(*machine.head(NOON), RULES), NOON)
    with pytest.raises(PreconditionFailed, match="version 1 of the rules is in force already"):
        outcomes.expect_done(machine.outcome())


def test_an_unknown_version_of_the_rules_stops_the_machine_when_it_comes_into_force(machine: Machine) -> None:
    before = machine.state.partition(DECISIONS)
    with pytest.raises(UnknownRules, match="version 2 of the rules"):
        machine.obey(RulesCommand(*machine.head(NOON), 2), NOON)
    assert machine.state.partition(DECISIONS) == before


def test_each_message_is_applied_under_the_rules_that_it_names() -> None:
    machine = Machine(LATER)
    machine.obey(RulesCommand(*machine.head(NOON), LATER_RULES), NOON)
    assert machine.state.rules() == LATER_RULES
    by = f"machine {FIRST.hex()}"
    assert machine.state.audit[-1].details == {"from": RULES, "to": LATER_RULES, "by": by}
    for number, (rules, merged) in enumerate(((LATER_RULES, Level.RED), (RULES, Level.YELLOW)), 1):
        of = subject(number)
        yellow = chunk(Publication(of, record(level=Level.YELLOW)), number=number)._replace(rules=rules)
        assert machine.obey(yellow, NOON, partition=0).taken == 1
        assert [one.level for one in layout.unpack_records(machine.state.records(of))] == [merged]


def test_rules_that_are_known_are_not_in_force_before_they_are_switched_on_and_not_set_back() -> None:
    machine = Machine(LATER)
    assert machine.state.rules() == RULES
    machine.obey(RulesCommand(*machine.head(NOON), LATER_RULES), NOON)
    for to in (RULES, LATER_RULES):
        machine.obey(RulesCommand(*machine.head(NOON), to), NOON)
        with pytest.raises(PreconditionFailed, match=f"version {LATER_RULES} of the rules is in force already"):
            outcomes.expect_done(machine.outcome())
    assert machine.state.rules() == LATER_RULES


def test_versions_of_the_rules_have_no_gap() -> None:
    with pytest.raises(ValueError, match="a gap"):
        RuleVersions({1: KNOWN.of(1), 3: KNOWN.of(1)})


def test_a_signed_step_whose_role_is_unknown_is_ignored_by_all(machine: Machine) -> None:
    body = message_form.encode(StepCommand(*machine.head(NOON), report()))
    changed = body.replace(b"local", b"loca!")
    assert changed != body
    value = SEALERS[FIRST].seal(changed, DECISIONS)
    offset = machine.state.partition(DECISIONS).offset
    assert apply(machine.state, Logged(DECISIONS, offset, 0, NOON, value), KEY).ignored == Ignored.MALFORMED
