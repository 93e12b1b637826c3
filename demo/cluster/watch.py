"""Watches the cluster: it shows the state once a second, and does what keys ask for."""

import asyncio
import contextlib
import signal
import sys
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from demo.cluster import keys, screen
from demo.cluster.cluster import Cluster
from demo.cluster.machine import Machine, Report
from demo.cluster.traffic import Traffic

EVENTS_MAX: Final = 6
"""Events that are shown: the newest, so that a window of 30 lines has room for all."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK_S: Final = 1.0
_CAUGHT_UP_S: Final = 60.0
"""The wait at the end for machines that were started again. Only a computer that is busy with other things takes as
long."""


class Watch:
    """Looks at the cluster once a second, shows it, and does what keys ask for."""

    def __init__(self, cluster: Cluster, console: Console) -> None:
        self._cluster, self._console = cluster, console
        self._traffic = Traffic(cluster.machines, cluster.codes)
        self._events: deque[str] = deque(maxlen=EVENTS_MAX)
        self._began_s = time.monotonic()
        self._reports: dict[int, Report | None] = {}
        self._leads: Mapping[int, int] = {}
        self._looked_s, self._answered = self._began_s, dict[int, int]()
        self._ends = asyncio.Event()
        self.signal = 0

    async def run(self, script: list[str | float] | None, seconds: float | None) -> list[str]:
        """Run until the end; return a line for each acknowledged record that a machine lacks."""
        loop, asked = asyncio.get_running_loop(), asyncio.Queue[str](keys.WAITING_MAX)
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupt, number)
        with contextlib.ExitStack() as closing:
            live: Live | None = None
            if self._console.is_terminal and sys.stdin.isatty():
                closing.enter_context(keys.pressed(asked))
                live = closing.enter_context(Live(console=self._console, screen=True, auto_refresh=False))
            work: list[Coroutine[Any, Any, object]]
            work = [self._ends.wait(), self._show(live), self._obey(asked), self._ask_brokers()]
            work += [self._ask(machine) for machine in self._cluster.machines]
            tasks = [asyncio.create_task(one) for one in work]
            player = asyncio.create_task(keys.play(script or [], asked))
            try:
                await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*tasks, player):
                    task.cancel()
                for result in await asyncio.gather(*tasks, player, return_exceptions=True):
                    if isinstance(result, Exception):
                        raise result
                await self._traffic.stop()
        try:
            return [] if self.signal else await self._missing()
        finally:
            await self._traffic.close()

    def _interrupt(self, number: int) -> None:
        self.signal = number
        self._ends.set()

    async def _show(self, live: Live | None) -> None:
        while True:
            view = self._look()
            if live is not None:
                live.update(screen.table(view), refresh=True)
            else:
                print(screen.line(view), flush=True)
            await asyncio.sleep(_LOOK_S)

    async def _obey(self, asked: "asyncio.Queue[str]") -> None:
        while (key := await asked.get()) != "q":
            said = f"{time.monotonic() - self._began_s:.0f} s: {await asyncio.to_thread(self._cluster.act, key)}"
            self._events.append(said)
            if not self._console.is_terminal:
                print(said, flush=True)
            asked.task_done()
        self._ends.set()

    async def _ask(self, machine: Machine) -> None:
        """Ask a machine again and again: one that does not answer holds up no other one."""
        while True:
            self._reports[machine.number] = await asyncio.to_thread(machine.report) if machine.is_running else None
            await asyncio.sleep(_LOOK_S / 2)

    async def _ask_brokers(self) -> None:
        while True:
            self._leads = await asyncio.to_thread(self._cluster.leads)
            await asyncio.sleep(_LOOK_S / 2)

    def _look(self) -> screen.View:
        cluster, traffic, now_s = self._cluster, self._traffic, time.monotonic()
        brokers = [
            screen.BrokerRow(
                node.number,
                "up" if node.answers else "paused" if node.is_running else "killed",
                self._leads.get(node.number),
            )
            for node in cluster.brokers.nodes
        ]
        delays = sorted(traffic.delays_s)
        return screen.View(
            running_s=now_s - self._began_s,
            brokers=brokers,
            machines=self._machines(now_s),
            published=traffic.published,
            refused=traffic.refused,
            seen=traffic.seen,
            delay_p50_s=delays[len(delays) // 2] if delays else None,
            delay_p99_s=delays[len(delays) * 99 // 100] if delays else None,
            statuses={name: traffic.statuses[name] for name in ("CURRENT", "STALE", "UNAVAILABLE", "NONE")},
            events=[*self._events],
        )

    def _machines(self, now_s: float) -> list[screen.MachineRow]:
        reports = [self._reports.get(machine.number) for machine in self._cluster.machines]
        seconds, self._looked_s = max(now_s - self._looked_s, _LOOK_S), now_s
        before, self._answered = self._answered, dict(self._traffic.answered)
        rows = []
        for machine, report, equal in zip(self._cluster.machines, reports, screen.compared(reports), strict=True):
            rate = (self._answered.get(machine.number, 0) - before.get(machine.number, 0)) / seconds
            rows.append(screen.machine_row(machine.number, machine.is_running, report, equal, rate))
        return rows

    async def _missing(self) -> list[str]:
        """Start what is away, wait until all machines are confirmed, and look for what was acknowledged."""
        print("starting what is away, and looking for all acknowledged records on each machine ...", flush=True)
        await asyncio.to_thread(self._cluster.await_whole)
        machines, deadline_s = self._cluster.machines, time.monotonic() + _CAUGHT_UP_S
        while time.monotonic() < deadline_s and not self._ends_early():
            reports = [await asyncio.to_thread(machine.report) for machine in machines]
            ages = [report.confirmed_age_s if report is not None else None for report in reports]
            if all(age is not None and age < 2 * _LOOK_S for age in ages):
                break
            await asyncio.sleep(_LOOK_S / 2)
        missing = await self._traffic.missing(machines)
        count = self._traffic.published
        print(
            f"{count:,} records were acknowledged, {len(missing)} are missing on {len(machines)} machines", flush=True
        )
        return missing

    def _ends_early(self) -> bool:
        return self.signal != 0
