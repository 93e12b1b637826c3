"""One of the supervisor's slots, which runs a worker or the replicator, and a new one after its end.

A worker is a new program, never a fork: a fork would inherit gRPC's locks, but not the threads that release them.
"""

import asyncio
import json
import logging
import signal
import sys
import time
from contextlib import suppress
from typing import Any, Final

from onecode_server.errors import Misconfigured, OnecodeError
from onecode_server.telemetry.supervisor_metrics import SupervisorMetrics

SILENT_S: Final = 10.0
"""A worker that sends no message for this long hangs, and is killed: it sends one every second, and its longest work on
the loop takes milliseconds."""
STARTING_S: Final = 60.0
"""The same limit until a worker's first message, and until it serves once it has a trust list and a store. A start
takes a second, but many on a busy machine or with a cold store."""
CHECK_S: Final = 1.0
"""The period at which a worker's silence is measured. A time in which this process itself was stopped (SIGSTOP, a
suspended machine) is not the worker's silence: one period counts for two of these at the most."""
SETTLED_S: Final = 10.0
"""A worker that opened everything and lived for this long had no fault of its start: the next one starts at once."""
BACKOFFS_S: Final = (0.0, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
"""The pause of a slot after so many workers in a row that did not live for SETTLED_S. The first costs no time; ten
seconds bound the load of a worker that cannot start on the others, which share its processors."""
TRIES_MAX: Final = 3
"""After so many workers of one slot that end without a message, before any worker has served, the supervisor gives
up."""
REPORT_BYTES_MAX: Final = 64 * 1024
"""The bound on a report, which has some hundred bytes, and names at most twenty entries of the trust list."""
CLOSING_S: Final = 5.0
"""The time from a worker's last message to its end: it has drained by then."""
KILLED_S: Final = 5.0
"""The time from SIGKILL to a process's end. A process that stays longer in the system, such as in a read of a disk that
does not answer, cannot be ended. Its slot stays empty until it has ended: the next worker would hang there too, and
another every minute. A server that ends does not wait for it."""

WORKER: Final = "onecode_server.workers.worker"
REPLICATOR: Final = "onecode_server.workers.replicator"

_log = logging.getLogger(__name__)


class Slot:
    """``name`` is the slot's own, a worker's number from 0 on, and ``worker`` its label everywhere. ``module`` is the
    program that it runs, which gets the name and the settings.

    ``ended_badly`` tells whether its worker, when asked to end, died or was killed before it drained.

    ``ever_served`` is shared by all slots, and set once a worker of any of them served.
    """

    def __init__(
        self,
        name: int | str,
        settings: list[str],
        metrics: SupervisorMetrics,
        ever_served: asyncio.Event,
        module: str = WORKER,
    ) -> None:
        self.name = name
        self.ended_badly = False
        # -P: no module is imported from the directory in which the server was started.
        self._command = [sys.executable, "-P", "-m", module, str(name), *settings]
        self._metrics, self._restarts = metrics, metrics.restarts.labels(str(name))
        self._ever_served = ever_served
        self._ending = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._failures: list[str] = []
        self._report: dict[str, Any] = {}
        self._has_reported, self._silent_s, self._unserved_s = False, 0.0, 0.0
        self.serves = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The worker's process id, None between two workers."""
        return self._process.pid if self._process else None

    @property
    def is_serving(self) -> bool:
        """Whether the worker serves, by its last message."""
        return self.serves.is_set() and self._silent_s < SILENT_S and bool(self._report.get("serving"))

    def report(self) -> dict[str, Any]:
        """Return the worker's last report."""
        return {**self._report, "serving": self.is_serving, "pid": self.pid}

    async def keep(self) -> None:
        """Keep a worker in the slot until ``end`` is called.

        Raises Misconfigured or OnecodeError, with the worker's own message, where it cannot start and no worker ever
        served.
        """
        in_a_row = 0
        while not self._ending.is_set():
            started_s = time.monotonic()
            status = await self._run()
            if self._ending.is_set():
                self._check_ending(status)
                return
            settled = self._has_reported and time.monotonic() - started_s >= SETTLED_S
            was_requested = status == 0 and self.serves.is_set()  # by an operator who restarts workers one by one
            in_a_row = 0 if settled or was_requested else in_a_row + 1
            self.serves.clear()
            self._give_up_where_none_served(status, in_a_row)
            wait_s = BACKOFFS_S[min(in_a_row, len(BACKOFFS_S) - 1)]
            why = {"worker": self.name, **_ending(status), "reported": self._failures, "next_in_s": wait_s}
            _log.error("a worker has ended, and another takes its place", extra=why)
            self._restarts.inc()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), wait_s)

    def end(self) -> None:
        """Ask the worker to drain, and start no other one."""
        self._ending.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the worker at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _run(self) -> int | None:
        """Run one worker, and return its status; None where the system cannot start a process."""
        self._failures, self._has_reported, self._silent_s, self._unserved_s = [], False, 0.0, 0.0
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=REPORT_BYTES_MAX,
                # Ctrl-C of a terminal goes to the supervisor only, which then signals its workers.
                start_new_session=True,
            )
        except OSError as fault:
            self._failures = [f"cannot be started: {fault.strerror}"]
            return None
        ends = [asyncio.create_task(end) for end in (self._listen(self._process), self._watch(self._process.pid))]
        try:
            if self._ending.is_set():
                self._signal(signal.SIGTERM)
            # The end of the pipe alone does not suffice: it stays open with a process that the system does not end.
            ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ended:
                end.result()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), CLOSING_S)
        finally:
            for end in ends:
                end.cancel()
            status = await self._killed(self._process)
            self._process, self._report = None, {}
            self._metrics.forget(self.name)
        return status

    async def _killed(self, process: asyncio.subprocess.Process) -> int | None:
        """Kill a worker, and return its status once it has ended; None where it has not, and the server ends."""
        self.kill()  # most often it has ended
        gone, ending = asyncio.create_task(process.wait()), asyncio.create_task(self._ending.wait())
        try:
            if not (await asyncio.wait({gone}, timeout=KILLED_S))[0]:
                why = {"worker": self.name, "pid": process.pid}
                _log.error("a worker was killed, but its process has not ended", extra=why)
                await asyncio.wait({gone, ending}, return_when=asyncio.FIRST_COMPLETED)
            return gone.result() if gone.done() else None
        finally:
            gone.cancel()
            ending.cancel()

    async def _watch(self, pid: int) -> None:
        """Kill the worker once it has sent no message for too long."""
        checked_s = time.monotonic()
        while True:
            await asyncio.sleep(CHECK_S)
            before_s, checked_s = checked_s, time.monotonic()
            passed_s = min(checked_s - before_s, 2 * CHECK_S)
            self._silent_s += passed_s
            self._unserved_s += passed_s if self._report.get("serving") and not self.serves.is_set() else 0
            late = self._silent_s >= (SILENT_S if self._has_reported else STARTING_S) or self._unserved_s >= STARTING_S
            if late and not self._ending.is_set():  # a drain has a bound of its own
                why = {"worker": self.name, "pid": pid, "silent_s": round(self._silent_s)}
                _log.error("a worker does not answer, and is killed", extra=why)
                self.kill()
                return

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        try:
            while line := await process.stdout.readline():  # type: ignore[union-attr]
                self._receive(json.loads(line))
        except ValueError:  # too long, no JSON, or no object
            self._failures = ["the worker's output is not a report"]
            self.kill()

    def _receive(self, message: Any) -> None:
        if not isinstance(message, dict):
            raise ValueError("no object")
        self._has_reported, self._silent_s = True, 0.0
        self._report = message.get("report", self._report)
        self._failures = message.get("failed", self._failures)
        self._metrics.merge(self.name, message.get("counted", []))
        if message.get("serves"):
            self.serves.set()
            self._ever_served.set()

    def _check_ending(self, status: int | None) -> None:
        """Note the status of a worker that was asked to end. A worker that was still starting may not handle the signal
        yet."""
        was_starting = status == -signal.SIGTERM and not self._has_reported
        if status != 0 and not was_starting:
            self.ended_badly = True
            why = {"worker": self.name, **_ending(status), "reported": self._failures}
            _log.error("a worker that was asked to end did not end cleanly", extra=why)

    def _give_up_where_none_served(self, status: int | None, in_a_row: int) -> None:
        if self._ever_served.is_set():
            return
        if status == 2 and self._failures:
            raise Misconfigured(*self._failures)
        if status == 1 and self._failures:
            raise OnecodeError("; ".join(self._failures))
        if in_a_row >= TRIES_MAX:
            last = " ".join(str(part) for part in _ending(status).values())
            raise OnecodeError(f"no worker started: {TRIES_MAX} in a row ended, the last with status {last}")


def _ending(status: int | None) -> dict[str, Any]:
    """Return a worker's status, and the name of the signal that ended it, if one did."""
    if status is None or status >= 0:
        return {"status": status}
    try:
        return {"status": status, "signal": signal.Signals(-status).name}
    except ValueError:  # a real-time signal, which has a number only
        return {"status": status, "signal": f"SIG{-status}"}
