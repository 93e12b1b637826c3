"""The first screen: is all well, and if not, where to look."""

from monitoring.model import Dashboard, Kind, Panel, Query, Row, Threshold, Unit

OVERVIEW = Dashboard(
    "onecode-overview",
    "onecode / Overview",
    "Whether callers get right answers in time, and whether the server has to refuse any.",
    (
        Row(
            "Answers",
            (
                Panel(
                    "Codes checked",
                    "Codes checked a second, by decision. REFUSE rising without ADMIT falling is bad codes, not load.",
                    Unit.PER_SECOND,
                    (Query("sum by (decision) (rate(onecode_verdicts_total{<scope>}[<rate>]))", "{{decision}}"),),
                    Kind.STACKED,
                ),
                Panel(
                    "Failed calls",
                    "The part of calls that ended with a code that is the server's fault. Good: below 0.1 %.",
                    Unit.RATIO,
                    (
                        Query(
                            'sum(rate(grpc_server_handled_total{<scope>,grpc_code=~"INTERNAL|UNKNOWN|UNAVAILABLE"}[<rate>]))'
                            " / sum(rate(grpc_server_handled_total{<scope>}[<rate>]))",
                            "failed",
                        ),
                    ),
                    thresholds=(Threshold(0.001), Threshold(0.01, is_critical=True)),
                ),
            ),
        ),
    ),
)
