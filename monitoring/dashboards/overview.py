"""The first screen: is all well, and if not, where to look."""

from typing import Final

from monitoring.dashboards.glance import GLANCE
from monitoring.dashboards.queries import buckets, busiest, part_of_codes_asked, per_second, quantile, worst
from monitoring.failed_calls import API, failed_ratio
from monitoring.model import Dashboard, Kind, Panel, Query, Row, Threshold, Unit

_ANSWERS: Final = Row(
    "Answers",
    (
        Panel(
            "Codes checked",
            "Codes checked a second, by decision. Good: it follows the traffic of the day. More REFUSE while ADMIT"
            " stays as it is means bad codes; all of them falling means that callers do not get through.",
            Unit.PER_SECOND,
            (per_second("onecode_verdicts_total", "decision"),),
            Kind.STACKED,
        ),
        Panel(
            "Failed calls",
            "The part of calls that ended with a code that is the server's fault (INTERNAL, UNKNOWN, UNAVAILABLE or"
            " DATA_LOSS), or were refused for lack of capacity. Streams that their callers left idle are not among"
            " them. Good: below 0.1 %. Above: read the log for the first error, then the store and the trust"
            " list.",
            Unit.RATIO,
            (Query(failed_ratio("<rate>"), "failed"),),
            thresholds=(Threshold(0.001), Threshold(0.01, is_critical=True)),
        ),
        Panel(
            "Calls by result",
            "Calls that ended a second, by their gRPC code. Good: nearly all OK. Codes that fail a check are answered"
            " with a verdict, so they are OK here too.",
            Unit.PER_SECOND,
            (per_second("grpc_server_handled_total", "grpc_code", API),),
            Kind.STACKED,
        ),
        Panel(
            "Latency",
            "Time in which half, and 99 of 100, of the calls of a method were answered, from the server's side. Good:"
            " 99 of 100 Verify below 0.1 s. A BatchVerify of thousands of codes takes longer and makes no other call"
            " wait.",
            Unit.SECONDS,
            (
                quantile(0.5, "grpc_server_handling_seconds", where='grpc_method="Verify"', legend="Verify p50"),
                quantile(0.99, "grpc_server_handling_seconds", where='grpc_method="Verify"', legend="Verify p99"),
                quantile(
                    0.99, "grpc_server_handling_seconds", where='grpc_method="BatchVerify"', legend="BatchVerify p99"
                ),
            ),
            thresholds=(Threshold(0.1), Threshold(0.5, is_critical=True)),
            width=12,
        ),
        Panel(
            "Latency heat map",
            "Calls a second by the time that they took, of methods with one answer. Good: one dark band below 10 ms. A"
            " second band far above means that some calls wait for the store, or for a full queue.",
            Unit.SECONDS,
            (buckets("grpc_server_handling_seconds", f'grpc_type="unary",{API}'),),
            Kind.HEATMAP,
            width=12,
        ),
    ),
)

_REFUSALS: Final = Row(
    "Refusals",
    (
        Panel(
            "Refused calls",
            "Calls a second that were refused or ended early to bound what callers hold, by reason. Good: 0."
            " queue_full, queue_late and deadline_short mean too little capacity; stranger and stream reasons mean odd"
            " callers.",
            Unit.PER_SECOND,
            (busiest(per_second("onecode_refused_calls_total", "reason")),),
            thresholds=(Threshold(1),),
        ),
        Panel(
            "Refused codes",
            "Codes a second that were refused since the queue was full or the wait too long. Good: 0. Otherwise more"
            " workers are needed, or one caller sends too much.",
            Unit.PER_SECOND,
            (per_second("onecode_shed_codes_total", "instance"),),
            thresholds=(Threshold(1),),
        ),
        Panel(
            "Goodput",
            "The part of the codes asked about that got an answer. Good: 100 %. Below 99.9 % the server is overloaded.",
            Unit.RATIO,
            (part_of_codes_asked("onecode_verdicts_total", "answered"),),
            thresholds=(Threshold(0.999, is_floor=True), Threshold(0.99, is_critical=True, is_floor=True)),
        ),
        Panel(
            "Limited callers",
            "Calls a second that were refused since their caller asks faster than its role may, or has too many calls"
            " in flight. Good: 0. It concerns that caller alone: speak with it, or raise the limit of its role.",
            Unit.PER_SECOND,
            (per_second("onecode_limited_calls_total", "role, limit"),),
            thresholds=(Threshold(1),),
        ),
        Panel(
            "Unauthenticated calls",
            "Callers a second whose certificate or token does not count, by reason, and requests for pages without the"
            " right. Good: close to 0. A jump means"
            " that a certificate or an authority has ended, or that somebody tries.",
            Unit.PER_SECOND,
            (
                busiest(per_second("onecode_unauthenticated_calls_total", "reason")),
                busiest(per_second("onecode_refused_pages_total", "reason", legend="pages: {{reason}}")),
            ),
            thresholds=(Threshold(1),),
        ),
        Panel(
            "Check bugs",
            "Codes a second that were refused because the check itself failed. Good: always 0. Each is a bug of the"
            " server: the log has its traceback.",
            Unit.PER_SECOND,
            (per_second("onecode_check_bugs_total", "instance"),),
            thresholds=(Threshold(1e-9, is_critical=True),),
        ),
    ),
)

_SERVERS: Final = Row(
    "Servers",
    (
        Panel(
            "Workers serving",
            "Workers that serve now, by server. Good: level. A server of one process (--workers 1) counts as one.",
            Unit.COUNT,
            (Query("sum by (instance) (onecode_serving_workers{<scope>})", "{{instance}}"),),
        ),
        Panel(
            "Worker restarts",
            "Workers a second that were started in place of one that had ended. Good: 0 but for a rolling restart. The"
            " log names the signal or the reason; Memory on the Capacity dashboard shows whether it grew.",
            Unit.PER_SECOND,
            (per_second("onecode_worker_restarts_total", "instance"),),
            thresholds=(Threshold(1e-9), Threshold(0.01, is_critical=True)),
        ),
        Panel(
            "Versions",
            "The version of each server. Good: one version, but while a new one is brought out.",
            Unit.COUNT,
            (worst("onecode_info", "instance, version"),),
            Kind.TABLE,
        ),
    ),
)

OVERVIEW: Final = Dashboard(
    "onecode-overview",
    "onecode / Overview",
    "Whether callers get right answers in time, and whether the server has to refuse any.",
    (GLANCE, _ANSWERS, _REFUSALS, _SERVERS),
)
