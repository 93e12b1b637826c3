"""Whose rights count behind the HTTP gateway, and who may reach it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, Server
from tests.integration.http_gateway import HOST, Gateway, b64, bearer, gateway, needed
from tests.integration.identities import GATEWAY, NATION, PARTNER, SCANNER, Identities

pytestmark = needed


def test_a_gateway_has_the_rights_of_the_caller_whose_token_it_carries(
    carrier: Callable[[str], Gateway], identities: Identities, code: bytes
) -> None:
    http, asked = carrier(GATEWAY), {"code": b64(code), "host_region": HOST}
    for path in (SCANNER, PARTNER):
        answer = http.ask("/v1/codes:verify", asked, *bearer(identities.token(path)))
        assert (answer.status, answer.json["verdict"]["decision"]) == (200, "DECISION_ADMIT")
    elsewhere = http.ask("/v1/codes:verify", asked | {"host_region": "440000"}, *bearer(identities.token(SCANNER)))
    assert elsewhere.reason == "403 NOT_PERMITTED"
    assert http.ask("/v1/codes:verify", asked).reason == "403 NOT_PERMITTED"
    assert http.ask("/healthz").json == {"serving": True}


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (("Bearer {good}", "Bearer {good}"), "AUTHORIZATION_REPEATED"),
        (("Basic b3BzOm9wcw==",), "AUTHORIZATION_SCHEME"),
        (("Bearer {expired}",), "TOKEN_EXPIRED"),
        (("Bearer a.b.c",), "TOKEN_MALFORMED"),
        (("Bearer {longest}",), "TOKEN_MALFORMED"),
        (("Bearer {longest}x",), "AUTHORIZATION_UNREADABLE"),
        (("Bearer \xff",), "AUTHORIZATION_UNREADABLE"),
    ],
)
def test_a_credential_that_does_not_count_is_401(
    carrier: Callable[[str], Gateway], identities: Identities, authorization: tuple[str, ...], reason: str
) -> None:
    tokens = {"good": identities.token(SCANNER), "expired": identities.token(SCANNER, exp=1)}
    tokens["longest"] = "x" * 8192
    shown = [part for one in authorization for part in ("--header", f"Authorization: {one.format(**tokens)}")]
    answer = carrier(GATEWAY).ask("/v1/codes:verify", {"host_region": HOST}, *shown)
    assert answer.reason == f"401 {reason}"
    assert answer.headers["www-authenticate"] == "bearer"


def test_a_gateway_with_the_certificate_of_a_scanner_calls_as_that_scanner(
    carrier: Callable[[str], Gateway], identities: Identities, code: bytes
) -> None:
    http, asked = carrier(SCANNER), {"code": b64(code), "host_region": HOST}
    assert http.ask("/v1/codes:verify", asked).json["verdict"]["decision"] == "DECISION_ADMIT"
    assert http.ask("/v1/codes:verify", asked | {"host_region": "440000"}).reason == "403 NOT_PERMITTED"
    assert http.ask("/v1/codes:verify", asked, *bearer(identities.token(PARTNER))).reason == "401 TOKEN_OF_ANOTHER"


def test_no_header_makes_a_caller_another(carrier: Callable[[str], Gateway], identities: Identities) -> None:
    certificate = b64(identities.leaf(NATION).der)
    headers = {
        "Grpc-Metadata-X-Onecode-Peer": "ipv4:127.0.0.1:1",
        "Grpc-Metadata-X-Onecode-Token": "0" * 64,
        "Grpc-Metadata-X-Onecode-Certificate-Bin": certificate,
        "X-Onecode-Certificate-Bin": certificate,
        "Grpc-Metadata-Authorization": f"Bearer {identities.token(NATION)}",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Client-Cert": f"URI=spiffe://onecode.internal/{NATION}",
    }
    shown = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    http = carrier(GATEWAY)
    assert http.ask("/v1/codes:verify", {"host_region": HOST}, *shown).reason == "403 NOT_PERMITTED"
    named = http.ask("/v1/exceptions", None, *shown, *bearer(identities.token(SCANNER)))
    assert named.reason == "403 NOT_PERMITTED"


def test_a_caller_beyond_its_rate_is_told_when_to_come_again(
    deployment: Deployment, serve: Callable[..., Server], tmp_path: Path
) -> None:
    identities = Identities(tmp_path / "identities")
    server = serve(deployment, *identities.flags("--limits", "partner=1/100"))
    cert, key = identities.leaf(PARTNER).write(tmp_path, "partner")
    shown = ("--tls-ca", identities.client_ca, "--tls-cert", cert, "--tls-key", key)
    with gateway(tmp_path, "--server", server.address, *shown) as http:
        asked = {"codes": ["eA=="] * 5, "host_region": HOST}
        assert http.ask("/v1/codes:batchVerify", asked).status == 200
        refused = http.ask("/v1/codes:batchVerify", asked)
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    assert [one["@type"].rpartition(".")[2] for one in refused.json["details"]] == ["ErrorInfo", "RetryInfo"]


def test_by_tls_callers_show_a_certificate(server: Server, identities: Identities, tmp_path: Path) -> None:
    own = ("--listen-tls-cert", identities.cert, "--listen-tls-key", identities.key)
    cert, key = identities.leaf(PARTNER).write(tmp_path, "caller")
    with gateway(tmp_path, "--server", server.address, *own, "--listen-client-ca", identities.client_ca) as http:
        asked = ("--cacert", identities.client_ca)
        assert http.ask("/healthz", None, *asked, "--cert", cert, "--key", key).json == {"serving": True}
        with pytest.raises(AssertionError, match="certificate required"):
            http.ask("/healthz", None, *asked)
