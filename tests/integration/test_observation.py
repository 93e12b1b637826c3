"""What operations see: metrics whose labels no caller can invent, and logs that hold no code, no subject and no key."""

import base64
import json
import random
from collections.abc import Callable
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2

from onecode.v1 import exceptions_pb2, status_pb2, trust_list_pb2
from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.region import PROVINCES
from onecode_server.model.subject import pseudonym

from tests.integration.deployment import Deployment, Server, eventually, expect, record

SERVICE = "onecode.v1.RecognitionService"
KNOWN: tuple[ServiceDescriptor, ...] = tuple(
    service
    for proto in (pb, status_pb2, exceptions_pb2, trust_list_pb2, health_pb2)
    for service in proto.DESCRIPTOR.services_by_name.values()
)


@pytest.fixture
def watched(deployment: Deployment, serve: Callable[..., Server]) -> Server:
    """A server of which everything is known that it was asked."""
    return serve(deployment, "--log-level", "debug")


def test_calls_are_counted_under_the_names_of_the_grpc_ecosystem(watched: Server, deployment: Deployment):
    code, stub = deployment.issue("420000")[0], watched.stub()
    for _ in range(3):
        stub.Verify(pb.VerifyRequest(code=code, host_region="110000"), timeout=30)
    stub.BatchVerify(pb.BatchVerifyRequest(codes=[code, b"x"], host_region="310000"), timeout=30)
    with pytest.raises(grpc.RpcError):
        stub.Translate(pb.TranslateRequest(code=code, target_region="310000"), timeout=30)
    verify, batch, translate = ((name, SERVICE, "unary") for name in ("Verify", "BatchVerify", "Translate"))
    handled = {("OK", *verify): 3, ("OK", *batch): 1, ("FAILED_PRECONDITION", *translate): 1}
    eventually(lambda: watched.counted("grpc_server_handled_total") == handled, 5)
    for name in ("started_total", "msg_received_total", "handling_seconds_count"):
        assert watched.counted(f"grpc_server_{name}") == {verify: 3, batch: 1, translate: 1}
    assert watched.counted("grpc_server_msg_sent_total") == {verify: 3, batch: 1}
    assert watched.counted("onecode_verdicts_total") == {("VALID", "ADMIT"): 4, ("MALFORMED", "REFUSE"): 1}
    scans = {("420000", "110000"): 3, ("420000", "310000"): 1, ("unknown", "310000"): 1}
    assert watched.counted("onecode_scans_total") == scans


def test_no_caller_can_invent_the_value_of_a_label(server: Server, shared: Deployment):
    invented = random.Random(1)
    channel, stub, code = server.channel(), server.stub(), shared.issue("420000")[0]
    for _ in range(200):
        host = f"{invented.randrange(10**6):06d}"
        stub.Verify(pb.VerifyRequest(code=code, host_region=host), timeout=30)
        stub.Translate(pb.TranslateRequest(code=b"H" + host.encode(), target_region="420000"), timeout=30)
        for method in (f"/{SERVICE}/Verify{host}", f"/{host}/Verify"):
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
            with pytest.raises(grpc.RpcError):
                call(b"", timeout=30)
    methods = {(method.name, service.full_name) for service in KNOWN for method in service.methods}
    assert {labels[:2] for labels in server.samples("grpc_server_started_total")} <= methods
    assert {labels[1:3] for labels in server.samples("grpc_server_handled_total")} <= methods
    regions = {*PROVINCES, "000000", "unknown"}
    scans = server.samples("onecode_scans_total")
    assert {label for labels in scans for label in labels} <= regions
    assert scans["420000", "unknown"] > 0
    assert {labels[1] for labels in server.samples("onecode_translations_total")} <= regions


def test_the_page_answers_what_it_knows_and_nothing_else(server: Server):
    status, report = server.healthz()
    assert (status, report["serving"], report["trust_list"]["fault"]) == (200, True, None)
    assert report["store"] == {"open": True, "answers": True, "write_fault": None, "clock_behind_s": 0}
    for path in ("/", "/metrics/", "/etc/passwd", "/../../etc/passwd", "/%00"):
        with pytest.raises(HTTPError) as missing:
            urlopen(f"http://{server.page}{path}", timeout=30)
        assert missing.value.code == 404
        missing.value.close()


def secrets_of(deployment: Deployment, codes: list[bytes], ids: list[str]) -> set[str]:
    """Return what may stand nowhere: the codes and their parts, the bearers' identifiers and pseudonyms, the keys."""
    parts = {part for code in codes for part in (code.decode(), *code.decode().split(".")[1:])}
    keys = [bytes.fromhex(file.read_text()) for file in deployment.path.rglob("*.key")]
    secret = bytes.fromhex((deployment.path / "pseudonym.key").read_text())
    pseudonyms = [pseudonym(secret, region, one) for one in ids for region in PROVINCES]
    raw = {text for one in (*keys, *pseudonyms) for text in (one.hex(), base64.b64encode(one).decode(), str(one)[2:-1])}
    return {*ids, *raw, *(part for part in parts if len(part) > 16)}


def test_after_a_hostile_session_neither_logs_nor_metrics_hold_a_secret(watched: Server, deployment: Deployment):
    ids = ["Zhang-San-110101199003078515", "Li-Si-440524188001010014"]
    codes = [deployment.issue(region, id=one)[0] for one in ids for region in ("420000", "440000", "110000", "630000")]
    codes += deployment.issue("310000", count=2)
    hostile = random.Random(2)
    for code in codes:
        spoilt = bytearray(code)
        spoilt[hostile.randrange(len(code))] ^= 1 << hostile.randrange(7)
        for bad in (code, bytes(spoilt), code[: len(code) // 2], code * 20, code[:-3]):
            watched.verify(bad)
            watched.stub().BatchTranslate(pb.BatchTranslateRequest(codes=[bad], target_region="420000"), timeout=30)
        for request in (pb.VerifyRequest(code=code, host_region=code.decode()).SerializeToString(), code):
            with pytest.raises(grpc.RpcError):
                watched.raw(f"/{SERVICE}/Verify")(request, metadata=(("x-bin", code),), timeout=30)
        with pytest.raises(grpc.RpcError):
            watched.raw(f"/{SERVICE}/{code.decode()[-20:]}")(code, timeout=30)
    expect(deployment.publish(record("420000", "RED", ids[0])))
    deployment.list_file.write_bytes(codes[0])
    eventually(lambda: watched.samples("onecode_trust_list_fault")[()] == 1, 7)
    shown = watched.metrics_text() + json.dumps(watched.healthz()[1])
    watched.end()
    shown += watched.log_file.read_text("utf-8")
    assert len(watched.log()) >= 3  # and every line is JSON
    hidden = secrets_of(deployment, codes, ids)
    assert len(hidden) > 100
    assert not {secret for secret in hidden if secret in shown}


@pytest.mark.parametrize("front", ["grpc", "auto"])
def test_the_front_is_shown_and_logged_with_the_reason_for_it(deployment: Deployment, serve, front: str):
    server: Server = serve(deployment, "--front", front)
    shown = server.healthz()[1]["front"]
    assert shown["reason"] in {"grpc": ["chosen"], "auto": ["", "not_built"]}[front]
    assert server.samples("onecode_front_info") == {(shown["name"], shown["reason"]): 1}
    (line,) = (line for line in server.log() if "calls are answered by the front" in str(line))
    assert shown["name"] in str(line)
    assert shown["detail"] in str(line)


def test_the_front_is_shown_for_all_workers_together(pair: Server):
    eventually(lambda: sum(pair.samples("onecode_front_info").values()) == 2, 30)
    assert len(pair.samples("onecode_front_info")) == 1


@pytest.mark.parametrize("backend", ["auto", "libsodium"])
def test_the_signature_backend_is_shown_and_its_answers_are_compared_as_often_as_asked(
    deployment: Deployment, serve, backend: str
):
    server: Server = serve(deployment, "--signature-backend", backend, "--shadow-one-in", "1")
    for code in deployment.issue("420000", count=20):
        assert server.verify(code).verdict.authenticity == 1
    shown = server.healthz()[1]["signature_backend"]
    assert shown["degraded"] is False
    assert server.samples("onecode_signature_backend_fault") == {(): 0}
    (checked,) = server.counted("onecode_signatures_total").items()
    assert checked == ((shown["name"],), 20)
    compared = server.counted("onecode_signature_shadow_checks_total")
    assert sum(compared.values()) >= 20 if shown["name"] == "native" else compared == {}
    assert set(compared) <= {("agreed",)}
