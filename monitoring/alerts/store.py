"""Alerts about the store, its disk, and the statuses that are read from it."""

from typing import Final

from monitoring.alerts.promql import DAY_S, SERVER, highest, increase, known, rate, selector
from monitoring.model import Alert, RuleGroup, Severity

_DISK_BYTES_MIN: Final = 256 * 1024**2
"""A subject takes some 70 bytes of disk: room for three to four million more, which is hours and not weeks."""
_MAP_FREE: Final = f"min by ({SERVER}) ({known('onecode_store_map_free_bytes')})"
_FAILED: Final = 'operation=~"check_read|read|write"'
_DAMAGED: Final = 'operation="damaged"'


def _share(status: str, of: str = "") -> str:
    # One code in a hundred, and ten in all: one damaged record is the matter of its own bearer.
    matchers = f'status="{status}"'
    return (
        f"{rate('onecode_codes_by_status_total', '<5m>', matchers)}\n"
        f"  / {rate('onecode_codes_by_status_total', '<5m>', of)} > 0.01\n"
        f"and {increase('onecode_codes_by_status_total', '<5m>', matchers)} >= 10"
    )


STORE = RuleGroup(
    "onecode-store",
    alerts=(
        Alert(
            "OnecodeStoreWriteFault",
            f"{highest('onecode_store_write_fault')} == 1",
            Severity.PAGE,
            "{{ $labels.instance }} cannot write its store",
            "Checks are answered. Publishers are refused: a RED that is not stored admits its bearer.",
            ("onecode-trust", "Store write fault"),
            "<2m>",
        ),
        Alert(
            "OnecodeStoreFailures",
            f"{increase('onecode_store_failures_total', '<5m>', _FAILED, f'{SERVER}, operation')} >= 10",
            Severity.TICKET,
            "Calls of the store fail on {{ $labels.instance }} ({{ $labels.operation }})",
            "Checks are answered without the store while it fails: STALE, and UNAVAILABLE after five minutes.",
            ("onecode-trust", "Store failures"),
        ),
        Alert(
            "OnecodeStoreDamaged",
            f"{increase('onecode_store_failures_total', '<1h>', _DAMAGED)} > 0",
            Severity.TICKET,
            "Stored data of {{ $labels.instance }} cannot be read",
            "The bearers concerned are not admitted until the store is restored. All others are.",
            ("onecode-trust", "Store failures"),
            "",
        ),
        Alert(
            "OnecodeStoreDiskFills",
            # Without NaN, which the gauge is before its first look and while the disk does not answer: one within the
            # window would make the whole prediction NaN.
            f"min by ({SERVER}) (\n"
            f"  predict_linear(({selector('onecode_store_disk_free_bytes')} >= 0)[<6h>:<1m>], {DAY_S})\n"
            f") < 0",
            Severity.TICKET,
            "The disk of the store of {{ $labels.instance }} will be full within a day",
            "As the last six hours went. Then publishers are refused.",
            ("onecode-trust", "Disk free"),
            "<1h>",
        ),
        Alert(
            "OnecodeStoreDiskNearFull",
            f"min by ({SERVER}) ({known('onecode_store_disk_free_bytes')}) < {_DISK_BYTES_MIN}",
            Severity.PAGE,
            "The disk of the store of {{ $labels.instance }} has {{ $value | humanize1024 }}B left",
            "Once it is full, publishers are refused, and a RED that is not stored admits its bearer.",
            ("onecode-trust", "Disk free"),
        ),
        Alert(
            "OnecodeStoreMapNearFull",
            f"{_MAP_FREE}\n  / ({_MAP_FREE} + max by ({SERVER}) ({known('onecode_store_used_bytes')})) < 0.1",
            Severity.TICKET,
            "The store of {{ $labels.instance }} has {{ $value | humanizePercentage }} of its map left",
            "The map bounds the store at 1 TiB, whatever the disk has. Beyond it publishers are refused.",
            ("onecode-trust", "Map free"),
            "<15m>",
        ),
        Alert(
            "OnecodeStatusUnavailable",
            _share("UNAVAILABLE"),
            Severity.PAGE,
            "{{ $value | humanizePercentage }} of codes on {{ $labels.instance }} have no status",
            "The store has not answered for five minutes. These bearers are sent to a person (CHECK).",
            ("onecode-trust", "Status freshness"),
        ),
        Alert(
            "OnecodeStatusStale",
            # Where few bearers have a record, the others would hide that each record is stale.
            _share("STALE", 'status!="NONE"'),
            Severity.TICKET,
            "{{ $value | humanizePercentage }} of codes with a record on {{ $labels.instance }} have a stale status",
            "The store answers late or now and then. These bearers are sent to a person (CHECK).",
            ("onecode-trust", "Status freshness"),
        ),
        Alert(
            "OnecodeChangeFeedHoles",
            f"{increase('onecode_change_feed_holes_total', '<1h>')} > 0",
            Severity.NOTICE,
            "{{ $labels.instance }} was more than 100,000 changes behind",
            "Its cache of statuses was emptied and is filled again. Answers are right, and take longer meanwhile.",
            ("onecode-trust", "Change feed age"),
            "",
        ),
    ),
)
