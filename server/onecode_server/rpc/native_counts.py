"""Tells the metrics what the native front has counted, in bulk: its calls never touch a metric one by one."""

from typing import TYPE_CHECKING, Final

import grpc

from onecode.v1 import recognition_pb2
from onecode_server.identity.refusals import Refusal
from onecode_server.rpc.failures import CODES
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics

if TYPE_CHECKING:  # tests stand in for it where it was not built
    from onecode_server.rpc._front import Counts

_SERVICE: Final = recognition_pb2.DESCRIPTOR.services_by_name["RecognitionService"].full_name
_LABELS: Final = {
    name: (kind, _SERVICE, name)
    for name, kind in (("Verify", "unary"), ("BatchVerify", "unary"), ("StreamVerify", "bidi_stream"))
}
_CODES: Final = {code.value[0]: code.name for code in grpc.StatusCode}


class NativeCounts:
    """The metrics of one front, under the names that grpc.aio's calls have."""

    def __init__(self, metrics: Metrics) -> None:
        """Prepare. The first count of each method may be 0: in a series that begins with 1, no rate shows it."""
        self._metrics = metrics
        for labels in _LABELS.values():
            for metric in (metrics.rpc_started, metrics.rpc_received, metrics.rpc_sent, metrics.rpc_seconds):
                metric.labels(*labels)
            begin(metrics.rpc_handled, *((*labels, code.name) for code in CODES))

    def add(self, counts: "Counts") -> None:
        """Add what was counted since the last time."""
        metrics = self._metrics
        for name, (started, received, sent, handled, latencies, seconds) in counts.methods.items():
            labels = _LABELS[name]
            metrics.rpc_started.labels(*labels).inc(started)
            metrics.rpc_received.labels(*labels).inc(received)
            metrics.rpc_sent.labels(*labels).inc(sent)
            metrics.rpc_seconds.labels(*labels).add([*latencies, seconds])
            for code, count in handled.items():
                metrics.rpc_handled.labels(*labels, _CODES[code]).inc(count)
        for reason, count in counts.refused.items():
            metrics.refused_calls.labels(reason).inc(count)
        for kind, count in counts.denied.items():
            if kind in Refusal.__members__:
                metrics.unauthenticated.labels(kind).inc(count)
        metrics.passed_on.inc(counts.passed_on)
        metrics.shed.inc(counts.shed_codes)
