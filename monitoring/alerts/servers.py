"""Alerts about processes: whether servers run, and whether their workers do."""

from monitoring.alerts.promql import SERVER, highest, increase, selector
from monitoring.model import Alert, RuleGroup, Severity

SERVERS = RuleGroup(
    "onecode-servers",
    alerts=(
        Alert(
            "OnecodeDown",
            f"{highest('up')} == 0",
            Severity.PAGE,
            "{{ $labels.instance }} cannot be scraped",
            "The server has ended, its machine or network is gone, or its page for operations refuses Prometheus.",
            ("onecode-overview", "Workers serving"),
        ),
        Alert(
            # The name that dead man's switches know, and not of onecode's: nothing is wrong while it fires.
            "Watchdog",
            f"count by (job) ({selector('up')}) > 0",
            Severity.NONE,
            "Prometheus evaluates rules for {{ $labels.job }}, and Alertmanager is told",
            "It always fires. Where it ends, alerts reach nobody any more.",
            ("onecode-overview", "Alerts firing"),
            "",
        ),
        Alert(
            "OnecodeNoTargets",
            # A server that service discovery has lost has no series of up, which OnecodeDown needs.
            f"count by (job) (last_over_time({selector('up')}[<7d>]))\nunless count by (job) ({selector('up')})",
            Severity.PAGE,
            "Prometheus has no server of {{ $labels.job }} to scrape any more",
            "All servers are gone, or service discovery does not find them. No other alert can fire.",
            ("onecode-overview", "Workers serving"),
        ),
        Alert(
            "OnecodeNotServing",
            f"{highest('onecode_serving_workers')} == 0",
            Severity.PAGE,
            "No worker of {{ $labels.instance }} serves",
            "The server runs and answers no calls: each is UNAVAILABLE, or finds nobody at the port.",
            ("onecode-overview", "Workers serving"),
            "<2m>",
        ),
        Alert(
            "OnecodeWorkersMissing",
            # Each worker that is meant to be has its counter of restarts from the start on.
            f"0 < {highest('onecode_serving_workers')} < count by ({SERVER}) "
            f"({selector('onecode_worker_restarts_total')})",
            Severity.TICKET,
            "Only {{ $value }} of the workers of {{ $labels.instance }} serve",
            "The other workers answer all calls, with less capacity than the server is meant to have.",
            ("onecode-overview", "Workers serving"),
        ),
        Alert(
            "OnecodeWorkersRestart",
            # Three in one place within an hour: whoever restarts workers one after the other does it once.
            f"max by ({SERVER}) (increase({selector('onecode_worker_restarts_total')}[<1h>])) >= 3",
            Severity.TICKET,
            'A worker of {{ $labels.instance }} was replaced {{ printf "%.0f" $value }} times within an hour',
            "Workers end again and again. With each, its connections break and the calls in its queue are lost.",
            ("onecode-overview", "Worker restarts"),
            "",
        ),
        Alert(
            "OnecodeCheckBugs",
            f"{increase('onecode_check_bugs_total', '<1h>')} > 0",
            Severity.TICKET,
            "The check itself failed for codes on {{ $labels.instance }}",
            "Some codes met a bug of the server and were refused, or were checked by the slower general path.",
            ("onecode-overview", "Check bugs"),
            "",
        ),
        Alert(
            "OnecodeFrontFallback",
            # By settings (chosen, unix_socket) or for want of an extension (not_built, as in the image) it is no fault.
            highest(
                "onecode_front_info",
                'front="grpc",reason=~"does_not_load|other_version|self_test"',
                f"{SERVER}, reason",
            )
            + " > 0",
            Severity.TICKET,
            "grpc.aio answers on {{ $labels.instance }} in place of the native front ({{ $labels.reason }})",
            "Answers are the same. A single check takes several times the CPU, so that overload comes sooner.",
            ("onecode-capacity", "Front"),
        ),
        Alert(
            "OnecodeEventLoopLag",
            # 0.25 s is more than twice what the objective of latency leaves for a whole check.
            f"histogram_quantile(0.99, sum by ({SERVER}, le) "
            f"(rate({selector('onecode_event_loop_lag_seconds_bucket')}[<5m>]))) > 0.25",
            Severity.TICKET,
            "The event loop of {{ $labels.instance }} is {{ $value | humanizeDuration }} late",
            "Something holds up the loop on which all calls of a worker are answered, or the process gets no CPU.",
            ("onecode-capacity", "Event-loop lag"),
            "<15m>",
        ),
        Alert(
            "OnecodeOpenFilesNearLimit",
            f"max by ({SERVER}) ({selector('onecode_open_files')} / {selector('onecode_open_files_max')}) > 0.9",
            Severity.TICKET,
            "A worker of {{ $labels.instance }} has {{ $value | humanizePercentage }} of the files that it may open",
            "Once the bound on connections is reached, further callers cannot connect to that worker.",
            ("onecode-capacity", "Open files"),
            "<15m>",
        ),
    ),
)
