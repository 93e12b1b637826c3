"""Machines that write while a leader is lost: they go on behind another one, and nothing is lost or there twice."""

import asyncio
import itertools
import secrets
import time
from typing import Any

import pytest

from onecode_server.errors import PreconditionFailed, StoreUnavailable
from onecode_server.log.topics import topic_of
from onecode_server.model.identity import LOCAL
from onecode_server.model.partition import DECISIONS
from onecode_server.recognition.steps import Acknowledge, Report, Withdraw
from onecode_server.rules.publication import Replay
from onecode_server.rules.recognition_exceptions import LASTS_MIN_US
from onecode_server.stores.protocol import Publication, Selection
from onecode_server.system.clock import wall_clock

from tests.unit.replication.cluster import record, subject
from tests.unit.replication.machines import running

RESUMED_S = 10 + 30
"""The ten seconds within which writes go on, and room for a machine that is busy with other things."""
DAY_US = 86_400_000_000
HOST, HOMES = "440000", ("110000", "420000", "430000")
STEPS = 40
WRITERS = 4
"""Writes of a machine beside each other: some are always under way to the leader that is lost."""
BEFORE = 320
"""Records of each machine that are acknowledged before."""


async def again(write):
    """Return what ``write`` comes to, asked again while the log is away; others may write meanwhile."""
    async with asyncio.timeout(2 * RESUMED_S):
        while True:
            try:
                return await write()
            except StoreUnavailable:
                await asyncio.sleep(0.05)


class Publishing:
    """Publishes new records of all status partitions through one machine, until ``stop``."""

    def __init__(self, machine, first):
        self.machine = machine
        self.acknowledged = []
        self.begun_s = 0.0
        """When the newest write that was acknowledged began, by the monotonic clock."""
        self._numbers = itertools.count(first, 2)
        self._ends = False
        self._task = asyncio.gather(*(self._publish() for _ in range(WRITERS)))

    async def _publish(self):
        while not self._ends:
            number = next(self._numbers)
            records = [Publication(subject(first, number), record()) for first in range(0, 256, 16)]
            begun_s = time.monotonic()
            outcomes = await again(lambda records=records: self.machine.writer.write(records))
            assert set(outcomes) <= {None, Replay.KNOWN}
            self.acknowledged += [publication.subject for publication in records]
            self.begun_s = max(self.begun_s, begun_s)
            await asyncio.sleep(0.02)

    async def writes(self, after_s=0.0, count=0):
        """Wait until a write that began after a moment is acknowledged, and so many records in all."""
        async with asyncio.timeout(RESUMED_S):
            while self.begun_s <= after_s or len(self.acknowledged) < count:
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.02)

    async def stop(self):
        """End behind the write that is under way."""
        self._ends = True
        await self._task


@pytest.mark.parametrize("harm", ["kill", "pause"])
async def test_two_machines_write_on_behind_another_leader_and_lose_nothing(log, brokers, tmp_path, harm):
    async with running(tmp_path, log, 2) as machines:
        publishing = [Publishing(machine, number) for number, machine in enumerate(machines)]
        for one in publishing:
            await one.writes(count=BEFORE)
        getattr(brokers.leader_of(*topic_of(log, 5)), harm)()
        lost_s = time.monotonic()
        for one in publishing:
            await one.writes(lost_s)
        for one in publishing:
            await one.stop()
        brokers.restore()
        for machine in machines:
            await machine.confirmed()
        acknowledged = {found for one in publishing for found in one.acknowledged}
        for machine in machines:
            changes = await machine.store.changes(0)
            assert changes.is_complete
            assert len(changes.subjects) == len(set(changes.subjects))
            assert set(changes.subjects) == acknowledged
            assert len(await statuses(machine, acknowledged)) == len(acknowledged)
        assert machines[0].digests() == machines[1].digests()


async def statuses(machine, subjects):
    """Return the records of subjects that have one each."""
    found = (await machine.store.statuses(sorted(subjects))).records
    return [records for records in found if len(records) == 1]


async def attempt(machine, step):
    """Take a step, again and with the same request id where it is not known what became of it. Return its answer, or
    None where the rules refuse it."""
    try:
        return await again(lambda: machine.writer.take(step))
    except PreconditionFailed:
        return None


def drawn():
    """Return an id, of a report or a request."""
    return secrets.token_hex(16)


async def steps_of(machine, times, done, begun):
    """Report, acknowledge and withdraw until so many steps are done: each machine for the same times as the others.
    ``begun`` is set once a quarter of them is done."""
    for turn, home in zip(itertools.count(), itertools.cycle(HOMES)):
        if len(done) >= STEPS:
            return
        if len(done) >= STEPS // 4:
            begun.set()
        begins = times + (turn // len(HOMES) % 4) * DAY_US
        report = Report(LOCAL, drawn(), HOST, home, "the register is away", begins, begins + LASTS_MIN_US, drawn())
        filed = await attempt(machine, report)
        done.append((report, filed))
        if filed is None:
            continue
        acknowledge = Acknowledge(LOCAL, filed.report.id, drawn())
        done.append((acknowledge, await attempt(machine, acknowledge)))
        if turn % 2 == 0 or done[-1][1] is None:
            withdraw = Withdraw(LOCAL, filed.report.id, drawn())
            done.append((withdraw, await attempt(machine, withdraw)))


async def test_steps_of_three_machines_never_overlap_and_count_once_behind_another_leader(
    log, brokers, tmp_path, world
):
    known = await world.store.known_list()
    assert known is not None
    async with running(tmp_path / "machines", log, 3) as machines:
        await machines[0].writer.take_list(known)
        times, begun = wall_clock() + DAY_US, [asyncio.Event() for _ in machines]
        done: list[list[Any]] = [[] for _ in machines]
        async with asyncio.TaskGroup() as taking:
            for number, machine in enumerate(machines):
                taking.create_task(steps_of(machine, times, done[number], begun[number]))
            for event in begun:
                await event.wait()
            brokers.leader_of(*topic_of(log, DECISIONS)).kill()
        for machine in machines:
            await machine.confirmed()
        steps = [one for of_machine in done for one in of_machine]
        assert len(steps) >= 3 * STEPS
        taken = [(step, answer) for step, answer in steps if answer is not None]
        assert len(taken) < len(steps)  # machines were refused what another one had taken
        heads = {machine.store.apply(lambda state: state.audit_head()) for machine in machines}
        assert len(heads) == 1
        assert len({tuple(machine.digests()) for machine in machines}) == 1
        for machine in machines:
            entries = await machine.store.audit(0)
            assert len(entries) == 1 + len(taken)  # the trust list, and each step once
            assert never_overlapped(await machine.store.exceptions(Selection(), None, 1000))
        for number, (step, answer) in enumerate(taken[::7]):
            assert await machines[number % 3].writer.take(step) == answer
        await machines[0].confirmed()
        assert {machines[0].store.apply(lambda state: state.audit_head())} == heads


def never_overlapped(reports):
    """Tell whether no two acknowledged reports of a pair counted for the same time before one was withdrawn."""
    counted = [one for one in reports if one.acknowledged_at is not None]
    assert counted
    return not any(
        one.home == other.home
        and one.effective_from < other.effective_until
        and other.effective_from < one.effective_until
        and max(one.acknowledged_at, other.acknowledged_at)
        < min(report.withdrawn_at or 2**62 for report in (one, other))
        for one, other in itertools.combinations(counted, 2)
    )
