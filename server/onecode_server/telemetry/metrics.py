"""All metrics of a server.

Naming rule: ``onecode_`` + what is counted + unit (``_seconds``, ``_total``), or ``_info`` for labels alone, except the
gRPC server's own, which have the names of the gRPC ecosystem's Prometheus middleware, so that its dashboards fit. A
label's values come from enums, the protos or the trust list, never from a caller: a caller that can invent values can
fill a monitoring system. The part that counts shows all series of its counter with 0 from its start: no rate shows the
first count of a series that begins with 1.

``docs/metrics.md`` has each metric and what it is for.
"""

from importlib import metadata
from typing import Final

from onecode_server.telemetry.call_metrics import RPC_BUCKETS_S, CallMetrics
from onecode_server.telemetry.check_metrics import CheckMetrics
from onecode_server.telemetry.families import Counts
from onecode_server.telemetry.log_metrics import LogMetrics
from onecode_server.telemetry.processes import ProcessMetrics
from onecode_server.telemetry.state_metrics import StateMetrics

__all__ = ["RPC_BUCKETS_S", "UNKNOWN_REGION", "Counts", "MetricFamilies", "Metrics"]

UNKNOWN_REGION: Final = "unknown"
"""The label for a host outside the trust list, and for the home of a code that is not authentic."""


class MetricFamilies(CallMetrics, CheckMetrics, StateMetrics, LogMetrics):
    """All metrics but those of processes."""

    def __init__(self) -> None:
        super().__init__()
        info = self._gauge("onecode_info", "1 for the version of the server", "mostrecent", ("version",))
        info.labels(_version()).set(1)


class Metrics(MetricFamilies):
    """The metrics of one process: made once by ``app``, passed to the parts that count."""

    def __init__(self) -> None:
        super().__init__()
        self.show(ProcessMetrics(lambda: {"": "self"}))


def _version() -> str:
    try:
        return metadata.version("onecode")
    except metadata.PackageNotFoundError:  # a source tree that was not installed
        return "unknown"
