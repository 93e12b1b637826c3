"""Alerts about callers: those that are refused, and those that are not there any more."""

from typing import Final

from monitoring.alerts.promql import increase, jump, of_the_past, rate
from monitoring.failed_calls import OVERLOAD
from monitoring.model import Alert, RuleGroup, Severity

_SILENT: Final = (
    'reason=~"request_overdue|request_displaced|request_memory|stream_displaced|stream_memory|answers_full"'
)
"""Calls that were ended since their callers held a place and did nothing. Idle streams (stream_idle) are usual."""
_STRANGER: Final = 'reason="stranger"'
_CODES: Final = "sum by (job) (increase(onecode_verdicts_total{<scope>}[<15m>] offset %s))"

CALLERS = RuleGroup(
    "onecode-callers",
    alerts=(
        Alert(
            "OnecodeOverload",
            # One call in a hundred, and ten in all: a single refused call of a quiet server is no overload.
            f"{rate('onecode_refused_calls_total', '<15m>', OVERLOAD)}\n"
            f"  / {rate('grpc_server_handled_total', '<15m>')} > 0.01\n"
            f"and {increase('onecode_refused_calls_total', '<15m>', OVERLOAD)} >= 10",
            Severity.TICKET,
            "{{ $labels.instance }} refuses {{ $value | humanizePercentage }} of calls for want of capacity",
            "Callers get RESOURCE_EXHAUSTED with the time to come back, and gates wait.",
            ("onecode-overview", "Refused calls"),
            "<15m>",
        ),
        Alert(
            "OnecodeCallersHoldPlaces",
            # One each ten seconds: a few broken connections a day are usual.
            f"{rate('onecode_refused_calls_total', '<15m>', _SILENT)} > 0.1",
            Severity.TICKET,
            '{{ $labels.instance }} ends {{ printf "%.2f" $value }} calls a second whose callers do nothing',
            "Callers open calls and send nothing, or do not take their answers. Others are answered beside them.",
            ("onecode-overview", "Refused calls"),
            "<15m>",
        ),
        Alert(
            "OnecodeStrangersBehindFront",
            f"{increase('onecode_refused_calls_total', '<1h>', _STRANGER)} > 0",
            Severity.TICKET,
            "A process on {{ $labels.instance }} has called the listener behind the native front",
            "That socket has no name and is for the front alone. The call was refused; its caller is on the machine.",
            ("onecode-overview", "Refused calls"),
            "",
        ),
        Alert(
            "OnecodeCallersLimited",
            f"{rate('onecode_limited_calls_total', '<15m>', by='job, role, limit')} > 1",
            Severity.TICKET,
            "Callers with the role {{ $labels.role }} reach their limit ({{ $labels.limit }})",
            "At least one caller asks for more than its role may, and is refused for the rest. Others notice nothing.",
            ("onecode-overview", "Refused calls"),
            "<15m>",
        ),
        Alert(
            "OnecodeUnauthenticatedCalls",
            jump("onecode_unauthenticated_calls_total", 100, "job, reason"),
            Severity.TICKET,
            '{{ printf "%.0f" $value }} callers without an identity in a quarter of an hour ({{ $labels.reason }})',
            "Callers show credentials that do not count. They get UNAUTHENTICATED, and no verdict.",
            ("onecode-overview", "Unauthenticated calls"),
        ),
        Alert(
            "OnecodeNoCodes",
            # The same quarter of an hour of the day or the week before, so that a quiet night is no silence.
            f"{of_the_past('max', 'job', _CODES % '<1d>', _CODES % '<7d>')} >= 100\n"
            f"unless {increase('onecode_verdicts_total', '<15m>', by='job')} > 0",
            Severity.PAGE,
            'No code was checked for a quarter of an hour, but {{ printf "%.0f" $value }} at this time lately',
            "Servers run and nobody reaches them, or none of them is scraped any more.",
            ("onecode-overview", "Codes checked"),
        ),
    ),
)
