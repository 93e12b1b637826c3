"""The replicator's process: it applies the log to the store, and reports to the supervisor as a worker does.

``python -m onecode_server.workers.replicator SLOT NAME=VALUE...``; only a supervisor starts it. It has no event loop:
reading the log and writing the store block one thread, which does nothing else. Standard output carries JSON lines,
standard input ends with the supervisor.

What the log forbids to go on with (a truncated log, a digest that differs, rules of a later version) ends nothing but
the applying: the process stays and says why, statuses grow stale, workers write nothing, and starting again would not
help.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any, Final

from onecode_server.errors import Misconfigured, OnecodeError
from onecode_server.replica import open_replicator
from onecode_server.replication.replicator import CANNOT_GO_ON, Replicator
from onecode_server.replication.rule_versions import KNOWN, RuleVersions
from onecode_server.settings import logs
from onecode_server.settings.config import Settings
from onecode_server.telemetry.log_metrics import ReplicatorMetrics

REPORT_S: Final = 1.0
"""The interval of reports to the supervisor."""

_log = logging.getLogger(__name__)


class _Stop:
    """Set by SIGTERM, and by the end of standard input."""

    def __init__(self) -> None:
        self.event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _, __: self.event.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is the supervisor's
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def _watch(self) -> None:
        with suppress(OSError):
            while os.read(sys.stdin.fileno(), 1):
                pass
        self.event.set()


def _send(**message: Any) -> None:
    with suppress(OSError):  # the supervisor has ended
        os.write(sys.stdout.fileno(), json.dumps(message).encode() + b"\n")


class _Reports:
    """Tells the supervisor once a second how far the log is applied."""

    def __init__(self, replicator: Replicator, metrics: ReplicatorMetrics) -> None:
        self._replicator, self._metrics = replicator, metrics
        self._due_s = time.monotonic()
        self.stopped: str | None = None

    def tell(self) -> None:
        """Send a report, where one is due."""
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + REPORT_S
        state = self._replicator.report()
        report = {**state, "serving": self.stopped is None, "stopped": self.stopped}
        _send(serves=True, report=report, counted=self._metrics.flush())


def _work(settings: Settings, versions: RuleVersions, stop: threading.Event) -> None:
    metrics = ReplicatorMetrics()
    with open_replicator(settings, metrics, versions) as replicator:
        reports = _Reports(replicator, metrics)
        while not stop.is_set():
            reports.tell()
            try:
                replicator.turn()
            except CANNOT_GO_ON as broken:
                _log.critical("the log is applied no further: %s", broken)
                metrics.log_fault.labels("stopped").set(1)
                reports.stopped = str(broken)
                break
        while not stop.wait(REPORT_S):
            reports.tell()


def main(slot: str, *given: str, versions: RuleVersions = KNOWN) -> int:
    """Apply the log by ``versions`` of the rules until SIGTERM, or until the supervisor has ended. Return the process's
    status."""
    stop = _Stop()
    settings = Settings.read(dict(one.split("=", 1) for one in given))
    logs.configure(settings.log_level, worker=slot)
    try:
        _work(settings, versions, stop.event)
    except OnecodeError as failure:
        _send(failed=failure.mistakes if isinstance(failure, Misconfigured) else (str(failure),))
        return 2 if isinstance(failure, Misconfigured) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
