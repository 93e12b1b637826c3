"""Alerts about the trust list."""

from typing import Final

from monitoring.alerts.promql import DAY_S, highest, lowest
from monitoring.model import Alert, RuleGroup, Severity

# 0 is a server that has taken no list yet: OnecodeNotServing tells that.
_LEFT: Final = f"({lowest('onecode_trust_list_next_update_timestamp_seconds')} > 0) - time()"

TRUST = RuleGroup(
    "onecode-trust",
    alerts=(
        Alert(
            "OnecodeTrustListUnread",
            # --trust-list-unread-max-s: until then the last good list admits, and a file that is replaced is back.
            f"{highest('onecode_trust_list_unread_seconds')} > 30",
            Severity.PAGE,
            "{{ $labels.instance }} has not read the trust list for {{ $value | humanizeDuration }}",
            "Nobody is admitted any more: every ADMIT is CHECK, since the file may hold a revocation.",
            ("onecode-trust", "Trust list"),
            "<1m>",
        ),
        Alert(
            "OnecodeTrustListFault",
            # A file that is not read has an alert of its own.
            f"{highest('onecode_trust_list_fault')} == 1\nand {highest('onecode_trust_list_unread_seconds')} == 0",
            Severity.PAGE,
            "{{ $labels.instance }} has refused the trust list's file",
            "The last good list stays in force. What the new one revokes still counts there.",
            ("onecode-trust", "Trust list"),
        ),
        Alert(
            "OnecodeTrustListExpires",
            f"{_LEFT} < {DAY_S} >= 0",
            Severity.PAGE,
            "The trust list of {{ $labels.instance }} is to be replaced within {{ $value | humanizeDuration }}",
            "A day past its next update (--trust-list-grace-s) the list admits nobody any more.",
            ("onecode-trust", "Trust list next update"),
        ),
        Alert(
            "OnecodeTrustListExpired",
            f"{_LEFT} < 0",
            Severity.PAGE,
            "The trust list of {{ $labels.instance }} should have been replaced",
            "A day past its next update (--trust-list-grace-s) the list admits nobody any more.",
            ("onecode-trust", "Trust list next update"),
            "",
        ),
        Alert(
            "OnecodeTrustListExpires",
            f"{_LEFT} < 7 * {DAY_S} >= {DAY_S}",
            Severity.TICKET,
            "The trust list of {{ $labels.instance }} is to be replaced within {{ $value | humanizeDuration }}",
            "A list that is signed holds for 30 days. No new one has come for more than three weeks.",
            ("onecode-trust", "Trust list next update"),
        ),
        Alert(
            "OnecodeTrustListEntriesSkipped",
            f"{highest('onecode_trust_list_skipped_entries')} > 0",
            Severity.TICKET,
            "Entries of the trust list that {{ $labels.instance }} skips: {{ $value }}",
            "The rest of the list serves. What the entries declare, a region or a key, does not count there.",
            ("onecode-trust", "Trust list"),
        ),
        Alert(
            "OnecodeTrustListVersionsDiffer",
            f"{highest('onecode_trust_list_version', by='job')} - {lowest('onecode_trust_list_version', by='job')} > 0",
            Severity.TICKET,
            "Servers of {{ $labels.job }} have trust lists whose versions differ by {{ $value }}",
            "A new list has reached some servers only. The others still admit what it revokes.",
            ("onecode-trust", "Trust list"),
            "<15m>",
        ),
    ),
)
