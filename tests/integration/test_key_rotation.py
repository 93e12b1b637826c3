"""Gateway keys are rotated by command while the server translates: no translation fails, and old ones last."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import jwt
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import TAKEN_S, Deployment, Ended, Server, eventually, expect

ROTATIONS = 100
HOST = "420000"
"""A region whose codes are JWTs."""


def rfc3339(from_now_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + from_now_s))


def rotate(deployment: Deployment, *more: object, at_s: float = -120, retire_at_s: float = 3600) -> Ended:
    """Rotate to keys that sign at once: they began two minutes ago, as if the list had been published before."""
    times = ("--at", rfc3339(at_s), "--retire-at", rfc3339(retire_at_s))
    return deployment.trust("rotate-gateway", "--format", "jwt", *times, *more)


def translated(server: Server, code: bytes) -> bytes:
    return server.stub().Translate(pb.TranslateRequest(code=code, target_region=HOST), timeout=30).code


def signer_of(translation: bytes) -> str:
    return str(jwt.get_unverified_header(translation)["kid"])


def gateway_keys(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the entries of the gateway keys for JWTs, in their order."""
    document = json.loads(expect(deployment.trust("show", "--json")))
    return [key for key in document["regions"][0]["keys"] if key.get("format") == "jwt"]


def source(deployment: Deployment) -> bytes:
    return deployment.issue("440000")[0]


def test_a_hundred_rotations_under_load_fail_no_translation_and_old_ones_last(deployment: Deployment, serve):
    server, code, ended = serve(deployment), source(deployment), Event()
    first = translated(server, code)

    def translate_on() -> set[str]:
        stub, signers = server.stub(), set()
        while not ended.is_set():
            made = stub.Translate(pb.TranslateRequest(code=code, target_region=HOST), timeout=30)
            answer = stub.Verify(pb.VerifyRequest(code=made.code, host_region="110000"), timeout=30)
            assert answer.verdict.decision == pb.DECISION_ADMIT, answer
            signers.add(signer_of(made.code))
        return signers

    with ThreadPoolExecutor(2) as threads:
        loads = [threads.submit(translate_on) for _ in range(2)]
        try:
            for _ in range(ROTATIONS):
                expect(rotate(deployment))
            last = gateway_keys(deployment)[-1]["kid"]
            eventually(lambda: signer_of(translated(server, code)) == last, TAKEN_S)
        finally:
            ended.set()
        signers = set.union(*(load.result() for load in loads))
    assert len(gateway_keys(deployment)) == ROTATIONS + 1
    assert len(signers) > 2
    assert server.verify(first).verdict.decision == pb.DECISION_ADMIT
    assert server.healthz()[1]["gateway_keys"] == {"from": "files", "count": ROTATIONS + 3, "fault": None}


def test_all_workers_sign_with_the_new_key(deployment: Deployment, serve):
    server, code = serve(deployment, "--workers", 2), source(deployment)
    expect(rotate(deployment))
    new = gateway_keys(deployment)[-1]["kid"]
    eventually(lambda: {signer_of(translated(server, code)) for _ in range(20)} == {new}, TAKEN_S)


def test_a_new_key_signs_only_from_the_time_that_was_agreed(deployment: Deployment, serve):
    server, code = serve(deployment), source(deployment)
    before = signer_of(translated(server, code))
    done = expect(deployment.trust("rotate-gateway"))
    assert done.count(" signs from ") == 3
    eventually(lambda: server.samples("onecode_trust_list_version")[()] == 2, TAKEN_S)
    eventually(lambda: server.healthz()[1]["gateway_keys"]["count"] == 6, TAKEN_S)
    assert signer_of(translated(server, code)) == before


def test_a_key_that_the_list_does_not_know_yet_signs_nothing(deployment: Deployment, serve):
    server, code = serve(deployment), source(deployment)
    before, safe = signer_of(translated(server, code)), deployment.path / "safe.key"
    (deployment.path / "root.key").rename(safe)
    assert "draft of version 2" in expect(rotate(deployment))
    eventually(lambda: server.healthz()[1]["gateway_keys"]["count"] == 4, TAKEN_S)
    assert signer_of(translated(server, code)) == before
    expect(deployment.trust("sign", "--root-key", safe))
    eventually(lambda: signer_of(translated(server, code)) == gateway_keys(deployment)[-1]["kid"], TAKEN_S)


def test_a_bad_key_file_keeps_the_last_good_one_and_is_shown(deployment: Deployment, serve):
    server, code = serve(deployment), source(deployment)
    (file,) = deployment.path.glob("keys/000000.gateway.jwt.*.key")
    good, before = file.read_text(), signer_of(translated(server, code))
    file.write_text(good[:20])

    def fault() -> str:
        return str(server.healthz()[1]["gateway_keys"]["fault"])

    eventually(lambda: fault() == f"the key file {file} does not hold 32 bytes", TAKEN_S)
    assert server.samples("onecode_gateway_keys_fault")[()] == 1
    assert server.healthz()[0] == 200
    assert [line["level"] for line in server.log() if "a gateway key cannot be taken" in line["message"]] == ["error"]
    assert good[:20] not in server.log_file.read_text()
    assert signer_of(translated(server, code)) == before
    file.write_text(good)
    eventually(lambda: fault() == "None", TAKEN_S)
    assert server.samples("onecode_gateway_keys_fault")[()] == 0


def test_a_key_whose_last_translation_has_ended_is_removed_from_list_and_directory(deployment: Deployment):
    (old,) = gateway_keys(deployment)
    expect(rotate(deployment, at_s=-4 * 3600, retire_at_s=-3 * 3600))
    assert [key.get("state", "active") for key in gateway_keys(deployment)] == ["retired", "active"]
    (file,) = deployment.path.glob(f"keys/000000.gateway.jwt.{old['kid']}.key")
    assert f"removed {file}" in expect(rotate(deployment))
    assert not file.exists()
    assert old["kid"] not in {key["kid"] for key in gateway_keys(deployment)}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--public-key", "00" * 32), "name its --format"),
        (("--kid", "k"), "name its --format"),
        (("--at", "2030-01-01T00:00:00Z", "--retire-at", "2029-01-01T00:00:00Z"), "--retire-at is before --at"),
        (("--at", "soon"), "--at 'soon'"),
        (("--format", "jwt", "--public-key", "00"), "public_key is not 64 hex digits"),
        (("--format", "national", "--kid", "zz"), "kid is not hex"),
        (("--format", "jwt", "--kid", "../k"), "cannot have a slash"),
        (("--format", "opaque"), "'opaque' is not one of"),
    ],
)
def test_a_rotation_that_cannot_be_is_one_line_and_leaves_nothing(
    deployment: Deployment, options: tuple[str, ...], why: str
):
    before, files = deployment.list_file.read_bytes(), sorted((deployment.path / "keys").iterdir())
    ended = deployment.trust("rotate-gateway", *options)
    assert (ended.status, ended.out) == (2, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1
    assert deployment.list_file.read_bytes() == before
    assert sorted((deployment.path / "keys").iterdir()) == files


def test_gateway_keys_may_lie_in_a_directory_of_their_own(
    deployment: Deployment, tmp_path: Path, serve: Callable[..., Server]
):
    elsewhere = tmp_path / "secrets"
    elsewhere.mkdir()
    for file in deployment.path.glob("keys/000000.gateway.*.key"):
        file.rename(elsewhere / file.name)
    assert translated(serve(deployment, "--gateway-keys", elsewhere), source(deployment))
