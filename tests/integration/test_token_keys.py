"""A server whose keys lie in a PKCS#11 token (SoftHSM): it signs there, and translates again when the token is back."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import jwt
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests import softhsm
from tests.integration.deployment import (
    LOOPBACK,
    TAKEN_S,
    Deployment,
    Ended,
    Server,
    called,
    command,
    eventually,
    expect,
)
from tests.softhsm import Token

BACK_S = TAKEN_S + 10
"""A look at a token that answers is due every 5 s, and at one that does not every second."""


@pytest.fixture
def token(tmp_path: Path) -> Iterator[Token]:
    with pytest.MonkeyPatch.context() as patch:
        yield from softhsm.tokens(tmp_path, patch)


def add(deployment: Deployment, token: Token, label: str, key_id: bytes = b"\1") -> None:
    """Make a key in the token and rotate the gateway key for JWTs to it, which signs at once."""
    public_key = token.make_key(label, key_id).hex()
    times = ("--at", "2026-01-01T00:00:00Z", "--retire-at", "2100-01-01T00:00:00Z")
    asked = ("--format", "jwt", "--kid", label, "--public-key", public_key)
    expect(deployment.trust("rotate-gateway", *asked, *times))


@pytest.fixture
def tokened(deployment: Deployment, token: Token) -> Deployment:
    """A deployment whose gateway key for JWTs is in the token, and others nowhere."""
    for file in deployment.path.glob("keys/000000.gateway.*.key"):
        file.unlink()
    add(deployment, token, "first")
    return deployment


def translated(server: Server, code: bytes, target: str = "420000") -> bytes:
    return server.stub().Translate(pb.TranslateRequest(code=code, target_region=target), timeout=30).code


def failure(server: Server, code: bytes, target: str = "420000") -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        translated(server, code, target)
    return refused.value.code(), str(refused.value.details())


def signer_of(translation: bytes) -> str:
    return str(jwt.get_unverified_header(translation)["kid"])


def translates(server: Server, code: bytes) -> str:
    """Return the id of the key that signs; "" where nothing can be translated now."""
    try:
        return signer_of(translated(server, code))
    except grpc.RpcError as refused:
        if refused.code() is grpc.StatusCode.UNAVAILABLE:
            return ""
        raise


def rows(ended: Ended) -> list[dict[str, str]]:
    return [json.loads(line) for line in expect(ended).splitlines()]


def test_translations_are_signed_in_the_token_and_it_alone_is_asked(tokened: Deployment, token: Token, serve):
    server, (code,) = serve(tokened, "--gateway-keys", token.uri()), tokened.issue("440000")
    made = translated(server, code)
    assert signer_of(made) == "first"
    assert server.verify(made).verdict.decision == pb.DECISION_ADMIT
    codes = tokened.issue("440000", count=200)
    many = server.stub().BatchTranslate(pb.BatchTranslateRequest(codes=codes, target_region="420000"), timeout=60)
    assert {signer_of(result.translation.code) for result in many.results} == {"first"}
    assert failure(server, code, "440000")[0] is grpc.StatusCode.FAILED_PRECONDITION  # no key for PASETO anywhere
    assert server.healthz()[1]["gateway_keys"] == {"from": "pkcs11", "count": 1, "fault": None}


def test_a_token_that_goes_away_takes_translations_with_it_and_nothing_else(tokened: Deployment, token: Token, serve):
    server, (code,) = serve(tokened, "--gateway-keys", token.uri()), tokened.issue("440000")
    assert translates(server, code) == "first"
    token.take_away()
    why = eventually(lambda: not translates(server, code) and failure(server, code), BACK_S)
    assert why == (grpc.StatusCode.UNAVAILABLE, "the gateway keys cannot be used now")
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
    assert (server.health(), server.healthz()[0]) == ("SERVING", 200)
    assert server.healthz()[1]["gateway_keys"]["fault"]
    assert server.samples("onecode_gateway_keys_fault")[()] == 1
    token.put_back()
    assert eventually(lambda: translates(server, code), BACK_S) == "first"
    assert server.samples("onecode_gateway_keys_fault")[()] == 0


def test_a_server_starts_without_its_token_and_translates_once_it_is_there(tokened: Deployment, token: Token, serve):
    token.take_away()
    server, (code,) = serve(tokened, "--gateway-keys", token.uri()), tokened.issue("440000")
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
    assert translates(server, code) == ""
    token.put_back()
    assert eventually(lambda: translates(server, code), BACK_S) == "first"


def test_keys_in_a_token_rotate_without_a_restart(tokened: Deployment, token: Token, serve):
    server, (code,) = serve(tokened, "--gateway-keys", token.uri()), tokened.issue("440000")
    old = translated(server, code)
    add(tokened, token, "second", b"\2")
    eventually(lambda: translates(server, code) == "second", BACK_S)
    token.delete_key("first")
    eventually(lambda: server.healthz()[1]["gateway_keys"]["count"] == 1, BACK_S)
    assert translates(server, code) == "second"
    assert server.verify(old).verdict.decision == pb.DECISION_ADMIT


def test_workers_each_have_a_session(tokened: Deployment, token: Token, serve):
    server, (code,) = serve(tokened, "--gateway-keys", token.uri(), "--workers", 2), tokened.issue("440000")
    assert {translates(server, code) for _ in range(10)} == {"first"}


def test_the_pseudonym_key_is_derived_in_the_token_for_server_and_commands(tmp_path: Path, token: Token, serve):
    token.make_secret("pseudonym", bytes(range(32)))
    deployment, uri = Deployment(tmp_path / "data"), token.uri(";object=pseudonym")
    expect(called("init", "--data-dir", deployment.path, "--demo", "--pseudonym-key", uri))
    assert (deployment.path / "pseudonym.key").read_text() == f"{uri}\n"
    server = serve(deployment)
    (code,) = deployment.issue("630000")  # an adopter's code carries a pseudonym
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
    token.finalize()
    token.take_away()
    ended = command("serve", "--data-dir", deployment.path, *LOOPBACK, "--workers", 1)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith("onecode: pkcs11:token=onecode;object=pseudonym: ")


def test_keys_of_a_token_are_checked_with_the_others(tokened: Deployment, token: Token):
    asked = ("keys", "check", "--data-dir", tokened.path, "--gateway-keys", token.uri())
    (row,) = [row for row in rows(called(*asked, "--json")) if row.get("key_id") == "first"]
    assert (row["file"], row["state"]) == ("pkcs11:token=onecode", "active")
    unlisted = token.make_key("unlisted", b"\3").hex()
    (row,) = [row for row in rows(called(*asked, "--json")) if row.get("public_key") == unlisted]
    assert row["state"] == "not in the list"
    token.finalize()
    token.take_away()
    ended = called(*asked)
    assert (ended.status, ended.err.startswith("gateway: pkcs11:token=onecode: ")) == (1, True)


def test_a_module_that_is_not_there_is_one_line(deployment: Deployment):
    uri = "pkcs11:token=onecode?module-path=/no/such.so&pin-source=/run/pin"
    pytest.importorskip("pkcs11")
    ended = command("serve", "--data-dir", deployment.path, *LOOPBACK, "--workers", 1, "--gateway-keys", uri)
    assert (ended.status, ended.err) == (2, "onecode: pkcs11:token=onecode: there is no PKCS#11 module /no/such.so\n")


def test_a_wrong_pin_is_tried_once_by_a_server(tokened: Deployment, token: Token, serve: Callable[..., Server]):
    token.pin_file.write_text("9999")
    server, (code,) = serve(tokened, "--gateway-keys", token.uri()), tokened.issue("440000")
    eventually(lambda: "is not tried again" in str(server.healthz()[1]["gateway_keys"]["fault"]), BACK_S)
    assert "9999" not in server.log_file.read_text()
    token.pin_file.write_text(softhsm.PIN)
    assert eventually(lambda: translates(server, code), BACK_S) == "first"
