"""All metrics: names, labels, buckets.

Naming rule: ``onecode_`` + what is counted + unit (``_seconds``, ``_total``), or ``_info`` for labels alone, except the
gRPC server's own, which have the names of the gRPC ecosystem's Prometheus middleware, so that its dashboards fit. A
label's values come from enums, the protos or the trust list, never from a caller: a caller that can invent values can
fill a monitoring system.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeVar

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from onecode_server.telemetry.counting import LoopCounter, LoopGauge, LoopHistogram, LoopMetric, children

UNKNOWN_REGION: Final = "unknown"
"""The label for a host outside the trust list, and for the home of a code that is not authentic."""

RPC_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_CHECK_BUCKETS_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_LAG_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_AGE_BUCKETS_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)

_Metric = TypeVar("_Metric", LoopCounter, LoopHistogram, LoopGauge)
_Mode = Literal["livesum", "livemax", "mostrecent"]
"""The merge of a gauge of all workers: their sum, their worst value, or the last value of any. ``live`` excludes
workers that have ended."""

Counts = list[tuple[str, list[str], Any]]
"""Counts of a worker: the metric's name, its labels' values, and the argument of its ``add`` or ``set``."""


def _nothing() -> None:
    """Bring in nothing."""


class MetricFamilies:
    """All metrics, in a registry of their own, and the page that shows them."""

    def __init__(self) -> None:
        self.before_page: Callable[[], None] = _nothing
        """Called before each page, on its thread: it brings in what was counted elsewhere."""
        self.registry = CollectorRegistry()
        self._others = CollectorRegistry()
        self._all: dict[str, LoopMetric] = {}
        self._grpc()
        self._checks()
        self._state()
        self._identities()
        self.show(PlatformCollector(registry=None))

    def show(self, collector: Collector) -> None:
        """Add metrics that another object collects."""
        self.registry.register(collector)
        self._others.register(collector)

    def page(self, is_openmetrics: bool) -> bytes:
        """Return all metrics in Prometheus's text format (0.0.4), or in OpenMetrics (1.0.0)."""
        self.before_page()
        shown: list[str] = []
        for metric in self._all.values():
            name = f"{metric._name}_total" if metric._type == "counter" and not is_openmetrics else metric._name
            shown.append(f"# HELP {name} {metric._documentation}\n# TYPE {name} {metric._type}\n")
            shown.extend(child.text() for child in children(metric))
        others = (openmetrics.generate_latest if is_openmetrics else generate_latest)(self._others)
        return "".join(shown).encode() + others

    def _grpc(self) -> None:
        method = ("grpc_type", "grpc_service", "grpc_method")
        self.rpc_started = self._counter("grpc_server_started_total", "RPCs started on the server", method)
        self.rpc_handled = self._counter(
            "grpc_server_handled_total", "RPCs completed on the server, by status code", (*method, "grpc_code")
        )
        self.rpc_received = self._counter(
            "grpc_server_msg_received_total", "Messages received from clients on the server", method
        )
        self.rpc_sent = self._counter("grpc_server_msg_sent_total", "Messages sent to clients by the server", method)
        self.rpc_seconds = self._histogram(
            "grpc_server_handling_seconds", "Time until an RPC was completed by the server", RPC_BUCKETS_S, method
        )

        self.refused_calls = self._counter(
            "onecode_refused_calls_total",
            "Calls that were refused, or ended before they were done, to bound what callers hold, by reason",
            ("reason",),
        )
        self.limited_calls = self._counter(
            "onecode_limited_calls_total",
            "Calls that were refused since their caller had too many in flight (calls), or asked too fast (rate)",
            ("role", "limit"),
        )
        self.front_info = self._gauge(
            "onecode_front_info",
            "1 for the front that answers, native or grpc; a reason says why it is not the native one",
            "livesum",
            ("front", "reason"),
        )
        self.passed_on = self._counter(
            "onecode_passed_on_calls_total", "Calls that the native front passed on to the listener behind it"
        )
        self.answer_bytes = self._gauge(
            "onecode_held_answer_bytes", "Bytes of large answers that their callers have not taken yet", "livesum"
        )

    def _checks(self) -> None:
        self.verdicts = self._counter(
            "onecode_verdicts_total", "Codes checked, by the answer", ("decision", "authenticity")
        )
        self.scans = self._counter(
            "onecode_scans_total", "Codes checked, by the bearer's home and the host", ("home", "host")
        )
        self.batch_codes = self._histogram(
            "onecode_batch_codes", "Codes that went through the verifier together", _BATCH_BUCKETS
        )
        self.signature_seconds = self._histogram(
            "onecode_signature_check_seconds",
            "Time for one call of the backend",
            _CHECK_BUCKETS_S,
            ("backend",),
        )
        self.signatures = self._counter("onecode_signatures_total", "Signatures checked", ("backend",))
        self.shadow_checks = self._counter(
            "onecode_signature_shadow_checks_total",
            "Signatures that PyNaCl checked too, by outcome",
            ("outcome",),
        )
        self.backend_fault = self._gauge(
            "onecode_signature_backend_fault",
            "1 where PyNaCl checks signatures because the faster backend was wrong",
            "livemax",
        )
        self.check_bugs = self._counter("onecode_check_bugs_total", "Codes refused because the check itself failed")
        self.claim_faults = self._counter(
            "onecode_claim_faults_total",
            "Authentic codes refused for a claim that is not as their region's entry declares, by region and claim",
            ("region", "claim"),
        )
        self.column_codes = self._counter("onecode_column_codes_total", "Codes that were read in columns")
        self.translations = self._counter(
            "onecode_translations_total", "Translations requested, by target and outcome", ("target", "outcome")
        )
        self.gateway_keys_fault = self._gauge(
            "onecode_gateway_keys_fault",
            "1 while a gateway key cannot be read as it is stored, or the token that holds them does not sign",
            "livemax",
        )
        self.queued = self._gauge(
            "onecode_queue_codes", "Codes that wait for the verifier or are being checked", "livesum"
        )
        self.shed = self._counter(
            "onecode_shed_codes_total",
            "Codes refused: queue full, or wait too long. A batch that is refused before it is read counts as none",
        )

    def _state(self) -> None:
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
        self.store_failures = self._counter(
            "onecode_store_failures_total",
            "Store calls that failed or timed out (check_read, read, write), and records that are damaged",
            ("operation",),
        )
        self.store_write_fault = self._gauge(
            "onecode_store_write_fault", "1 while the store cannot be written", "livemax"
        )
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

    def _identities(self) -> None:
        self.unauthenticated = self._counter(
            "onecode_unauthenticated_calls_total", "Callers that were found to have no identity, by reason", ("reason",)
        )
        self.refused_pages = self._counter(
            "onecode_refused_pages_total",
            "Requests for metrics and health that were refused, by reason: no identity, no right, no trust list yet",
            ("reason",),
        )
        refused, fault, file = "onecode_identity_files_refused_total", "onecode_identity_files_fault", ("file",)
        self.identity_files_refused = self._counter(refused, "Files of TLS and of token keys that were refused", file)
        self.identity_files_fault = self._gauge(fault, "1 while such a file cannot be taken", "livemax", file)
        expiry, text = "onecode_tls_certificate_expiry_seconds", "Time until the server's certificate expires, or +Inf"
        self.tls_expiry = self._gauge(expiry, text, "mostrecent")
        self.tls_expiry.set(math.inf)  # without a certificate: 0 would be one that expires now

    def _counter(self, name: str, text: str, labels: Iterable[str] = ()) -> LoopCounter:
        return self._made(LoopCounter(name, text, tuple(labels), registry=self.registry))

    def _gauge(self, name: str, text: str, mode: _Mode, labels: Iterable[str] = ()) -> LoopGauge:
        return self._made(LoopGauge(name, text, tuple(labels), registry=self.registry, multiprocess_mode=mode))

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], labels: Iterable[str] = ()) -> LoopHistogram:
        return self._made(LoopHistogram(name, text, tuple(labels), buckets=buckets, registry=self.registry))

    def _made(self, metric: _Metric) -> _Metric:
        self._all[metric._name] = metric
        return metric


class Metrics(MetricFamilies):
    """The metrics of one process: made once by ``app``, passed to the parts that count."""

    def __init__(self) -> None:
        super().__init__()
        self.show(ProcessCollector(registry=None))

    def flush(self) -> Counts:
        """Return the counts since the last call, and the gauges that have changed, for a supervisor to add up."""
        return [
            (metric._name, list(child._labelvalues), count)
            for metric in self._all.values()
            for child in children(metric)
            if (count := child.flush()) is not None
        ]
