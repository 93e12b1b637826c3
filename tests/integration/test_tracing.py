"""Traces of a real server in a real collector: which spans, under whom, with which links, and nothing of a bearer."""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc, status_pb2, status_pb2_grpc

from tests.integration.deployment import Deployment, Server, command, eventually, free_port

pytest.importorskip(
    "opentelemetry.exporter.otlp.proto.http", reason="OpenTelemetry is missing: pip install 'onecode[otel]'"
)
from tests.traces import Collector, attributes_of

SERVICE = "onecode.v1.RecognitionService"
HOST = "330000"
"""A host that no other part of a call names."""
SUBJECT = "QWX-SUBJECT-778899"
"""An identifier that stands in a code."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def traced(deployment: Deployment, serve: Callable[..., Server], collector: Collector, *flags: object) -> Server:
    return serve(deployment, "--otel-endpoint", collector.url, *flags)


def named(collector: Collector, name: str) -> list[Any]:
    return [span for span in collector.spans() if span.name == name]


def parent(number: int, flags: str = "01") -> tuple[tuple[str, str], ...]:
    """Return the metadata of a caller that traces its call."""
    return (("traceparent", f"00-{number:032x}-{number:016x}-{flags}"),)


@pytest.mark.parametrize("workers", [1, 2])
def test_calls_are_traced_under_their_callers_and_linked_by_the_batches_that_answered_them(
    deployment: Deployment, serve: Callable[..., Server], collector: Collector, workers: int
) -> None:
    codes = deployment.issue("420000", count=32)
    server = traced(deployment, serve, collector, "--workers", workers)
    stub = server.stub()

    def verify(number: int) -> None:
        request = pb.VerifyRequest(code=codes[number - 1], host_region=HOST)
        assert stub.Verify(request, timeout=30, metadata=parent(number)).verdict.decision == pb.DECISION_ADMIT

    with ThreadPoolExecutor(32) as callers:
        list(callers.map(verify, range(1, 33)))
    assert server.end() == 0  # the last spans are sent before it ends
    calls, batches = named(collector, f"{SERVICE}/Verify"), named(collector, "verify batch")
    assert {(int.from_bytes(call.trace_id, "big"), int.from_bytes(call.parent_span_id, "big")) for call in calls} == {
        (number, number) for number in range(1, 33)
    }
    linked = [(link.trace_id, link.span_id) for batch in batches for link in batch.links]
    assert sorted(linked) == sorted((call.trace_id, call.span_id) for call in calls)
    assert {batch.parent_span_id for batch in batches} == {b""}
    assert all(attributes_of(batch.attributes) == {"onecode.codes": len(batch.links)} for batch in batches)
    for call in calls:
        assert attributes_of(call.attributes) == {
            "rpc.system": "grpc",
            "rpc.service": SERVICE,
            "rpc.method": "Verify",
            "rpc.grpc.status_code": 0,
            "onecode.codes": 1,
        }
        assert 0 < call.start_time_unix_nano < call.end_time_unix_nano
    resources = [attributes_of(resource.resource.attributes) for resource in collector.resources()]
    assert {resource["service.name"] for resource in resources} == {"onecode"}


def test_batches_streams_and_translations_are_spans_with_the_number_of_their_codes(
    deployment: Deployment, serve: Callable[..., Server], collector: Collector
) -> None:
    codes = deployment.issue("420000", count=600)
    server = traced(deployment, serve, collector)
    stub = server.stub()
    stub.BatchVerify(pb.BatchVerifyRequest(codes=codes, host_region=HOST), timeout=30)
    stream: Any = (pb.StreamVerifyRequest(code=code, host_region=HOST, request_id=1) for code in codes[:5])
    assert len(list(stub.StreamVerify(stream, timeout=30))) == 5
    stub.Translate(pb.TranslateRequest(code=codes[0], target_region="440000"), timeout=30)
    with pytest.raises(grpc.RpcError):
        stub.Verify(pb.VerifyRequest(code=codes[0], host_region="x"), timeout=30)
    server.health()
    assert server.end() == 0
    found = {
        span.name: (attributes_of(span.attributes).get("onecode.codes"), span.status.code)
        for span in collector.spans()
        if span.name != "verify batch"
    }
    ok = 0  # a server says nothing where it is at no fault
    assert found == {
        f"{SERVICE}/BatchVerify": (600, ok),
        f"{SERVICE}/StreamVerify": (5, ok),
        f"{SERVICE}/Translate": (1, ok),
        f"{SERVICE}/Verify": (None, ok),
        "grpc.health.v1.Health/Check": (None, ok),
    }
    by_call = {span.span_id: span.name for span in collector.spans()}
    batches = named(collector, "verify batch")
    checked: dict[str, int] = {}
    for batch in batches:
        (link,) = batch.links
        checked[by_call[link.span_id]] = (
            checked.get(by_call[link.span_id], 0) + attributes_of(batch.attributes)["onecode.codes"]
        )
    assert checked == {f"{SERVICE}/BatchVerify": 600, f"{SERVICE}/StreamVerify": 5, f"{SERVICE}/Translate": 1}
    (refused,) = named(collector, f"{SERVICE}/Verify")
    assert attributes_of(refused.attributes)["rpc.grpc.status_code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]


def test_nothing_of_a_bearer_is_in_a_trace(
    deployment: Deployment, serve: Callable[..., Server], collector: Collector
) -> None:
    code = deployment.issue("420000", id=SUBJECT)[0]
    server = traced(deployment, serve, collector)
    stub = server.stub()
    state = (("tracestate", f"a={SUBJECT}"), ("baggage", f"a={SUBJECT}"), *parent(7))
    stub.Verify(pb.VerifyRequest(code=code, host_region=HOST), timeout=30, metadata=state)
    stub.BatchVerify(pb.BatchVerifyRequest(codes=[code, b"SUBJECT" + code], host_region=HOST), timeout=30)
    stub.Translate(pb.TranslateRequest(code=code, target_region=HOST), timeout=30)
    subject = status_pb2.SubjectRef(local=status_pb2.LocalSubject(region="420000", id=SUBJECT))
    statuses = status_pb2_grpc.StatusServiceStub(server.channel())
    statuses.GetStatus(status_pb2.GetStatusRequest(subject=subject), timeout=30)
    assert server.end() == 0
    sent = b"".join(collector.requests)
    assert b"RecognitionService/BatchVerify" in sent
    parts = {code, code[:24], code[-24:], SUBJECT.encode(), SUBJECT.encode().hex().encode(), HOST.encode(), b"420000"}
    parts |= {base64.b64encode(SUBJECT.encode()), base64.urlsafe_b64encode(SUBJECT.encode()).rstrip(b"=")}
    assert [part for part in parts if part in sent] == []
    assert SUBJECT not in server.log_file.read_text()


def test_a_caller_that_is_not_traced_or_says_nonsense_has_no_parent(
    deployment: Deployment, serve: Callable[..., Server], collector: Collector, code: bytes
) -> None:
    server = traced(deployment, serve, collector)
    stub = server.stub()
    verify = pb.VerifyRequest(code=code, host_region=HOST)
    stub.Verify(verify, timeout=30, metadata=parent(1, "00"))  # its caller records nothing, and so do we
    good = parent(2)[0][1]
    for value in ("", "x", good[:-1], good.replace("00-", "ff-"), f"{good}-more", "0" * 3000, good.upper() + "G"):
        stub.Verify(verify, timeout=30, metadata=(("traceparent", value),))
    assert server.end() == 0
    calls = named(collector, f"{SERVICE}/Verify")
    assert len(calls) == 7
    assert {call.parent_span_id for call in calls} == {b""}
    assert len(named(collector, "verify batch")) == 7
    assert len({call.trace_id for call in calls}) == 7


def test_a_traced_server_says_why_grpc_answers(
    deployment: Deployment, serve: Callable[..., Server], collector: Collector
) -> None:
    server = traced(deployment, serve, collector, "--front", "auto")
    front = server.healthz()[1]["front"]
    assert (front["name"], front["reason"]) == ("grpc", "tracing")
    assert [line for line in server.log() if "calls are traced, which grpc.aio alone can" in line["message"]]
    assert [line for line in server.log() if line["message"] == f"calls are traced to {collector.url}"]


@pytest.mark.parametrize("way", ["gone", "hangs"])
def test_a_collector_that_does_not_answer_holds_up_neither_calls_nor_the_end(
    deployment: Deployment, serve: Callable[..., Server], code: bytes, way: str
) -> None:
    collector = Collector(hangs=True)
    try:
        url = collector.url if way == "hangs" else f"http://127.0.0.1:{free_port()}"
        server = serve(deployment, "--otel-endpoint", url)
        for _ in range(50):
            assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
        assert server.end() == 0  # within its 30 s, of which a collector has 3
        assert all(isinstance(json.dumps(line), str) for line in server.log())
    finally:
        collector.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_without_the_extra_the_setting_is_one_clear_error(deployment: Deployment, tmp_path: Path, workers: int) -> None:
    missing = tmp_path / "without"
    (missing / "opentelemetry").mkdir(parents=True)
    (missing / "opentelemetry" / "__init__.py").write_text("raise ImportError('not installed')\n")
    loopback = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", workers)
    path = f"{missing}:{':'.join(sys.path)}"
    ended = command(
        *("serve", "--data-dir", deployment.path, *loopback, "--otel-endpoint", "http://127.0.0.1:1"), PYTHONPATH=path
    )
    assert ended.status == 2
    (line,) = (line for line in ended.err.splitlines() if not line.startswith("{"))  # the rest is the log
    assert line == "onecode: --otel-endpoint needs OpenTelemetry: pip install 'onecode[otel]'"


def test_a_server_that_does_not_trace_never_imports_opentelemetry(deployment: Deployment) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from onecode_server import app\n"
        "from onecode_server.settings.config import Settings\n"
        "from onecode_server.settings.values import Address\n"
        "def ready(line):\n"
        "    import os, signal\n"
        "    print(sorted(name for name in sys.modules if name.startswith(('opentelemetry', 'requests'))))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "free = Address('127.0.0.1', 0)\n"
        f"settings = Settings(Path({str(deployment.path)!r}), listen=free, metrics=free, workers=1)\n"
        "asyncio.run(app.serve(settings, ready))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=True)
    assert ended.stdout == "[]\n"


def test_the_proxy_of_the_environment_is_not_used(
    deployment: Deployment, collector: Collector, code: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    server = Server(deployment, "--otel-endpoint", collector.url)
    try:
        server.keep(grpc.insecure_channel(server.address, (("grpc.enable_http_proxy", 0),)))
        stub = recognition_pb2_grpc.RecognitionServiceStub(server._channels[0])
        stub.Verify(pb.VerifyRequest(code=code, host_region=HOST), timeout=30)
        assert eventually(lambda: named(collector, f"{SERVICE}/Verify"), within_s=30)
    finally:
        server.end(signal.SIGKILL)
