"""Metrics of what answers rest on: statuses, the store, the trust list, recognition exceptions, keys."""

import math
from typing import Final

from onecode_server.telemetry.families import Families

_LAG_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_AGE_BUCKETS_S: Final = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)


class StateMetrics(Families):
    """The state of a server's parts, as gauges, and what they have counted."""

    def __init__(self) -> None:
        super().__init__()
        self._status()
        self._store()
        self._trust_list()
        self._regions()

    def _status(self) -> None:
        self.cache_lookups = self._counter(
            "onecode_status_cache_lookups_total", "Status lookups, by cache result", ("result",)
        )
        self.cache_entries = self._gauge("onecode_status_cache_entries", "Subjects in the status cache", "livesum")
        self.status_age = self._histogram(
            "onecode_status_age_seconds", "Age of the oldest status behind the answers of a call", _AGE_BUCKETS_S
        )
        self.feed_age = self._gauge(
            "onecode_change_feed_age_seconds", "Age of the newest change that was read", "livemax"
        )
        self.feed_holes = self._counter("onecode_change_feed_holes_total", "Times that the feed lacked the next change")
        self.published = self._counter(
            "onecode_published_records_total",
            "Status records published here: taken, known, superseded, conflict or rejected; by who published them",
            ("outcome", "role", "region"),
        )
        self.loop_lag = self._histogram(
            "onecode_event_loop_lag_seconds", "Delay of timers on the event loop", _LAG_BUCKETS_S
        )

    def _store(self) -> None:
        self.store_failures = self._counter(
            "onecode_store_failures_total",
            "Store calls that failed or timed out (check_read, read, write), and records that are damaged",
            ("operation",),
        )
        self.store_write_fault = self._gauge(
            "onecode_store_write_fault", "1 while the store cannot be written", "livemax"
        )
        # Not known until the disk was asked, nor where it does not answer: 0 would be a disk that is full.
        self.disk_free = self._gauge(
            "onecode_store_disk_free_bytes", "Bytes free on the file system of the store, or NaN", "livemin"
        )
        self.map_free = self._gauge(
            "onecode_store_map_free_bytes",
            "Bytes by which the store's data file may grow within its map, or NaN",
            "livemin",
        )
        self.store_used = self._gauge("onecode_store_used_bytes", "Bytes of the store's data file, or NaN", "livemax")
        for gauge in (self.disk_free, self.map_free, self.store_used):
            gauge.set(math.nan)

    def _trust_list(self) -> None:
        # A worker that has just started has taken no list yet: the smallest version would be 0 then, and the earliest
        # next update 1970. The last value holds for all workers within half a second, or onecode_trust_list_fault is 1.
        self.list_version = self._gauge(
            "onecode_trust_list_version", "Version of the trust list in force", "mostrecent"
        )
        self.list_issued = self._gauge(
            "onecode_trust_list_issued_timestamp_seconds", "When the trust list in force was issued", "mostrecent"
        )
        self.list_next_update = self._gauge(
            "onecode_trust_list_next_update_timestamp_seconds",
            "When the trust list in force should be replaced",
            "mostrecent",
        )
        self.list_age = self._gauge(
            "onecode_trust_list_age_seconds", "Time since the trust list in force was issued", "livemax"
        )
        self.list_skipped = self._gauge(
            "onecode_trust_list_skipped_entries", "Entries of the trust list in force that were skipped", "livemax"
        )
        self.list_refused = self._counter(
            "onecode_trust_list_refused_total", "Trust-list files that were refused or could not be read"
        )
        self.list_fault = self._gauge(
            "onecode_trust_list_fault",
            "1 while the trust-list file cannot be read, or is one that was refused",
            "livemax",
        )
        self.list_unread = self._gauge(
            "onecode_trust_list_unread_seconds",
            "How long the trust-list file has been missing, unreadable or not the root's; 0 while it is read",
            "livemax",
        )

    def _regions(self) -> None:
        self.keys_end = self._gauge(
            "onecode_region_keys_end_timestamp_seconds",
            "When the last key of a region and role ends by the trust list: +Inf for no end, 0 where all are revoked",
            "mostrecent",
            ("region", "role"),
        )
        self.exceptions = self._gauge(
            "onecode_exceptions_in_effect",
            "Recognition exceptions that are in effect, by their host",
            "livemax",
            ("host",),
        )
        self.exceptions_end = self._gauge(
            "onecode_exceptions_end_timestamp_seconds",
            "When the first of a host's recognition exceptions in effect ends; +Inf where none is",
            "livemin",
            ("host",),
        )
