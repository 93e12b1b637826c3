"""Worlds in which the alerts of monitoring/alerts/store.py fire, and others in which they do not."""

from monitoring.model import Severity
from tests.promtool import TARGET, Case

PAGE, TICKET, NOTICE = Severity.PAGE, Severity.TICKET, Severity.NOTICE
WRITE_FAULT, DISK = "onecode_store_write_fault", "onecode_store_disk_free_bytes"
MAP, USED = "onecode_store_map_free_bytes", "onecode_store_used_bytes"
HOLES = "onecode_change_feed_holes_total"


def failures(operation: str) -> str:
    return f'onecode_store_failures_total{{operation="{operation}"}}'


def status(status: str) -> str:
    return f'onecode_codes_by_status_total{{status="{status}"}}'


CASES = (
    Case(
        "OnecodeStoreWriteFault",
        PAGE,
        "the disk is full",
        {WRITE_FAULT: "0 1x20"},
        "3m",
        "a:9464 cannot write its store",
    ),
    Case("OnecodeStoreWriteFault", PAGE, "it is written", {WRITE_FAULT: "0x20"}, "20m"),
    Case("OnecodeStoreWriteFault", PAGE, "over within two minutes", {WRITE_FAULT: "0 1 1 0x20"}, "3m"),
    Case(
        "OnecodeStoreFailures",
        TICKET,
        "ten reads in five minutes",
        {failures("read"): "0+2x30"},
        "10m",
        "Calls of the store fail on a:9464 (read)",
        TARGET | {"operation": "read"},
    ),
    Case(
        "OnecodeStoreFailures", TICKET, "less than ten writes in five minutes", {failures("write"): "0+1.96x60"}, "60m"
    ),
    Case("OnecodeStoreFailures", TICKET, "damaged records", {failures("damaged"): "0+5x60"}, "60m"),
    Case(
        "OnecodeStoreDamaged",
        TICKET,
        "one record",
        {failures("damaged"): "0x4 1x60"},
        "5m",
        "Stored data of a:9464 cannot be read",
    ),
    Case("OnecodeStoreDamaged", TICKET, "none for an hour", {failures("damaged"): "2x90"}, "90m"),
    Case("OnecodeStoreDamaged", TICKET, "reads that fail", {failures("read"): "0+2x90"}, "90m"),
    Case(
        "OnecodeStoreDiskFills",
        TICKET,
        "ten gigabytes in less than a day",
        {DISK: "10000000000-10000000x120"},
        "61m",
        "The disk of the store of a:9464 will be full within a day",
    ),
    Case(
        "OnecodeStoreDiskFills",
        TICKET,
        "ten gigabytes in less than a day, twice without an answer of the disk",
        {DISK: "NaN 9990000000-10000000x28 NaN 9690000000-10000000x90"},
        "62m",
        "The disk of the store of a:9464 will be full within a day",
    ),
    Case("OnecodeStoreDiskFills", TICKET, "in more than a day", {DISK: "10000000000-6000000x120"}, "120m"),
    Case(
        "OnecodeStoreDiskFills", TICKET, "it is freed again", {DISK: "9000000000x20 5000000000 9000000000x99"}, "119m"
    ),
    Case(
        "OnecodeStoreDiskNearFull",
        PAGE,
        "less than 256 MiB",
        {DISK: "268435455x20"},
        "5m",
        "The disk of the store of a:9464 has 256MiB left",
    ),
    Case(
        "OnecodeStoreDiskNearFull",
        PAGE,
        "less than 256 MiB, on a disk that answers now and then",
        {DISK: "268435455 NaN NaN 268435455 NaN 268435455x20"},
        "5m",
        "The disk of the store of a:9464 has 256MiB left",
    ),
    Case("OnecodeStoreDiskNearFull", PAGE, "the disk never answers", {DISK: "NaN NaN NaN NaN NaN NaN NaN"}, "6m"),
    Case("OnecodeStoreDiskNearFull", PAGE, "256 MiB", {DISK: "268435456x20"}, "20m"),
    Case(
        "OnecodeStoreMapNearFull",
        TICKET,
        "less than a tenth",
        {MAP: "990x30", USED: "9010x30"},
        "15m",
        "The store of a:9464 has 9.9% of its map left",
    ),
    Case(
        "OnecodeStoreMapNearFull",
        TICKET,
        "less than a tenth, on a disk that answers now and then",
        {MAP: "990x5 NaN NaN 990x30", USED: "9010x5 NaN NaN 9010x30"},
        "15m",
        "The store of a:9464 has 9.9% of its map left",
    ),
    Case("OnecodeStoreMapNearFull", TICKET, "a tenth", {MAP: "1000x30", USED: "9000x30"}, "30m"),
    *(
        case
        for name, severity, which, text in (
            ("OnecodeStatusUnavailable", PAGE, "UNAVAILABLE", "of codes on a:9464 have no status"),
            ("OnecodeStatusStale", TICKET, "STALE", "of codes with a record on a:9464 have a stale status"),
        )
        for case in (
            Case(
                name,
                severity,
                "two codes in a hundred",
                {status(which): "0+2x40", status("CURRENT"): "0+98x40"},
                "10m",
                f"2% {text}",
            ),
            Case(
                name,
                severity,
                "one code in a hundred",
                {status(which): "0+10x40", status("CURRENT"): "0+990x40"},
                "40m",
            ),
            Case(
                name,
                severity,
                "less than ten codes of a quiet server",
                {status(which): "0+1.96x40", status("CURRENT"): "0+1x40"},
                "40m",
            ),
        )
    ),
    Case(
        "OnecodeStatusStale",
        TICKET,
        "each of the few codes with a record",
        {status("STALE"): "0+5x40", status("NONE"): "0+995x40"},
        "7m",
        "100% of codes with a record on a:9464 have a stale status",
    ),
    Case("OnecodeStatusUnavailable", PAGE, "stale", {status("STALE"): "0+50x40", status("CURRENT"): "0+50x40"}, "40m"),
    Case(
        "OnecodeChangeFeedHoles",
        NOTICE,
        "one",
        {HOLES: "0x4 1x60"},
        "5m",
        "a:9464 was more than 100,000 changes behind",
    ),
    Case("OnecodeChangeFeedHoles", NOTICE, "none for an hour", {HOLES: "1x90"}, "90m"),
)
