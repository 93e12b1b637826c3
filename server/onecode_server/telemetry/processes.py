"""Metrics of a server's processes: of each, and of all together."""

import resource
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_CPU: Final = "process_cpu_seconds_total"
_RESIDENT: Final = "process_resident_memory_bytes"
_OPEN: Final = "process_open_fds"
_OPEN_MAX: Final = "process_max_fds"

Pid = int | str
"""A process id, or ``self``."""


class ProcessMetrics(Collector):
    """``process_…`` of each process by a label ``worker``, without that label for a server of one process, and
    ``onecode_…`` of all together.

    ``processes`` returns the processes that run now, by that label: the slot, or ``supervisor``. A slot's CPU seconds
    begin anew with each worker; those of all together go on, since the system adds those of ended workers to the times
    of this process's children (getrusage(2)).
    """

    def __init__(self, processes: Callable[[], Mapping[str, Pid]]) -> None:
        self._processes = processes
        self._cpu_s = 0.0

    def collect(self) -> Iterable[Metric]:
        """Return the system's metrics of each process that runs now. Nothing but CPU where the system has no /proc."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = {worker: _samples_of(pid) for worker, pid in self._processes().items()}
        merged: dict[str, Metric] = {}
        for worker, families in found.items():
            for family in families:
                shown = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    shown.add_sample(sample.name, {"worker": worker} if worker else {}, sample.value)
        values = [
            {sample.name: sample.value for one in families for sample in one.samples} for families in found.values()
        ]
        return [*merged.values(), *self._of_all(values, ended.ru_utime + ended.ru_stime)]

    def _of_all(self, processes: list[dict[str, float]], ended_s: float) -> Iterable[Metric]:
        cpu_s = ended_s + sum(values.get(_CPU, 0.0) for values in processes)
        # A worker that has ended since the children's times were read is in neither sum for a moment. A counter that
        # falls is one that began anew to Prometheus, which then counts all of it again.
        self._cpu_s = max(self._cpu_s, cpu_s)
        yield CounterMetricFamily(
            "onecode_cpu_seconds", "CPU time of all processes of the server, also of ended ones", value=self._cpu_s
        )
        resident = [values[_RESIDENT] for values in processes if _RESIDENT in values]
        yield GaugeMetricFamily(
            "onecode_resident_bytes",
            "Resident memory of all processes of the server; pages that they share count for each",
            value=sum(resident) if resident else None,
        )
        fullest = max(
            ((values[_OPEN], values[_OPEN_MAX]) for values in processes if {_OPEN, _OPEN_MAX} <= values.keys()),
            key=lambda files: files[0] / max(files[1], 1),
            default=None,
        )
        yield GaugeMetricFamily(
            "onecode_open_files",
            "Open files of the process that is nearest to its limit",
            value=fullest and fullest[0],
        )
        yield GaugeMetricFamily(
            "onecode_open_files_max", "The limit on open files of that process", value=fullest and fullest[1]
        )


def _samples_of(pid: Pid) -> list[Metric]:
    return list(ProcessCollector(pid=lambda: pid, registry=None).collect())
