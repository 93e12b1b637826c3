"""Own marks: no status is called fresher than what this machine has applied, whatever the log and the reads do."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.confirmed import NEVER_S, Confirmed
from onecode_server.model.partition import ALL, DECISIONS, partition_of
from onecode_server.model.status import Status
from onecode_server.rules.freshness import ABSENT_S, CURRENT_S, DECISIONS_S, STALE_S
from onecode_server.status.cache import StatusCache
from onecode_server.status.own_marks import OwnMarks
from onecode_server.status.table import UNKNOWN
from onecode_server.telemetry.metrics import Metrics

from tests.unit.status.replica import SUBJECTS, Replica

PROPERTY = settings(max_examples=100)
PARTITIONS = sorted({partition_of(subject) for subject in SUBJECTS})
ANNE, BERT = SUBJECTS[0], SUBJECTS[-1]
"""Of different partitions."""
Step = tuple[str, Any]


class Seen(NamedTuple):
    """What the cache says of a subject; the revision is 0 for no record."""

    status: Status
    age_s: int
    revision: int


PASS = st.tuples(st.just("pass"), st.sampled_from([0.2, 1.0, 4.0, 5.0, 26.0, 100.0, 290.0]))
APPLY = st.tuples(st.just("apply"), st.tuples(st.sampled_from(PARTITIONS), st.sampled_from([1, 1, 99])))
STEPS = st.one_of(
    PASS,
    PASS,
    APPLY,
    APPLY,
    st.tuples(st.just("publish"), st.sampled_from(SUBJECTS)),
    st.tuples(st.just("mark"), st.sampled_from(PARTITIONS)),
    st.tuples(st.just("mark"), st.sampled_from(PARTITIONS)),
    st.tuples(st.just("follow"), st.none()),
)
WAYS = st.sampled_from(["lookup", "columns", "simple"])
SOME = st.lists(st.sampled_from(SUBJECTS), min_size=1, unique=True)
LOOKS = st.tuples(st.just("look"), st.tuples(WAYS, SOME, st.lists(st.lists(STEPS, max_size=4), max_size=3)))
LOOKS_ALONE = st.tuples(st.just("look"), st.tuples(WAYS, SOME))
LATER = 1 << 40
"""A time at which all records have taken effect."""

METRICS = Metrics()
"""Of all machines: making them takes longer than an example."""


class Machine:
    """A status cache on a replica, and a clock."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.replica = Replica(lambda: self.now_s)
        self.marks = OwnMarks(lambda: self.now_s, METRICS)
        self.cache = StatusCache(self.replica, lambda: self.now_s, lambda: LATER, METRICS, 10, self.marks)  # type: ignore[arg-type]

    async def do(self, step: Step) -> None:
        """Do a step that looks at nothing."""
        name, what = step
        if name == "pass":
            self.now_s += what
        elif name == "publish":
            self.replica.publish(what)
        elif name == "mark":
            self.replica.mark(what)
        elif name == "apply":
            self.replica.apply(*what)
        else:
            await self.cache.catch_up()

    async def catch_up(self, except_for: int | None = None) -> None:
        """Have all applied, and marks that are sent now, but in one partition; and the feed read."""
        for partition in ALL:
            if partition != except_for:
                self.replica.mark(partition)
                self.replica.apply(partition, 10_000)
        await self.cache.catch_up()

    async def look(self, way: str, subjects: Sequence[bytes], *meanwhile: Sequence[Step]) -> list[Seen]:
        """Return what the cache says of each subject. The first reads of the store take so long that the steps of
        ``meanwhile`` are done."""
        left = list(meanwhile)

        async def happen() -> None:
            for step in left.pop(0) if left else ():
                await self.do(step)

        self.replica.meanwhile = happen
        if way == "columns":
            known = await self.cache.columns(subjects)
            revisions = np.where(known.entries["publisher"] == UNKNOWN, 0, known.entries["effective_at"])
            columns = known.status.tolist(), known.age_s.tolist(), revisions.tolist()
            return [Seen(Status(status), *rest) for status, *rest in zip(*columns, strict=True)]
        simple = self.cache.simple(subjects, LATER) if way == "simple" else [None]
        if all(simple):
            found = (one for one in simple if one is not None)
            return [Seen(Status(status), age_s, effective_at) for _, _, effective_at, _, _, status, age_s in found]
        views = await self.cache.lookup(subjects)
        return [Seen(v.status, v.age_s, v.records[0].revision if v.records else 0) for v in views]


class Plain:
    """The rule, plainly: for each subject the times as of which its entry was confirmed, the one of its read first."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._marks = dict.fromkeys(SUBJECTS, NEVER_S)
        self._followed_at_s = NEVER_S
        self._read_at_s: dict[bytes, float] = {}
        self._revision: dict[bytes, int] = {}
        self._as_of_s: dict[bytes, list[float]] = {}

    def follow(self, now_s: float) -> None:
        """The feed is read: it removes what has changed, and confirms the rest as of the marks that it tells."""
        self._followed_at_s = now_s
        for subject in SUBJECTS:
            self._marks[subject] = self._replica.marked(subject)
            if self._revision.get(subject) not in (None, self._replica.revision(subject)):
                del self._read_at_s[subject], self._revision[subject], self._as_of_s[subject]
            elif subject in self._as_of_s:
                self._as_of_s[subject].append(min(now_s, self._marks[subject]))

    def look(self, subject: bytes, now_s: float) -> tuple[float, bool]:
        """Return the age of a subject's status, and whether the store is read for it."""
        is_due = now_s - self._looked_at_s(subject) > CURRENT_S
        if is_due:
            self._read_at_s[subject], self._revision[subject] = now_s, self._replica.revision(subject)
            self._as_of_s[subject] = [min(now_s, self._marks[subject])]
        as_of_s = self._as_of_s[subject]
        return now_s - (as_of_s[0] if self._has_lapsed(subject) else max(as_of_s)), is_due

    def _looked_at_s(self, subject: bytes) -> float:
        read_at_s = self._read_at_s.get(subject, NEVER_S)
        if read_at_s == NEVER_S or self._has_lapsed(subject):
            return read_at_s
        return max(read_at_s, self._followed_at_s)

    def _has_lapsed(self, subject: bytes) -> bool:
        return not self._revision[subject] and self._followed_at_s - self._read_at_s[subject] > ABSENT_S


@PROPERTY
@given(steps=st.lists(st.one_of(STEPS, STEPS, LOOKS), max_size=40))
def test_no_answer_lacks_what_was_acknowledged_before_its_age_says(steps: list[Step]) -> None:
    async def run() -> None:
        machine = Machine()
        for step in steps:
            if step[0] != "look":
                await machine.do(step)
                continue
            way, subjects, meanwhile = step[1]
            for subject, seen in zip(subjects, await machine.look(way, subjects, *meanwhile), strict=True):
                if seen.status is not Status.UNAVAILABLE:
                    as_of_s = machine.now_s - seen.age_s - 1  # an age is in whole seconds
                    assert seen.revision >= machine.replica.revision_at(subject, as_of_s)
                    assert seen.age_s <= (CURRENT_S if seen.status is Status.CURRENT else STALE_S)
        machine.now_s += CURRENT_S + 1  # an entry that the feed does not confirm is read again
        await machine.catch_up()
        for way in ("lookup", "columns", "simple"):
            newest = [Seen(Status.CURRENT, 0, machine.replica.revision(subject)) for subject in SUBJECTS]
            assert await machine.look(way, SUBJECTS) == newest

    asyncio.run(run())


@PROPERTY
@given(steps=st.lists(st.one_of(STEPS, LOOKS_ALONE), max_size=40))
def test_each_status_has_the_age_and_the_reads_that_the_rule_says(steps: list[Step]) -> None:
    async def run() -> None:
        machine = Machine()
        plain = Plain(machine.replica)
        machine.cache._read_ahead = lambda *_: None  # type: ignore[method-assign]  # it reads beside what is looked up
        for step in steps:
            if step[0] != "look":
                await machine.do(step)
                if step[0] == "follow":
                    plain.follow(machine.now_s)
                continue
            way, subjects = step[1]
            machine.replica.reads.clear()
            shown = await machine.look("lookup" if way == "columns" else way, subjects)
            expected = {subject: plain.look(subject, machine.now_s) for subject in subjects}
            assert {subject for _, subject in machine.replica.reads} == {s for s, (_, read) in expected.items() if read}
            for seen, (age_s, _) in zip(shown, expected.values(), strict=True):
                statuses = (Status.CURRENT, CURRENT_S), (Status.STALE, STALE_S)
                status = next((one for one, limit_s in statuses if age_s <= limit_s), Status.UNAVAILABLE)
                assert (seen.status, seen.age_s) == (status, 0 if status is Status.UNAVAILABLE else int(age_s))
            assert await machine.look("columns", subjects) == shown

    asyncio.run(run())


@pytest.mark.parametrize("feed_is_read", [False, True])
async def test_a_stalled_partition_has_the_store_read_no_more_often_than_one_that_goes_on(feed_is_read: bool) -> None:
    machine = Machine()
    machine.replica.publish(ANNE)
    machine.replica.publish(BERT)
    await machine.catch_up()
    machine.replica.reads.clear()
    for _ in range(200):
        machine.now_s += 0.1
        if feed_is_read:
            await machine.catch_up(except_for=partition_of(ANNE))
        await machine.look("columns", [ANNE, BERT])
        await machine.look("simple", [ANNE, BERT])
    reads = [[when_s for when_s, subject in machine.replica.reads if subject == one] for one in (ANNE, BERT)]
    assert reads[0] == reads[1]
    assert len(reads[0]) == (1 if feed_is_read else 4)


@pytest.mark.parametrize("way", ["lookup", "columns", "simple"])
async def test_a_partition_that_recovers_does_not_confirm_an_entry_that_the_feed_has_overtaken(way: str) -> None:
    machine = Machine()
    await machine.catch_up()
    stalled = partition_of(ANNE)
    for second in range(20):
        machine.now_s += 1
        await machine.catch_up(except_for=stalled)
        if 5 <= second < 8:
            machine.replica.publish(ANNE)
    # While the status is read, its next record is applied and the feed read: so it goes with each repetition. Before
    # the end of the last one, the partition has recovered.
    overtaken: list[Step] = [("apply", (stalled, 1)), ("follow", None)]
    recovered: list[Step] = [("mark", stalled), ("apply", (stalled, 99)), ("follow", None)]
    (seen,) = await machine.look("lookup", [ANNE], overtaken, overtaken, recovered)
    assert seen == Seen(Status.STALE, 20, 2)
    machine.now_s += 1
    await machine.catch_up()
    assert machine.replica.revision(ANNE) == 3
    assert await machine.look(way, [ANNE]) == [Seen(Status.STALE, 21, 2)]
    machine.now_s += CURRENT_S
    await machine.catch_up()
    assert await machine.look(way, [ANNE]) == [Seen(Status.CURRENT, 0, 3)]


async def test_marks_never_go_back_and_each_is_of_its_own_partition() -> None:
    machine = Machine()
    marks, sent_s = machine.marks, [1000.0 - partition for partition in ALL]
    marks.take(Confirmed(tuple(sent_s)))
    marks.take(Confirmed((NEVER_S,) * len(ALL)))
    marks.take(None)
    assert marks.marks == [sent_s[partition_of(bytes([first]))] for first in range(256)]


@pytest.mark.parametrize(("later_s", "holds"), [(0.0, True), (DECISIONS_S, True), (DECISIONS_S + 0.1, False)])
def test_decisions_hold_for_five_minutes_after_the_mark_with_which_they_were_read(later_s: float, holds: bool) -> None:
    machine = Machine()
    marks = machine.marks
    assert not marks.confirms_decisions
    sent_s = [NEVER_S if partition != DECISIONS else machine.now_s for partition in ALL]
    marks.take(Confirmed(tuple(sent_s)))
    assert not marks.confirms_decisions  # the exceptions have not been read
    marks.take_decisions()
    machine.now_s += later_s
    assert marks.confirms_decisions == holds
