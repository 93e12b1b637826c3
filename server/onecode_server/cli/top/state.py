"""The state of servers, from their pages: of one server, or of several together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from onecode_server.cli.top.pages import Interval, quantile, rates, values, values_by

API: Final = "onecode."
"""What the names of the API's services begin with: health and reflection are for probes."""
FAULTS: Final = ("INTERNAL", "UNKNOWN", "DATA_LOSS", "UNAVAILABLE")
"""The codes of calls that are the server's fault. A test holds these and the next two to monitoring/failed_calls.py."""
OVERLOADS: Final = ("queue_full", "queue_late", "deadline_short", "calls_full", "stream_refused")
"""The reasons for which calls are refused since the server lacks capacity: such calls fail as well."""
IDLE: Final = "stream_idle"
"""A stream that its caller left silent ends UNAVAILABLE, which is no fault."""
NOT_CURRENT: Final = ("STALE", "UNAVAILABLE")
"""The statuses of codes with a record that was not confirmed in time. A code without any record (NONE) is no fault."""
_SECONDS: Final = "grpc_server_handling_seconds"
_LAG: Final = "onecode_event_loop_lag_seconds"
NAMES: Final = frozenset(
    {
        f"{_SECONDS}_bucket",
        "grpc_server_handled_total",
        f"{_LAG}_bucket",
        *(
            f"onecode_{name}"
            for name in (
                "change_feed_age_seconds",
                "check_bugs_total",
                "codes_by_status_total",
                "cpu_seconds_total",
                "exceptions_end_timestamp_seconds",
                "exceptions_in_effect",
                "front_info",
                "gateway_keys_fault",
                "identity_files_fault",
                "info",
                "limited_calls_total",
                "log_confirmed_age_seconds",
                "log_fault",
                "queue_codes",
                "refused_calls_total",
                "resident_bytes",
                "serving_workers",
                "shed_codes_total",
                "signature_backend_fault",
                "signature_shadow_checks_total",
                "signatures_total",
                "store_disk_free_bytes",
                "store_failures_total",
                "store_map_free_bytes",
                "store_write_fault",
                "tls_certificate_expiry_seconds",
                "trust_list_age_seconds",
                "trust_list_fault",
                "trust_list_next_update_timestamp_seconds",
                "trust_list_unread_seconds",
                "trust_list_version",
                "unauthenticated_calls_total",
                "verdicts_total",
                "worker_restarts_total",
            )
        ),
    }
)
"""The metrics that are read."""


@dataclass(frozen=True, slots=True)
class State:
    """What is shown of a server, or of several together: rates are sums then, and other values the worst of any.

    The fields are the keys of ``--json``, which docs/operating.md describes. None: the page does not say, or there is
    none. A time that is left is negative once it is over.
    """

    version: tuple[str, ...]
    codes_per_s: float
    verdicts_per_s: Mapping[str, float]
    calls_per_s: float
    failed_calls_per_s: float
    latency_p50_s: float | None
    latency_p99_s: float | None
    event_loop_lag_p99_s: float | None
    queue_codes: float | None
    workers_serving: float | None
    worker_restarts: float
    worker_restarts_per_s: float
    front: Mapping[str, float]
    signatures_per_s: Mapping[str, float]
    signature_backend_fault: bool
    shadow_disagreements: float
    check_bugs: float
    statuses_per_s: Mapping[str, float]
    change_feed_age_s: float | None
    log_confirmed_age_s: float | None
    log_faults: tuple[str, ...]
    exceptions_in_effect: float | None
    exceptions_next_end_s: float | None
    trust_list_version: float | None
    trust_list_age_s: float | None
    trust_list_left_s: float | None
    trust_list_unread_s: float | None
    trust_list_fault: bool
    certificate_left_s: float | None
    identity_files_fault: tuple[str, ...]
    gateway_keys_fault: bool
    refused_calls_per_s: Mapping[str, float]
    limited_calls_per_s: Mapping[str, float]
    unauthenticated_calls_per_s: Mapping[str, float]
    refused_codes_per_s: float
    store_failures_per_s: Mapping[str, float]
    store_write_fault: bool
    store_disk_free_bytes: float | None
    store_map_free_bytes: float | None
    cpu_cores: float | None
    resident_bytes: float | None


def state_of(intervals: Sequence[Interval], now_s: float) -> State:
    """Return the state of the servers whose pages these are. ``now_s`` is the Unix time."""
    verdicts = rates(intervals, "onecode_verdicts_total", "decision")
    handled = _of_api(rates(intervals, "grpc_server_handled_total", "grpc_service", "grpc_code"))
    refused = rates(intervals, "onecode_refused_calls_total", "reason")
    in_effect = [sum(values([one], "onecode_exceptions_in_effect")) for one in intervals]
    ends_s = _least(values(intervals, "onecode_exceptions_end_timestamp_seconds"))
    next_update_s = _least(values(intervals, "onecode_trust_list_next_update_timestamp_seconds"))
    cpu = "onecode_cpu_seconds_total"
    return State(
        version=tuple(sorted(values_by(intervals, "onecode_info", "version"))),
        codes_per_s=sum(verdicts.values()),
        verdicts_per_s={name: verdicts.get(name, 0.0) for name in ("ADMIT", "CHECK", "REFUSE")},
        calls_per_s=sum(handled.values()),
        failed_calls_per_s=_failed(handled, refused),
        latency_p50_s=quantile(intervals, _SECONDS, 0.5, _is_unary),
        latency_p99_s=quantile(intervals, _SECONDS, 0.99, _is_unary),
        event_loop_lag_p99_s=quantile(intervals, _LAG, 0.99, lambda _: True),
        queue_codes=_sum(values(intervals, "onecode_queue_codes")),
        workers_serving=_sum(values(intervals, "onecode_serving_workers")),
        worker_restarts=_total(intervals, "onecode_worker_restarts_total"),
        worker_restarts_per_s=sum(rates(intervals, "onecode_worker_restarts_total").values()),
        front={name.strip(): count for name, count in _some(values_by(intervals, *_FRONT)).items()},
        signatures_per_s=rates(intervals, "onecode_signatures_total", "backend"),
        signature_backend_fault=_is_set(intervals, "onecode_signature_backend_fault"),
        shadow_disagreements=values_by(intervals, *_SHADOW).get("disagreed", 0.0),
        check_bugs=_total(intervals, "onecode_check_bugs_total"),
        statuses_per_s=rates(intervals, "onecode_codes_by_status_total", "status"),
        change_feed_age_s=_most(values(intervals, "onecode_change_feed_age_seconds")),
        log_confirmed_age_s=_most(values(intervals, "onecode_log_confirmed_age_seconds")),
        log_faults=tuple(sorted(_some(values_by(intervals, "onecode_log_fault", "reason")))),
        exceptions_in_effect=_most(in_effect) if values(intervals, "onecode_exceptions_in_effect") else None,
        exceptions_next_end_s=None if ends_s is None else ends_s - now_s,
        trust_list_version=_least(values(intervals, "onecode_trust_list_version")),
        trust_list_age_s=_most(values(intervals, "onecode_trust_list_age_seconds")),
        trust_list_left_s=None if not next_update_s else next_update_s - now_s,
        trust_list_unread_s=_most(values(intervals, "onecode_trust_list_unread_seconds")),
        trust_list_fault=_is_set(intervals, "onecode_trust_list_fault"),
        certificate_left_s=_least(values(intervals, "onecode_tls_certificate_expiry_seconds")),
        identity_files_fault=tuple(sorted(_some(values_by(intervals, "onecode_identity_files_fault", "file")))),
        gateway_keys_fault=_is_set(intervals, "onecode_gateway_keys_fault"),
        refused_calls_per_s=refused,
        limited_calls_per_s=rates(intervals, "onecode_limited_calls_total", "role", "limit"),
        unauthenticated_calls_per_s=rates(intervals, "onecode_unauthenticated_calls_total", "reason"),
        refused_codes_per_s=sum(rates(intervals, "onecode_shed_codes_total").values()),
        store_failures_per_s=rates(intervals, "onecode_store_failures_total", "operation"),
        store_write_fault=_is_set(intervals, "onecode_store_write_fault"),
        store_disk_free_bytes=_least(values(intervals, "onecode_store_disk_free_bytes")),
        store_map_free_bytes=_least(values(intervals, "onecode_store_map_free_bytes")),
        cpu_cores=sum(rates(intervals, cpu).values()) if values(intervals, cpu) else None,
        resident_bytes=_sum(values(intervals, "onecode_resident_bytes")),
    )


_FRONT: Final = ("onecode_front_info", "front", "reason")
_SHADOW: Final = ("onecode_signature_shadow_checks_total", "outcome")


def _of_api(by_service_and_code: Mapping[str, float]) -> dict[str, float]:
    """Return the rates of the API's calls by their code."""
    found: dict[str, float] = {}
    for key, rate in by_service_and_code.items():
        service, _, code = key.partition(" ")
        if service.startswith(API):
            found[code] = found.get(code, 0.0) + rate
    return found


def _failed(handled: Mapping[str, float], refused: Mapping[str, float]) -> float:
    faults = sum(handled.get(code, 0.0) for code in FAULTS)
    overloads = sum(refused.get(reason, 0.0) for reason in OVERLOADS)
    # The page may count a stream as idle before it counts the call as ended.
    return max(faults + overloads - refused.get(IDLE, 0.0), 0.0)


def _is_unary(labels: Mapping[str, str]) -> bool:
    """Whether it is a call of the API that is answered once: streams last as long as their callers like."""
    return labels.get("grpc_type") == "unary" and labels.get("grpc_service", "").startswith(API)


def _is_set(intervals: Sequence[Interval], name: str) -> bool:
    return any(values(intervals, name))


def _total(intervals: Sequence[Interval], name: str) -> float:
    return _sum(values(intervals, name)) or 0.0


def _some(found: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value}


def _sum(found: Sequence[float]) -> float | None:
    return sum(found) if found else None


def _most(found: Iterable[float]) -> float | None:
    return max(found, default=None)


def _least(found: Iterable[float]) -> float | None:
    return min(found, default=None)
