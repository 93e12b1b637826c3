"""The HTTP gateway under hostile requests, and before a server that is away or silent."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, Server, eventually, free_port
from tests.integration.http_gateway import HOST, JSON, LINES, Gateway, b64, bearer, gateway, needed
from tests.integration.identities import PARTNER, Identities

pytestmark = needed
CHUNKED = ("--header", "Transfer-Encoding: chunked")


@pytest.mark.parametrize(
    ("path", "body", "options", "reason"),
    [
        ("/v1/codes:verify", b"[" * 3_000_000, (), "400 REQUEST_UNREADABLE"),
        ("/v1/codes:verify", b'{"a":' * 500_000, (), "400 REQUEST_UNREADABLE"),
        ("/v1/codes:verify", b'{"code":"' + b"!" * 5_000_000 + b'"}', (), "400 REQUEST_UNREADABLE"),
        ("/v1/codes:verify", b'{"host_regions":"420000"}', (), "400 REQUEST_UNREADABLE"),
        ("/v1/codes:verify", b" " * (6 << 20) + b"{}", (), "413 BODY_TOO_LARGE"),
        (
            "/v1/codes:verify",
            b" " * (6 << 20) + b"{}",
            ("--header", "Transfer-Encoding: chunked"),
            "413 BODY_TOO_LARGE",
        ),
        ("/v1/codes:verify", b"{}", ("--header", "Content-Encoding: gzip"), "415 CONTENT_ENCODING"),
        ("/v1/codes:verify", b"{}", ("--request", "DELETE"), "405 METHOD_NOT_ALLOWED"),
        ("/v1/codes:verify", b"{}", ("--request", "GET"), "405 METHOD_NOT_ALLOWED"),
        ("/v1/codes:verify?code=x", b"{}", (), "400 QUERY_NOT_TAKEN"),
        ("/v1/codes%3averify", b"{}", (), "404 ADDRESS_UNKNOWN"),
        ("/v1/../v1/codes:verify", b"{}", (), "404 ADDRESS_UNKNOWN"),
        ("/v1/exceptions?page_token=x", None, (), "400 PAGE_TOKEN_INVALID"),
        ("/v1/exceptions?host_region=%zz", None, (), "400 REQUEST_UNREADABLE"),
        ("/v1/exceptions?page_token=%00%ff", None, (), "400 REQUEST_UNREADABLE"),
        ("/v1/exceptions/%c3%28:withdraw", b"{}", (), "400 ADDRESS_INVALID"),
        ("/v1/exceptions?host=420000", None, (), "400 REQUEST_UNREADABLE"),
        ("/healthz", None, ("--header", "Host: rebound.example"), "421 HOST_NOT_LOOPBACK"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else None,
)
def test_hostile_requests_are_refused_in_one_line(
    http: Gateway, code: bytes, path: str, body: bytes | None, options: tuple[str, ...], reason: str
) -> None:
    assert http.ask(path, body, *options).reason == reason
    polite = http.ask("/v1/codes:verify", {"code": b64(code), "host_region": HOST})
    assert polite.json["verdict"]["decision"] == "DECISION_ADMIT"
    assert http.log() == ""


def test_a_server_that_is_away_is_503_until_it_is_back(
    deployment: Deployment, serve: Callable[..., Server], tmp_path: Path, code: bytes
) -> None:
    address, asked = f"127.0.0.1:{free_port()}", {"code": b64(code), "host_region": HOST}
    with gateway(tmp_path, "--server", address) as http:
        away = http.ask("/v1/codes:verify", asked)
        assert (away.reason, away.headers["retry-after"]) == ("503 SERVER_UNREACHABLE", "1")
        assert address not in away.text
        assert http.ask("/healthz").status == 503
        serve(deployment, "--listen", address)
        eventually(lambda: http.ask("/v1/codes:verify", asked).status == 200, 30)
        eventually(lambda: http.ask("/healthz").status == 200, 30)
        assert http.log().startswith("onecode-gateway: POST /v1/codes:verify: UNAVAILABLE: ")


def test_a_server_that_says_nothing_is_504(running: Server, tmp_path: Path) -> None:
    with gateway(tmp_path, "--server", running.address, "--timeout", "1") as http:
        assert http.ask("/v1/codes:verify", {"host_region": HOST}).status == 200
        with running.stopped():
            assert http.ask("/v1/codes:verify", {"host_region": HOST}).reason == "504 SERVER_OVERDUE"


def test_the_log_has_nothing_of_codes_subjects_and_tokens(
    guarded: Server, identities: Identities, tmp_path: Path
) -> None:
    secret = "SECRET"
    bodies: list[tuple[str, bytes, str]] = [
        ("/v1/codes:verify", json.dumps({"code": b64(secret.encode()), "host_region": secret}).encode(), JSON),
        ("/v1/codes:verify", f'{{"code":"{secret}.","{secret}":"{secret}"}}'.encode(), JSON),
        ("/v1/statuses:get", json.dumps({"subject": {"local": {"region": HOST, "id": secret}}}).encode(), JSON),
        ("/v1/statuses:publish", json.dumps({"sequence": 1, "record": {"publisher": secret}}).encode(), LINES),
        (f"/v1/exceptions/{secret}:withdraw", b"{}", JSON),
        (f"/{secret}", b"{}", JSON),
    ]
    shown = ("--tls-ca", identities.client_ca)
    with gateway(tmp_path, "--server", guarded.address, *shown) as http:
        for path, body, kind in bodies:
            for token in (secret, identities.token(PARTNER)):
                http.ask(path, body, *bearer(token), "--user-agent", secret, kind=kind)
    with gateway(tmp_path, "--server", f"127.0.0.1:{free_port()}", *shown) as alone:
        for path, body, kind in bodies:
            alone.ask(path, body, *bearer(secret), "--user-agent", secret, kind=kind)
            time.sleep(1.1)  # one line a second: each failure has its own
        assert alone.log().count("UNAVAILABLE") >= 3
    for log in (http.log(), alone.log()):
        assert secret not in log
        assert b64(secret.encode()) not in log
        assert identities.token(PARTNER).split(".")[1] not in log
