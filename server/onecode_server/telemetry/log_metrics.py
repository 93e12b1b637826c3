"""Metrics of the log that several machines share.

They have no series where the store is embedded. Workers that follow a log begin some, the process that applies it all
others.
"""

from typing import Final

from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.families import Families

_BATCH_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

APPLIED: Final = ("taken", "known", "refused")
"""What became of a record that was applied: it counts, it was there already, or the rules did not allow it."""
STEPS: Final = ("apply", "commit")
FAULTS: Final = ("stopped", "unreachable", "clock")
"""The replicator has stopped, as it cannot go on without a person; brokers do not answer; this machine's clock and the
log's are more than 30 s apart."""


class LogMetrics(Families):
    """How far this machine has applied the log, how fast, and why it does not go on."""

    def __init__(self) -> None:
        super().__init__()
        self.log_confirmed_age = self._gauge(
            "onecode_log_confirmed_age_seconds",
            "Time since the newest own mark that this machine has applied was sent, by partition; +Inf for none",
            "livemax",
            ("partition",),
        )
        self.log_lag = self._gauge(
            "onecode_log_lag_messages",
            "Messages of the log that this machine has not applied, by partition",
            "livemax",
            ("partition",),
        )
        self.log_applied = self._counter(
            "onecode_log_applied_records_total",
            "Records and steps of the log that this machine has applied, by what became of them",
            ("outcome",),
        )
        self.log_ignored = self._counter(
            "onecode_log_ignored_messages_total",
            "Messages of the log that all machines ignore, by the reason",
            ("reason",),
        )
        self.log_batch_seconds = self._histogram(
            "onecode_log_batch_seconds",
            "Time for applying the messages of one transaction (apply), and for writing it to disk (commit)",
            _BATCH_BUCKETS_S,
            ("operation",),
        )
        self.log_fault = self._gauge(
            "onecode_log_fault",
            "1 while the replicator has stopped, brokers do not answer, or the log's clock is another than ours",
            "livemax",
            ("reason",),
        )


class ReplicatorMetrics(LogMetrics):
    """The metrics of the process that applies the log: its supervisor shows them with those of the workers."""

    def __init__(self) -> None:
        super().__init__()
        begin(self.log_applied, *APPLIED)
        begin(self.log_batch_seconds, *STEPS)
        for fault in FAULTS:
            self.log_fault.labels(fault).set(0)
