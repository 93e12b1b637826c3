"""The metrics of a whole server: of its one process, or merged from the messages of several workers."""

import math
from collections.abc import Callable
from typing import Any, Final

from onecode_server.telemetry.counting import LoopGauge
from onecode_server.telemetry.metrics import Counts, MetricFamilies, Metrics


class ServerMetrics(MetricFamilies):
    """What a server shows besides the metrics of its workers: how many of them serve, and how many were replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.restarts = self._counter(
            "onecode_worker_restarts_total", "Workers started in place of one that had ended, by slot", ("worker",)
        )
        self.serving = self._gauge("onecode_serving_workers", "Workers that serve now", "livesum")


class SingleProcessMetrics(Metrics, ServerMetrics):
    """The metrics of a server of one process. It counts as one worker, so that alerts and dashboards see it as they see
    others; nothing within the server replaces it.

    ``is_serving`` is called on the thread that makes the page, from when ``watch`` was called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.restarts.labels("0")

    def watch(self, is_serving: Callable[[], bool]) -> None:
        """Show as serving what ``is_serving`` returns."""
        self.serving.set_function(lambda: float(is_serving()))


class SupervisorMetrics(ServerMetrics):
    """The metrics of all workers of one server, from their messages, and the supervisor's own.

    A slot's next worker continues the counts of the last one, so that no counter falls. Gauges of a worker that has
    ended are removed, except those with the last value of any worker.
    """

    def __init__(self) -> None:
        super().__init__()
        self._gauges: dict[tuple[str, ...], dict[int | str, float]] = {}  # by name and labels, and by slot

    def merge(self, slot: int | str, counts: Counts) -> None:
        """Add up the counts of a worker. Raises ValueError where they are not a worker's."""
        try:
            for name, labels, value in counts:
                metric: Any = self._all[name]
                child = metric.labels(*labels) if labels else metric
                if isinstance(child, LoopGauge):
                    self._set(child, slot, float(value))
                else:
                    child.add(value)
        except (AttributeError, KeyError, TypeError) as fault:
            raise ValueError("these are not the metrics of a worker") from fault

    def forget(self, slot: int | str) -> None:
        """Remove the gauges of a worker that has ended."""
        for by_slot in self._gauges.values():
            by_slot.pop(slot, None)

    def _set(self, gauge: LoopGauge, slot: int | str, value: float) -> None:
        if gauge._multiprocess_mode == "mostrecent":
            gauge.set(value)
            return
        series = (gauge._name, *gauge._labelvalues)
        by_slot = self._gauges.get(series)
        if by_slot is None:
            by_slot = self._gauges[series] = {}
            gauge.set_function(_merged(by_slot, _MERGES[gauge._multiprocess_mode]))
        by_slot[slot] = value


def _largest(values: list[float]) -> float:
    return max(_known(values), default=math.nan) if values else 0.0


def _smallest(values: list[float]) -> float:
    return min(_known(values), default=math.nan)


def _known(values: list[float]) -> list[float]:
    """Return what workers know: one for which the disk does not answer does not hide what the others see."""
    return [value for value in values if not math.isnan(value)]


_MERGES: Final[dict[str, Callable[[list[float]], float]]] = {"livesum": sum, "livemax": _largest, "livemin": _smallest}


def _merged(by_slot: dict[int | str, float], merge: Callable[[list[float]], float]) -> Callable[[], float]:
    return lambda: merge(list(by_slot.values()))  # a list: the page is made while another worker reports
