"""Rows about statuses and the store that holds them."""

from typing import Final

from monitoring.dashboards.queries import busiest, per_second, quantile, worst
from monitoring.model import Kind, Panel, Query, Row, Threshold, Unit

GIB: Final = 1 << 30

STATUSES: Final = Row(
    "Statuses",
    (
        Panel(
            "Status freshness",
            "Authentic codes a second, by how fresh the status behind the answer was. Good: CURRENT (confirmed within"
            " 5 s) and NONE (no record counts). STALE: the store has not answered for up to 300 s; UNAVAILABLE: for"
            " longer, and ADMIT becomes CHECK.",
            Unit.PER_SECOND,
            (per_second("onecode_codes_by_status_total", "status"),),
            Kind.STACKED,
        ),
        Panel(
            "Status age",
            "Age of the oldest status behind the answers of a call, of half and of 99 in 100 calls. Good: below 5 s.",
            Unit.SECONDS,
            (
                quantile(0.5, "onecode_status_age_seconds", legend="p50"),
                quantile(0.99, "onecode_status_age_seconds", legend="p99"),
            ),
            thresholds=(Threshold(5), Threshold(60, is_critical=True)),
        ),
        Panel(
            "Change feed age",
            "Age of the newest change that a server has read, by server. It rises while nobody publishes, and falls"
            " with each change. Good: all servers of one store show the same.",
            Unit.SECONDS,
            (worst("onecode_change_feed_age_seconds"),),
        ),
        Panel(
            "Change feed holes",
            "Times a second that the feed lacked the next change, after which a server reads all statuses again. Good:"
            " 0. Otherwise it was held up for longer than the feed reaches back.",
            Unit.PER_SECOND,
            (per_second("onecode_change_feed_holes_total", "instance"),),
            thresholds=(Threshold(1e-9),),
        ),
        Panel(
            "Records published",
            "Status records a second that were published here, by outcome. Good: taken leads, known are repetitions."
            " rejected and conflict mean that a publisher sends what it may not, or what contradicts itself.",
            Unit.PER_SECOND,
            (per_second("onecode_published_records_total", "outcome"),),
            Kind.STACKED,
        ),
        Panel(
            "Records by publisher",
            "Status records a second that were published here, by the publisher's role and region. A region that falls"
            " to nothing has lost its way here, or its certificate.",
            Unit.PER_SECOND,
            (busiest(per_second("onecode_published_records_total", "role, region")),),
        ),
    ),
)

STORE: Final = Row(
    "Store",
    (
        Panel(
            "Store write fault",
            "Whether the store cannot be written, by server. Good: no. Checks go on and publishers get UNAVAILABLE; the"
            " log has errno, and the server tries again every 5 s.",
            Unit.FLAG,
            (worst("onecode_store_write_fault"),),
            Kind.NUMBER,
            (Threshold(0.5, is_critical=True),),
        ),
        Panel(
            "Store failures",
            "Store calls a second that failed or took too long, and records that are damaged, by operation. Good: 0."
            " For damaged records run `onecode store check`, and restore a backup.",
            Unit.PER_SECOND,
            (per_second("onecode_store_failures_total", "operation"),),
            thresholds=(Threshold(1e-9), Threshold(1, is_critical=True)),
            width=16,
        ),
        Panel(
            "Disk free",
            "Bytes free in the file system of the store, by server. Good: level, above 1 GiB. At 0 nothing can be"
            " published.",
            Unit.BYTES,
            (Query("min by (instance) (onecode_store_disk_free_bytes{<scope>})", "{{instance}}"),),
            thresholds=(Threshold(GIB, is_floor=True), Threshold(GIB / 4, is_critical=True, is_floor=True)),
        ),
        Panel(
            "Map free",
            "Bytes that the store may still grow by before its map is full, by server. At 0 nothing can be published,"
            " however much of the disk is free.",
            Unit.BYTES,
            (Query("min by (instance) (onecode_store_map_free_bytes{<scope>})", "{{instance}}"),),
            thresholds=(Threshold(GIB, is_floor=True), Threshold(GIB / 4, is_critical=True, is_floor=True)),
        ),
        Panel(
            "Store used",
            "Bytes of the store's data file, by server. Good: it grows with the number of subjects, and then is level.",
            Unit.BYTES,
            (worst("onecode_store_used_bytes"),),
        ),
    ),
)
