"""The view of all workers for operations: their processes, and one report."""

from collections.abc import Sequence
from typing import Any

from onecode_server.telemetry.processes import Pid
from onecode_server.workers.slot import Slot


def processes_of(slots: Sequence[Slot]) -> dict[str, Pid]:
    """Return the supervisor's process and those of the workers that run now, by their label ``worker``."""
    pids = {str(slot.name): pid for slot in slots if (pid := slot.pid) is not None}
    return {"supervisor": "self", **pids}


def report_of(slots: Sequence[Slot], replicators: Sequence[Slot] = ()) -> dict[str, Any]:
    """Return each worker's report, whether all serve, and whether the server is ready: one that serves suffices.

    Where a log is applied, its state stands beside them. It changes nothing of whether calls are answered: where it is
    not applied any more, the answers say STALE, then UNAVAILABLE.
    """
    workers = {str(slot.name): slot.report() for slot in slots}
    serving = [worker["serving"] for worker in workers.values()]
    log = {"log": replicators[0].report()} if replicators else {}
    return {"serving": all(serving), "ready": any(serving), "workers": workers, **log}
