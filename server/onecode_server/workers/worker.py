"""A worker: a process that serves connections of its supervisor's port, and reports its state to the supervisor.

``python -m onecode_server.workers.worker SLOT NAME=VALUE...``, with the settings as in flags. Only a supervisor starts
it. Standard output carries JSON lines to the supervisor: ``serves``, ``report``, ``counted``, ``failed``. Standard
input carries nothing; its end means that the supervisor has ended. The worker then closes the port at once, and ends
within ``ORPHANED_S``.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any, Final

import uvloop

from onecode_server import app
from onecode_server.errors import Misconfigured, OnecodeError
from onecode_server.settings import logs
from onecode_server.settings.config import Settings
from onecode_server.system.signals import stop_event

SKIPPED_MAX: Final = 20
"""The bound on entries of the trust list that a report names: a list with faults in all of them must not make a line of
megabytes."""
ORPHANED_S: Final = 0.5
"""The time that a worker without a supervisor has left, whatever its drain needs: systemd(1) restarts a service when
all of its processes have ended. The largest batch takes a third of it; other calls break as in a killed worker."""
FLUSH_S: Final = 1.0
"""The time for the last messages. A supervisor reads at once; one that is stopped gets the last second's counts within
this time, or not at all."""


class _Line(asyncio.Protocol):
    """The pipe to the supervisor. ``gone`` is set once the supervisor has closed it."""

    def __init__(self, gone: asyncio.Event) -> None:
        self._gone = gone
        self._out: asyncio.WriteTransport | None = None
        self._written = _Written()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: self, sys.stdin)
        self._out, _ = await loop.connect_write_pipe(lambda: self._written, sys.stdout)

    def connection_lost(self, fault: Exception | None) -> None:
        """Note that the supervisor has ended."""
        self._gone.set()
        # No supervisor is left to kill this process if it does not end. SIGALRM has no handler: the system then ends
        # the process, whatever it does. The store survives that at any time.
        signal.setitimer(signal.ITIMER_REAL, ORPHANED_S)

    @property
    def is_free(self) -> bool:
        """Whether the supervisor has read all messages."""
        return self._out is not None and not self._out.get_write_buffer_size()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, which is lost where the supervisor has ended."""
        if self._out is not None and not self._out.is_closing():
            self._out.write(_encoded(message))

    async def close(self) -> None:
        """Wait until the supervisor has read everything, for ``FLUSH_S`` at the most."""
        if self._out is not None:
            self._out.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._written.ended.wait(), FLUSH_S)


class _Written(asyncio.BaseProtocol):
    """``ended`` is set once everything is written, or can be written no more."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def connection_lost(self, fault: Exception | None) -> None:
        """Note that the pipe is closed."""
        self.ended.set()


def _encoded(message: dict[str, Any]) -> bytes:
    skipped = message.get("report", {}).get("trust_list", {}).get("skipped", [])
    if len(skipped) > SKIPPED_MAX:
        skipped[SKIPPED_MAX:] = [f"and {len(skipped) - SKIPPED_MAX:,} more"]
    return json.dumps(message).encode() + b"\n"


async def _work(settings: Settings) -> None:
    with stop_event(signal.SIGTERM, signal.SIGHUP) as stop:
        line = _Line(stop)
        await line.open()
        try:
            await app.serve_in_slot(settings, stop, line)
        finally:
            await line.close()


def main(slot: str, *given: str) -> int:
    """Serve until SIGTERM, or until the supervisor has ended. Return the process's status."""
    settings = Settings.read(dict(one.split("=", 1) for one in given))
    logs.configure(settings.log_level, worker=int(slot))
    output = os.dup(sys.stdout.fileno())  # the loop closes its own
    try:
        uvloop.run(_work(settings))
    except OnecodeError as failure:
        # Sent rather than printed: all workers would print it, again and again.
        lines = failure.mistakes if isinstance(failure, Misconfigured) else (str(failure),)
        with suppress(OSError):  # the supervisor has ended
            os.write(output, _encoded({"failed": lines}))
        return 2 if isinstance(failure, Misconfigured) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
