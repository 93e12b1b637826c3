"""The view of all workers for operations: metrics of their processes, and one report."""

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from onecode_server.workers.slot import Slot


class ProcessMetrics(Collector):
    """``process_…`` of the supervisor and of each worker, by a label ``worker``: the slot, or ``supervisor``.

    A slot's CPU seconds begin anew with each worker, as those of a restarted process always do.
    """

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = slots

    def collect(self) -> Iterable[Metric]:
        """Return the system's metrics of each process that runs now."""
        pids: dict[str, int | str | None] = {
            "supervisor": "self",
            **{str(slot.number): slot.pid for slot in self._slots},
        }
        merged: dict[str, Metric] = {}
        for worker, pid in pids.items():
            if pid is None:
                continue
            for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                shown = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    shown.add_sample(sample.name, {"worker": worker}, sample.value)
        return merged.values()


def report_of(slots: Sequence[Slot]) -> dict[str, Any]:
    """Return each worker's report, and whether all serve."""
    workers = {str(slot.number): slot.report() for slot in slots}
    return {
        "serving": all(worker["serving"] for worker in workers.values()),
        "workers": workers,
    }
