"""How much of the machine the server uses, and how close it is to its bounds."""

from typing import Final

from monitoring.dashboards.queries import part, per_second, quantile
from monitoring.model import Dashboard, Kind, Panel, Query, Row, Threshold, Unit

MIB: Final = 1 << 20

_PROCESSES: Final = Row(
    "Processes",
    (
        Panel(
            "CPU a code",
            "Seconds of CPU for one code checked, by server. Good: level for the same mix of calls; docs/performance.md"
            " has figures. A step up after a release means that it is slower.",
            Unit.SECONDS,
            (
                Query(
                    "sum by (instance) (rate(onecode_cpu_seconds_total{<scope>}[<rate>]))"
                    " / sum by (instance) (rate(onecode_verdicts_total{<scope>}[<rate>]))",
                    "{{instance}}",
                ),
            ),
        ),
        Panel(
            "CPU",
            "Cores that all processes of a server use. Good: below 70 % of its cores. A worker is one core at most.",
            Unit.CORES,
            (per_second("onecode_cpu_seconds_total", "instance"),),
        ),
        Panel(
            "Memory",
            "Resident bytes of all processes of a server. Good: level some hours after the start: 65 MB a worker to"
            " begin with, and what the status cache takes. A slow rise over days is a leak.",
            Unit.BYTES,
            (Query("sum by (instance) (onecode_resident_bytes{<scope>})", "{{instance}}"),),
        ),
        Panel(
            "Event-loop lag",
            "Delay of timers on the event loop, 99 in 100, by server. Good: below 10 ms. Above, a batch or the machine"
            " holds up all callers of a worker.",
            Unit.SECONDS,
            (quantile(0.99, "onecode_event_loop_lag_seconds", "instance", legend="{{instance}} p99"),),
            thresholds=(Threshold(0.05), Threshold(0.25, is_critical=True)),
        ),
        Panel(
            "Open files",
            "The part of its limit on open files that the worker with the most has open, by server. Good: below 80 %."
            " At its bound a worker closes new connections.",
            Unit.RATIO,
            (
                Query(
                    "max by (instance) (onecode_open_files{<scope>}) / max by (instance)"
                    " (onecode_open_files_max{<scope>})",
                    "{{instance}}",
                ),
            ),
            thresholds=(Threshold(0.8), Threshold(0.9, is_critical=True)),
        ),
        Panel(
            "Held answers",
            "Bytes of large answers that their callers have not taken yet, by server. Good: close to 0. A level that"
            " stays means callers that do not read.",
            Unit.BYTES,
            (Query("sum by (instance) (onecode_held_answer_bytes{<scope>})", "{{instance}}"),),
            thresholds=(Threshold(64 * MIB),),
        ),
    ),
)

_CHECKS: Final = Row(
    "Checks",
    (
        Panel(
            "Codes waiting",
            "Codes that wait for the verifier or are being checked, by server. Good: it returns to 0 between batches. A"
            " level that stays means that more is asked than can be checked.",
            Unit.COUNT,
            (Query("sum by (instance) (onecode_queue_codes{<scope>})", "{{instance}}"),),
        ),
        Panel(
            "Batch sizes",
            "Codes that went through the verifier together: half, and 99 in 100, of the batches. Larger batches cost"
            " less a code. They grow by themselves under load.",
            Unit.COUNT,
            (quantile(0.5, "onecode_batch_codes", legend="p50"), quantile(0.99, "onecode_batch_codes", legend="p99")),
        ),
        Panel(
            "Codes read in columns",
            "The part of codes that were read in columns, the fast way. Good: level for the same mix of callers. It"
            " falls where codes come one by one, or in shapes that are not known.",
            Unit.RATIO,
            (part("onecode_column_codes_total", "onecode_verdicts_total", legend="in columns"),),
        ),
        Panel(
            "Status cache",
            "The part of status look-ups that the cache answered. Good: above 90 % once a server is warm. Each other"
            " one reads the store.",
            Unit.RATIO,
            (
                part(
                    "onecode_status_cache_lookups_total",
                    "onecode_status_cache_lookups_total",
                    'result="hit"',
                    legend="hits",
                ),
            ),
            width=12,
        ),
        Panel(
            "Subjects in the status cache",
            "Subjects whose status a server holds in memory, in all its workers. Good: level. It is bounded, so that"
            " memory is too.",
            Unit.COUNT,
            (Query("sum by (instance) (onecode_status_cache_entries{<scope>})", "{{instance}}"),),
            width=12,
        ),
    ),
)

_CALLS: Final = Row(
    "Calls",
    (
        Panel(
            "Calls started",
            "Calls a second, by method. BatchVerify and StreamVerify cost a server far less a code than Verify.",
            Unit.PER_SECOND,
            (per_second("grpc_server_started_total", "grpc_method"),),
        ),
        Panel(
            "Messages",
            "Messages a second that were received and sent. Far more received than sent means streams whose answers are"
            " not taken.",
            Unit.PER_SECOND,
            (
                per_second("grpc_server_msg_received_total", legend="received"),
                per_second("grpc_server_msg_sent_total", legend="sent"),
            ),
        ),
        Panel(
            "Calls passed on",
            "Calls a second that the native front passed on to grpc.aio behind it, by server. Good: few beside Verify,"
            " BatchVerify and StreamVerify, which it answers itself.",
            Unit.PER_SECOND,
            (per_second("onecode_passed_on_calls_total", "instance"),),
        ),
        Panel(
            "Front",
            "What answers callers, by server, and why it is not the native front. Good: native, or a reason that was"
            " chosen. does_not_load and self_test are faults: the log has more.",
            Unit.COUNT,
            (
                Query(
                    "sum by (instance, front, reason) (onecode_front_info{<scope>})",
                    "{{instance}} {{front}} {{reason}}",
                ),
            ),
            Kind.TABLE,
            width=24,
        ),
    ),
)

CAPACITY: Final = Dashboard(
    "onecode-capacity",
    "onecode / Capacity",
    "How much CPU and memory checks cost, and how close the server is to its bounds.",
    (_PROCESSES, _CHECKS, _CALLS),
)
