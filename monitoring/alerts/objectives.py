"""The two objectives, and alerts by how fast their error budgets are used up.

A budget is the part of calls that may fail within 30 days. At a burn rate of 1 it lasts just so long. The rates and
windows are those of the Site Reliability Workbook (chapter 5, table 5-8): a long window shows that the failure counts,
a short one that it still goes on.
"""

from typing import Final

from monitoring.alerts.promql import rate, selector
from monitoring.failed_calls import failed_calls, failed_ratio
from monitoring.model import Alert, Recording, RuleGroup, Severity

_SHORT: Final = {"1h": "5m", "6h": "30m", "1d": "2h", "3d": "6h"}
"""The short window of each long one."""
_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_FLOOR: Final = 10
"""Failed calls in the long window below which nobody is told. The Python client tries a call four times: fewer than ten
are the mishap of one or two callers, however few calls there were beside them."""

_VERIFY: Final = 'grpc_service="onecode.v1.RecognitionService",grpc_method="Verify"'


def _slow(function: str, window: str) -> str:
    within = selector("grpc_server_handling_seconds_bucket", f'{_VERIFY},le="0.1"')
    return (
        f"sum by (job) ({function}({selector('grpc_server_handling_seconds_count', _VERIFY)}[{window}]))\n"
        f"  - sum by (job) ({function}({within}[{window}]))"
    )


def _recordings() -> tuple[Recording, ...]:
    made = []
    for name in _WINDOWS:
        window = f"<{name}>"
        checks = rate("grpc_server_handling_seconds_count", window, _VERIFY, "job")
        made += [
            Recording(f"job:onecode_failed_calls:ratio_rate{name}", failed_ratio(window, "job")),
            Recording(f"job:onecode_slow_checks:ratio_rate{name}", f"({_slow('rate', window)})\n/ {checks}"),
        ]
        if name in _SHORT:
            made += [
                Recording(f"job:onecode_failed_calls:increase{name}", failed_calls("increase", window, "job")),
                Recording(f"job:onecode_slow_checks:increase{name}", _slow("increase", window)),
            ]
    return tuple(made)


def _burns(metric: str, budget: str, rates: dict[str, str]) -> str:
    def burns(long: str, times: str) -> str:
        over = f"> {times} * {budget}"
        return (
            f"(\n"
            f"  {selector(f'job:{metric}:ratio_rate{long}')} {over}\n"
            f"  and {selector(f'job:{metric}:ratio_rate{_SHORT[long]}')} {over}\n"
            f"  and {selector(f'job:{metric}:increase{long}')} >= {_FLOOR}\n"
            f")"
        )

    return "\nor\n".join(burns(long, times) for long, times in rates.items())


_PAGE: Final = {"1h": "14.4", "6h": "6"}
"""2 % of the budget in an hour, or 5 % in six: it is gone in two days, or in five."""
_TICKET: Final = {"1d": "3", "3d": "1"}
"""10 % of the budget in a day, or in three."""


def _alerts(name: str, metric: str, budget: str, what: str, description: str, panel: str) -> tuple[Alert, ...]:
    return tuple(
        Alert(
            name,
            _burns(metric, budget, rates),
            severity,
            f"{{{{ $value | humanizePercentage }}}} {what}, {pace}",
            description,
            ("onecode-overview", panel),
            wait,
        )
        for severity, rates, pace, wait in (
            (Severity.PAGE, _PAGE, "and the budget of a month is gone within days", "<2m>"),
            (Severity.TICKET, _TICKET, "and the budget of a month will not last", "<1h>"),
        )
    )


OBJECTIVES = RuleGroup(
    "onecode-objectives",
    _recordings(),
    (
        *_alerts(
            "OnecodeAvailabilityBudgetBurns",
            "onecode_failed_calls",
            "0.001",
            "of calls fail by the server's fault",
            "99.9 % of calls are to be answered. Callers whose calls fail repeat them, and then have no verdict.",
            "Failed calls",
        ),
        *_alerts(
            "OnecodeLatencyBudgetBurns",
            "onecode_slow_checks",
            "0.01",
            "of single checks take longer than 0.1 s",
            "99 % of single checks are to be answered within 0.1 s. People queue at gates while they are not.",
            "Latency",
        ),
    ),
)
