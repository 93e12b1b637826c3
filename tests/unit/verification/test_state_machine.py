"""The real engine on a real store against a plain model: publish, report, acknowledge, withdraw, restart, and time.

The same steps in every run, for some 20 s. To look deeper, at other steps each time:
``ONECODE_STATE_EXAMPLES=5000 pytest tests/unit/verification/test_state_machine.py``.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.unit.verification.engine_and_model import NATION, STRANGE, SUBJECTS, EngineAndModel
from tests.unit.verification.plain_model import AHEAD_MAX, LAG, LIST_GRACE, SKEW
from tests.world import HOUR, SECOND

DEEP = int(os.environ.get("ONECODE_STATE_EXAMPLES", "0"))
SETTINGS = settings(
    derandomize=settings().derandomize and not DEEP,
    max_examples=DEEP or 50,
    stateful_step_count=60 if DEEP else 40,
    database=None,
    suppress_health_check=list(HealthCheck),
)

MONTH = 30 * 24 * HOUR
EVERYONE = 10_000

moments = st.sampled_from([-26 * HOUR, -HOUR, -1, 0, 0, 0, 1, SECOND, HOUR, 2 * HOUR, 30 * HOUR])
allowed = st.fixed_dictionaries(
    {
        "subject": st.sampled_from(SUBJECTS),
        "publisher": st.sampled_from(["home", "home", NATION, "540000"]),
        "scope": st.sampled_from(["NATIONAL", "NATIONAL", "LOCAL"]),
        "level": st.sampled_from(["GREEN", "YELLOW", "RED", "RED"]),
        "after": moments,
        "since_issue": st.sampled_from([None] * 6 + [-SKEW - 1, -SKEW, -1, 0, SKEW, SKEW + 1]),
        "lasts": st.sampled_from([None, None, 1, SECOND, HOUR, 3 * HOUR, 40 * HOUR]),
        "rises": st.sampled_from([1, 1, 1, 2, 0, -1, -1]),
        "named": st.sampled_from(["local", "code", "pseudonym"]),
    }
)
anything = st.fixed_dictionaries(
    {
        "subject": st.sampled_from([*SUBJECTS, None]),
        "publisher": st.sampled_from(["home", NATION, "540000", "630000", "440000", STRANGE]),
        "scope": st.sampled_from(["NATIONAL", "LOCAL"]),
        "level": st.sampled_from(["GREEN", "YELLOW", "RED", "UNSPECIFIED"]),
        "after": moments | st.sampled_from([AHEAD_MAX, AHEAD_MAX + 1]),
        "since_issue": st.none(),
        "lasts": st.sampled_from([None, -1, 0, 1, HOUR]),
        "revision": st.sampled_from([0, 1, 5, 10, 2**53, 2**61, 2**61 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64]),
        "named": st.sampled_from(["local", "code", "pseudonym"]),
    }
)
by_the_home = {"publisher": "home", "scope": "NATIONAL", "named": "code", "since_issue": None, "lasts": None}
whoever = st.sampled_from(["420000", "440000", "540000", "420000", "440000", NATION, STRANGE])


class EngineAgainstModel(RuleBasedStateMachine):
    """Every step is taken in both; after it both say the same.

    Some rules do a few steps on purpose, since dice alone seldom throw them: mutated rules showed which.
    """

    def __init__(self) -> None:
        super().__init__()
        self.both = EngineAndModel()
        self.model = self.both.model

    def teardown(self) -> None:
        self.both.close()

    @rule(chunk=st.lists(allowed, min_size=1, max_size=4))
    def publish_what_is_mostly_allowed(self, chunk: list[dict[str, Any]]) -> None:
        self.both.publish(chunk)

    @rule(chunk=st.lists(allowed | anything, min_size=1, max_size=4))
    def publish_anything(self, chunk: list[dict[str, Any]]) -> None:
        self.both.publish(chunk)

    @rule(chunk=st.lists(allowed, min_size=2, max_size=6), subject=st.sampled_from(SUBJECTS))
    def publish_on_one_subject(self, chunk: list[dict[str, Any]], subject: tuple[str, str]) -> None:
        own = {"subject": subject, "publisher": "home", "scope": "NATIONAL"}
        self.both.publish([one | own for one in chunk])

    @rule(
        subject=st.sampled_from(SUBJECTS),
        publisher=st.sampled_from(["home", "home", NATION]),
        first=st.sampled_from(["GREEN", "RED"]),
        steps=st.integers(1, 6),
        lasts=st.sampled_from([None, SECOND, HOUR]),
    )
    def announce_what_will_be(
        self, subject: tuple[str, str], publisher: str, first: str, steps: int, lasts: int | None
    ) -> None:
        today = by_the_home | {"subject": subject, "publisher": publisher, "level": first, "after": 0, "rises": 1}
        then = today | {"level": "YELLOW", "lasts": lasts}
        self.both.publish([today, *(then | {"after": step * HOUR} for step in range(1, steps + 1))])

    @rule(subject=st.sampled_from(SUBJECTS), levels=st.permutations(["GREEN", "YELLOW", "RED"]))
    def publish_late(self, subject: tuple[str, str], levels: list[str]) -> None:
        """What was said before arrives after what was said last; a replay says something else."""
        entry = by_the_home | {"subject": subject, "after": 0}
        last, replayed, older = (entry | {"level": level} for level in levels)
        self.both.publish([last | {"rises": 1}, replayed | {"rises": 0}])
        self.both.publish([last | {"rises": 2, "after": HOUR}, older | {"rises": -1}])

    @rule(
        host=whoever,
        home=whoever,
        reason=st.sampled_from(["a new variant"] * 6 + ["", "x" * 1024, "é" * 513]),
        after=st.sampled_from([0, 0, 0, -1, -60 * SECOND, -60 * SECOND - 1, SECOND, HOUR, MONTH, MONTH + 1]),
        lasts=st.sampled_from([1, HOUR - 1, HOUR, HOUR, 2 * HOUR, MONTH, MONTH + 1, 0, -1]),
    )
    def report_anything(self, host: str, home: str, reason: str, after: int, lasts: int) -> None:
        self.both.report(host, home, reason, after, lasts)

    @rule(
        host=st.sampled_from(["440000", "540000"]),
        home=st.sampled_from(["420000", "540000"]),
        after=st.sampled_from([0, 0, SECOND, HOUR, 2 * HOUR, -60 * SECOND, -60 * SECOND - 1]),
        lasts=st.sampled_from([HOUR, 2 * HOUR, 100 * HOUR, MONTH]),
        ends_by_itself=st.booleans(),
    )
    def report_and_acknowledge(self, host: str, home: str, after: int, lasts: int, ends_by_itself: bool) -> None:
        count = len(self.model.reports)
        self.both.report(host, home, "a new variant", after, lasts)
        if len(self.model.reports) > count:
            self.both.step(self.model.reports[-1], "acknowledged")
            ends = self.model.reports[-1]["ends"]
            if ends_by_itself and lasts < 100 * HOUR and self.model.reports[-1]["acknowledged"] is not None:
                self.both.wait(ends - 1 - self.model.now)
                self.both.say_the_same()
                self.both.wait(1)

    @precondition(lambda self: self.model.reports)
    @rule(
        number=st.integers(0, EVERYONE),
        common=st.sampled_from([1, 0, 0]),
        lasts=st.sampled_from([HOUR - 1, HOUR, 2 * HOUR]),
        is_after=st.booleans(),
    )
    def report_next_to(self, number: int, common: int, lasts: int, is_after: bool) -> None:
        """Right after another report of the pair or right before it, with at most a microsecond in common."""
        going_on = [one for one in self.model.reports if one["ends"] > self.model.now] or self.model.reports
        other = going_on[-1 - number % len(going_on)]
        begins = other["ends"] - common if is_after else other["begins"] + common - lasts
        self.both.report(other["host"], other["home"], "and still", begins - self.model.now, lasts)

    @rule(
        host=st.sampled_from(["440000", "540000"]),
        home=st.sampled_from(["420000", "540000"]),
        count=st.integers(2, 10),
        acknowledges=st.booleans(),
        are_apart=st.booleans(),
    )
    def report_many(self, host: str, home: str, count: int, acknowledges: bool, are_apart: bool) -> None:
        """More than a pair may have: at the same time, or one after the other."""
        for number in range(count):
            before = len(self.model.reports)
            self.both.report(host, home, "once more", 2 * HOUR * number * are_apart, 2 * HOUR)
            if acknowledges and len(self.model.reports) > before:
                self.both.step(self.model.reports[-1], "acknowledged")

    @rule(number=st.integers(0, EVERYONE), other=st.integers(0, EVERYONE))
    def ask_for_a_step_again(self, number: int, other: int) -> None:
        self.both.ask_again(number, other)

    @precondition(lambda self: self.model.reports)
    @rule(number=st.integers(0, EVERYONE), done=st.sampled_from(["acknowledged", "withdrawn"]), is_anew=st.booleans())
    def acknowledge_or_withdraw(self, number: int, done: str, is_anew: bool) -> None:
        alive = [one for one in self.model.reports if self.model.state(one) not in ("ENDED", "WITHDRAWN")]
        reports = alive if alive and number % 4 else self.model.reports  # a finished one is refused: now and then
        report = reports[-1 - number // 4 % len(reports)]
        was_done = self.both.step(report, done)
        if was_done and done == "withdrawn" and is_anew:  # the time is free again
            begins = max(report["begins"], self.model.now)
            lasts = report["ends"] - begins
            self.both.report(report["host"], report["home"], "anew", begins - self.model.now, lasts)

    @rule(number=st.integers(0, EVERYONE), beside=st.sampled_from([-1, 0, 0]), is_reports=st.booleans())
    def wait_for_an_edge(self, number: int, beside: int, is_reports: bool) -> None:
        edges = self.model.edges([] if is_reports else self.both.codes, is_reports=is_reports)
        if edges:
            self.both.wait(edges[number % min(len(edges), 6)] + beside - self.model.now)

    @rule(beside=st.sampled_from([0, 0, 1]))
    def outlive_the_trust_list(self, beside: int) -> None:
        passed = self.model.list_ends + LIST_GRACE + beside - self.model.now
        if passed >= 0:
            self.both.add_code(SUBJECTS[0], "GREEN", self.model.now + passed)
            self.both.wait(passed)

    @rule(passed=st.sampled_from([0, 1, SECOND, 40 * SECOND, SKEW, SKEW + 1, LAG, HOUR]))
    def wait(self, passed: int) -> None:
        self.both.wait(passed)

    @rule(
        subject=st.sampled_from(SUBJECTS[:-1]),
        level=st.sampled_from(["GREEN", "GREEN", "YELLOW", "RED", "UNSPECIFIED"]),
        ago=st.sampled_from([0, 0, HOUR, -60 * SECOND, -HOUR]),
        nation=st.sampled_from([None, None, "GREEN", "YELLOW"]),
    )
    def issue(self, subject: tuple[str, str], level: str, ago: int, nation: str | None) -> None:
        self.both.add_code(subject, level, self.model.now - ago)
        if nation is not None:  # a word beside the code's own
            entry = {"subject": subject, "publisher": NATION, "level": nation, "after": 0, "rises": 1}
            self.both.publish([by_the_home | entry])

    @rule()
    def sign_the_trust_list_anew(self) -> None:
        self.both.sign_the_trust_list_anew()

    @rule()
    def restart(self) -> None:
        self.both.restart()

    @invariant()
    def both_say_the_same(self) -> None:
        self.both.say_the_same()


@pytest.mark.hypothesis
@pytest.mark.timeout(0 if DEEP else 500)  # hypothesis takes five minutes at most to make a failure short
def test_the_engine_says_what_the_plain_model_says_after_every_step() -> None:
    run_state_machine_as_test(EngineAgainstModel, settings=SETTINGS)
