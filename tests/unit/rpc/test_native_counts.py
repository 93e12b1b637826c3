"""What the front has counted shows under the names of grpc.aio's calls."""

from typing import Any, NamedTuple

from onecode_server.rpc.native_counts import NativeCounts
from onecode_server.telemetry.metrics import RPC_BUCKETS_S, Metrics

METHOD = {"grpc_type": "unary", "grpc_service": "onecode.v1.RecognitionService", "grpc_method": "Verify"}


class Counted(NamedTuple):
    """The counts of a front, as the extension returns them."""

    methods: dict[str, tuple[int, int, int, dict[int, int], list[int], float]]
    refused: dict[str, int]
    denied: dict[str, int]
    passed_on: int
    shed_codes: int


def counted(**changes: Any) -> Any:
    latencies = [0] * (len(RPC_BUCKETS_S) + 1)
    latencies[0], latencies[-1] = 2, 1
    calls = (4, 3, 2, {0: 2, 4: 1}, latencies, 7.5)
    refused, denied = {"queue_full": 5, "caller_denied": 9}, {"TOKEN_EXPIRED": 8, "NOT_PERMITTED": 1}
    return Counted({"Verify": calls}, refused, denied, 6, 7)._replace(**changes)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_counts_are_added_to_the_metrics_of_the_method() -> None:
    metrics = Metrics()
    counts = NativeCounts(metrics)
    counts.add(counted())
    counts.add(counted())
    assert value(metrics, "grpc_server_started_total", **METHOD) == 8
    assert value(metrics, "grpc_server_msg_received_total", **METHOD) == 6
    assert value(metrics, "grpc_server_msg_sent_total", **METHOD) == 4
    assert value(metrics, "grpc_server_handled_total", **METHOD, grpc_code="OK") == 4
    assert value(metrics, "grpc_server_handled_total", **METHOD, grpc_code="DEADLINE_EXCEEDED") == 2
    assert value(metrics, "grpc_server_handling_seconds_count", **METHOD) == 6
    assert value(metrics, "grpc_server_handling_seconds_sum", **METHOD) == 15
    assert value(metrics, "grpc_server_handling_seconds_bucket", **METHOD, le="0.0005") == 4
    assert value(metrics, "onecode_refused_calls_total", reason="queue_full") == 10
    assert value(metrics, "onecode_refused_calls_total", reason="caller_denied") == 18
    assert value(metrics, "onecode_unauthenticated_calls_total", reason="TOKEN_EXPIRED") == 16
    assert value(metrics, "onecode_unauthenticated_calls_total", reason="NOT_PERMITTED") is None
    assert value(metrics, "onecode_passed_on_calls_total") == 12
    assert value(metrics, "onecode_shed_codes_total") == 14


def test_a_method_shows_0_before_its_first_call() -> None:
    metrics = Metrics()
    NativeCounts(metrics)
    for method, kind in (("Verify", "unary"), ("BatchVerify", "unary"), ("StreamVerify", "bidi_stream")):
        labels = METHOD | {"grpc_type": kind, "grpc_method": method}
        assert value(metrics, "grpc_server_started_total", **labels) == 0
