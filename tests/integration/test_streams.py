"""StreamVerify and the trust list for partners: many scans over one call, and scans without a server."""

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OfflineTrustList, OnecodeClient, OperatorClient

from tests.integration.deployment import Deployment, Server


def test_ten_thousand_codes_over_a_stream_get_the_verdicts_of_a_batch(server: Server, shared: Deployment) -> None:
    good = shared.issue("420000", count=200) + shared.issue("540000", "YELLOW", count=200)
    codes = [good[n % 400] if n % 7 else good[n % 400][:-4] + b"AAAA" for n in range(10_000)]
    requests = (pb.StreamVerifyRequest(request_id=n, code=c, host_region="440000") for n, c in enumerate(codes))
    answers = {one.request_id: one.verdict for one in server.stub().StreamVerify(requests, timeout=100)}
    with OnecodeClient(server.address) as client:
        verdicts = list(client.verify_all(codes, "440000"))
    for verdict in (*verdicts, *answers.values()):
        verdict.status_age_s = 0
    assert [answers[n] for n in range(10_000)] == verdicts


def test_a_bad_region_ends_the_stream_after_the_answers_before_it(server: Server) -> None:
    requests = [pb.StreamVerifyRequest(request_id=n, code=b"x", host_region=r) for n, r in ((1, "440000"), (2, "44"))]
    answers = server.stub().StreamVerify(iter(requests), timeout=30)
    assert next(answers).request_id == 1
    with pytest.raises(grpc.RpcError) as ended:
        next(answers)
    assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_an_open_stream_ends_cleanly_when_the_server_drains(deployment: Deployment, serve: Any) -> None:
    started: Server = serve(deployment)
    asked: queue.Queue[pb.StreamVerifyRequest | None] = queue.Queue()

    def requests() -> Iterator[pb.StreamVerifyRequest]:
        while (request := asked.get()) is not None:
            yield request

    answers = started.stub().StreamVerify(requests(), timeout=60)
    asked.put(pb.StreamVerifyRequest(request_id=7, code=b"x", host_region="440000"))
    assert next(answers).request_id == 7
    assert started.end() == 0
    assert list(answers) == []
    assert answers.code() is grpc.StatusCode.OK
    asked.put(None)


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        VerifyKey(public_key).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def test_a_partner_verifies_offline_with_the_trust_list_and_a_library_of_its_own(
    server: Server, shared: Deployment
) -> None:
    root = bytes.fromhex(Path(shared.path / "root.pub").read_text(encoding="ascii"))
    with OperatorClient(server.address) as client:
        signed = client.trust_list()
        assert signed is not None
        trusted = OfflineTrustList(signed, root, is_signed)
        assert client.trust_list(if_newer_than=trusted.version) is None
    code = shared.issue("420000")[0].decode()
    (key,) = trusted.keys("jwt", jwt.get_unverified_header(code)["kid"])
    public = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": jwt.utils.base64url_encode(key.public_key).decode()})
    claims = jwt.decode(code, public, algorithms=["EdDSA"])
    place = key.region["claims"]["level"]
    assert key.verifies
    assert key.region["levels"][claims[place[0]][place[1]]] == "GREEN"


def test_a_list_of_another_root_is_not_believed(server: Server) -> None:
    with OperatorClient(server.address) as client:
        signed = client.trust_list()
    assert signed is not None
    with pytest.raises(ValueError, match="root key"):
        OfflineTrustList(signed, bytes(31) + b"\1", is_signed)
