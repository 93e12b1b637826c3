"""The trust list, edited by command line alone while the server runs: a new list is in force within 2 s."""

import json
import time
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import TAKEN_S, Deployment, Ended, Server, command, eventually, expect

HOUR_S = 3600
CORPS = "660000"
CLAIMS = {"subject": ["holder", "no"], "level": "sky", "issued_at": "made", "valid_for_s": 48 * HOUR_S}
LEVELS = {"☀": "GREEN", "☁": "YELLOW", "⛈": "RED"}


class Corps:
    """A region that nobody has heard of, with a key, claim names and level words of its own."""

    def __init__(self, seed: int = 1) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
        self.public_key = self.key.public_key().public_bytes_raw().hex()

    def code(self, sky: str = "☀", age_s: float = 0, kid: str = "corps-1") -> bytes:
        claims = {"holder": {"no": 66_000_001}, "sky": sky, "made": time.time() - age_s}
        return jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": kid}).encode()


@pytest.fixture
def corps() -> Corps:
    return Corps()


def add_region(deployment: Deployment, run: Callable[..., Ended]) -> Ended:
    for name, content in (("claims", CLAIMS), ("levels", LEVELS)):
        (deployment.path / name).write_text(json.dumps(content), "utf-8")
    files = ("--claims", deployment.path / "claims", "--levels", deployment.path / "levels")
    return run("add-region", "--code", CORPS, "--name", "Corps", "--format", "jwt", *files)


def add_key(corps: Corps, run: Callable[..., Ended], *more: str) -> Ended:
    return run("add-key", "--region", CORPS, "--kid", "corps-1", "--public-key", corps.public_key, *more)


def in_force(server: Server, version: int) -> bool:
    return server.samples("onecode_trust_list_version")[()] == version


@pytest.fixture
def founded(deployment: Deployment, corps: Corps) -> Deployment:
    """The demo's regions and the corps, as version 3; its key counts for as long as anybody remembers."""
    expect(add_region(deployment, deployment.trust))
    expect(add_key(corps, deployment.trust, "--not-before", "2020-01-01T00:00:00Z"))
    return deployment


def test_a_region_never_seen_before_is_admitted_by_command_line_alone(deployment: Deployment, corps: Corps, serve):
    server = serve(deployment)
    assert server.verify(corps.code()).verdict.reason == pb.REASON_KEY_UNKNOWN

    def trust(edit: str, *arguments: object) -> Ended:
        return command("trust", edit, "--data-dir", deployment.path, *arguments)

    assert expect(add_region(deployment, trust)) == "trust list version 2 signed\n"
    assert expect(add_key(corps, trust)) == "trust list version 3 signed\n"
    eventually(lambda: server.verify(corps.code()).verdict.decision == pb.DECISION_ADMIT, TAKEN_S)
    answer = server.verify(corps.code())
    assert (answer.verdict.home_region, answer.trust_list_version) == (CORPS, 3)
    assert server.verify(corps.code("☁")).verdict.decision == pb.DECISION_CHECK
    assert server.verify(corps.code("⛈")).verdict.decision == pb.DECISION_REFUSE
    assert server.verify(corps.code("🌈")).verdict.reason == pb.REASON_LEVEL_UNMAPPED
    assert server.verify(Corps(2).code()).verdict.reason == pb.REASON_SIGNATURE_INVALID
    made = server.stub().Translate(pb.TranslateRequest(code=corps.code(), target_region="000000"), timeout=30)
    assert server.verify(made.code).verdict.home_region == CORPS


def test_a_retired_key_vouches_for_what_came_before_and_a_revoked_one_for_nothing(
    founded: Deployment, corps: Corps, serve
):
    server = serve(founded)
    old, new, key = corps.code(age_s=3 * HOUR_S), corps.code(), ("--region", CORPS, "--kid", "corps-1")
    assert {server.verify(code).verdict.decision for code in (old, new)} == {pb.DECISION_ADMIT}
    retired_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - HOUR_S))
    expect(founded.trust("retire-key", *key, "--at", retired_at))
    eventually(lambda: in_force(server, 4), TAKEN_S)
    assert server.verify(new).verdict.reason == pb.REASON_KEY_RETIRED
    assert server.verify(old).verdict.decision == pb.DECISION_ADMIT
    assert founded.trust("retire-key", *key).status == 2
    expect(founded.trust("revoke-key", *key))
    eventually(lambda: in_force(server, 5), TAKEN_S)
    assert {server.verify(code).verdict.reason for code in (old, new)} == {pb.REASON_KEY_REVOKED}


def test_without_the_root_key_an_edit_makes_a_draft_that_is_signed_where_the_key_is(
    deployment: Deployment, corps: Corps, tmp_path, serve
):
    safe = tmp_path / "safe" / "root.key"
    safe.parent.mkdir()
    (deployment.path / "root.key").rename(safe)
    server, draft = serve(deployment), deployment.path / "trust-list.draft.json"
    assert "draft of version 2" in expect(add_region(deployment, deployment.trust))
    assert "draft of version 2" in expect(add_key(corps, deployment.trust))
    assert draft.exists()
    assert deployment.trust("sign").err.startswith("onecode: the root key is not in the data directory")
    assert server.verify(corps.code()).trust_list_version == 1
    assert expect(deployment.trust("sign", "--root-key", safe)) == "trust list version 2 signed\n"
    eventually(lambda: in_force(server, 2), TAKEN_S)
    assert server.verify(corps.code()).verdict.decision == pb.DECISION_ADMIT
    assert not draft.exists()


def test_another_deployments_root_key_signs_nothing(deployment: Deployment, tmp_path):
    foreign = tmp_path / "foreign.key"
    foreign.touch(mode=0o600)
    foreign.write_text("11" * 32)
    before = deployment.list_file.read_bytes()
    ended = deployment.trust("sign", "--root-key", foreign)
    assert (ended.status, ended.err) == (2, f"onecode: {foreign} is not the root key of {deployment.path}\n")
    assert deployment.list_file.read_bytes() == before


def test_the_list_can_be_read_whatever_a_region_calls_itself(deployment: Deployment):
    expect(deployment.trust("add-region", "--code", CORPS, "--name", "[/b] :smile:", "--adopts-national"))
    assert "[/b] :smile:" in expect(deployment.trust("show"))
    document = json.loads(expect(deployment.trust("show", "--json")))
    assert document["regions"][-1] == {"code": CORPS, "name": "[/b] :smile:", "adopts_national": True}
