"""A row about the log that several machines share: how far each has applied it, and why it does not go on."""

from typing import Final

from monitoring.dashboards.queries import per_second, quantile, worst
from monitoring.model import Kind, Panel, Row, Threshold, Unit

LOG: Final = Row(
    "Log",
    (
        Panel(
            "Log confirmed age",
            "Time since the newest own mark was sent that a server has applied, by partition, of the server that is"
            " furthest behind. Good: below 2 s. Above 5 s the subjects of partitions 0 to 11 are STALE, above 300 s"
            " UNAVAILABLE; above 300 s of partition 12 nobody is admitted. Without a log there is none.",
            Unit.SECONDS,
            (worst("onecode_log_confirmed_age_seconds", "partition"),),
            thresholds=(Threshold(5), Threshold(240, is_critical=True)),
        ),
        Panel(
            "Log lag",
            "Messages of the log that a server has not applied, by partition, of the server that is furthest behind."
            " Good: near 0. It falls while a server catches up; where it rises, the log takes more than it applies.",
            Unit.COUNT,
            (worst("onecode_log_lag_messages", "partition"),),
            thresholds=(Threshold(1000),),
        ),
        Panel(
            "Log fault",
            "Whether the replicator has stopped, brokers do not answer, or the log's clock is another than the"
            " machine's, by server. Good: no. Where the replicator has stopped, its last log line says how to restore.",
            Unit.FLAG,
            (worst("onecode_log_fault", "instance, reason"),),
            Kind.NUMBER,
            (Threshold(0.5, is_critical=True),),
        ),
        Panel(
            "Records applied",
            "Records and steps a second that servers have applied from the log, by outcome; each server applies all."
            " Good: taken leads, and known are repetitions.",
            Unit.PER_SECOND,
            (per_second("onecode_log_applied_records_total", "outcome"),),
            Kind.STACKED,
        ),
        Panel(
            "Log messages ignored",
            "Messages a second that all servers ignore, by reason. Good: repetitions alone, after a fault. A bad"
            " signature or form is a program that may write to the log and is none of the servers.",
            Unit.PER_SECOND,
            (per_second("onecode_log_ignored_messages_total", "reason"),),
            thresholds=(Threshold(1e-9),),
        ),
        Panel(
            "Time of a transaction",
            "Time for applying the messages of one transaction, and for writing it to disk, of 99 in 100. Good: below"
            " 0.1 s for both. Many messages while a server catches up take longer.",
            Unit.SECONDS,
            (quantile(0.99, "onecode_log_batch_seconds", "operation"),),
            thresholds=(Threshold(1),),
        ),
    ),
)
