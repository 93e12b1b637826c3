"""Alerts about the log that several machines share. Servers with an embedded store have none of these series."""

from typing import Final

from monitoring.alerts.promql import SERVER, highest, increase, selector
from monitoring.model import Alert, RuleGroup, Severity

_PARTITION: Final = f"{SERVER}, partition"
_AGE: Final = highest("onecode_log_confirmed_age_seconds", by=_PARTITION)
_LAG_MIN: Final = 1000
"""A message has up to some hundred records: a server applies a thousand in seconds. Marks alone are one a second."""
_STOPPED: Final = 'reason="stopped"'
_OTHER: Final = 'reason!="stopped"'
_FOREIGN: Final = 'reason!~"applied_before|repeated"'

LOG = RuleGroup(
    "onecode-log",
    alerts=(
        Alert(
            "OnecodeLogNotConfirmed",
            f"{_AGE} > 5",
            Severity.TICKET,
            "{{ $labels.instance }} has not confirmed partition {{ $labels.partition }} for"
            " {{ $value | humanizeDuration }}",
            "Bearers of that partition are sent to a person (CHECK); of partition 12, all are after five minutes.",
            ("onecode-trust", "Log confirmed age"),
            "<1m>",
        ),
        Alert(
            "OnecodeLogNotConfirmed",
            # With the wait it fires at 240 s. A server that has just started has +Inf until its first mark.
            f"{_AGE} > 180",
            Severity.PAGE,
            "{{ $labels.instance }} has not confirmed partition {{ $labels.partition }} for"
            " {{ $value | humanizeDuration }}",
            "After 300 s its statuses no longer count, a RED that it had published neither; of partition 12, nobody is"
            " admitted at all.",
            ("onecode-trust", "Log confirmed age"),
            "<1m>",
        ),
        Alert(
            "OnecodeLogLagGrows",
            f"{highest('onecode_log_lag_messages', by=_PARTITION)} > {_LAG_MIN}\n"
            f"and max by ({_PARTITION}) (deriv({selector('onecode_log_lag_messages')}[<10m>])) > 0",
            Severity.TICKET,
            "{{ $labels.instance }} is {{ $value }} messages behind in partition {{ $labels.partition }}, and more each"
            " minute",
            "The log takes more than this machine applies: what others publish counts here later and later.",
            ("onecode-trust", "Log lag"),
            "<10m>",
        ),
        Alert(
            "OnecodeLogStopped",
            f"{highest('onecode_log_fault', _STOPPED)} == 1",
            Severity.PAGE,
            "{{ $labels.instance }} has stopped applying the log",
            "It cannot go on without a person. Its statuses are STALE, and UNAVAILABLE after five minutes.",
            ("onecode-trust", "Log fault"),
            "",
        ),
        Alert(
            "OnecodeLogFault",
            f"{highest('onecode_log_fault', _OTHER, f'{SERVER}, reason')} == 1",
            Severity.TICKET,
            "{{ $labels.instance }} has a fault of the log ({{ $labels.reason }})",
            "Until it is over, publishers get UNAVAILABLE, or statuses are not confirmed.",
            ("onecode-trust", "Log fault"),
            "<2m>",
        ),
        Alert(
            "OnecodeLogMessagesIgnored",
            f"{increase('onecode_log_ignored_messages_total', '<1h>', _FOREIGN, f'{SERVER}, reason')} > 0",
            Severity.TICKET,
            "{{ $labels.instance }} has ignored messages of the log ({{ $labels.reason }})",
            "No server applies them. Somebody else than the servers can write to the log.",
            ("onecode-trust", "Log messages ignored"),
            "",
        ),
    ),
)
