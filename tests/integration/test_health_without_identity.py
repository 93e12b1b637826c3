"""Health is told to those who ask before they have anything to show, and nothing else is."""

import signal
import time
from collections.abc import Callable

import pytest
from grpc_health.v1 import health_pb2

from onecode_server.rpc.lasting_calls import CHECKED_S

from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.identities import SCANNER, Identities, health_stub, refusal_of
from tests.integration.open_calls import watch
from tests.integration.rights_held import UNKNOWN, held

Serve = Callable[..., Server]
LISTED = "onecode.v1.RecognitionService"


def flags(identities: Identities) -> tuple[object, ...]:
    """Return the flags of a server with tokens and without authorities, so that grpc.aio demands no certificate."""
    return ("--tls-cert", identities.cert, "--tls-key", identities.key, "--token-keys", identities.token_keys)


@pytest.fixture
def telling(deployment: Deployment, serve: Serve, identities: Identities) -> Server:
    """A server that tells everybody its health."""
    return serve(deployment, *flags(identities), "--health-without-identity", "true")


def test_a_stranger_is_told_the_health_and_nothing_else(telling: Server, identities: Identities, code: bytes) -> None:
    channel = identities.channel(telling)
    assert held(channel, code) == (frozenset(("health",)), UNKNOWN)
    for service in ("", LISTED, "onecode.store"):
        asked = health_pb2.HealthCheckRequest(service=service)
        assert health_stub(channel).Check(asked, timeout=30).status == health_pb2.HealthCheckResponse.SERVING
    status, report = telling.healthz()
    assert (status, report) == (200, {"serving": True})
    assert (telling.page_status("/readyz"), telling.page_status("/metrics")) == (200, 401)


@pytest.mark.parametrize("shown", ["expired", "no token", "another scheme"])
def test_a_credential_that_is_worth_nothing_does_not_keep_the_health_from_its_caller(
    telling: Server, identities: Identities, code: bytes, shown: str
) -> None:
    token = identities.token(SCANNER, exp=time.time() - 1)
    value = {"expired": f"Bearer {token}", "no token": "Bearer x.y.z", "another scheme": "Basic eDp5"}[shown]
    channel = identities.channel(telling, authorization=value)
    granted, refusals = held(channel, code)
    assert granted == {"health"}
    assert all(refusal.startswith("UNAUTHENTICATED ") for refusal in refusals)
    telling.page_headers = {"Authorization": value}
    assert telling.healthz() == (200, {"serving": True})
    assert telling.page_status("/metrics") == 401


def test_a_strangers_watch_goes_on_while_open_calls_are_looked_at(telling: Server, identities: Identities) -> None:
    by_nobody, by_token = (
        watch(identities.channel(telling)),
        watch(identities.channel(telling, None, identities.token(SCANNER))),
    )
    ends_s = time.monotonic() + CHECKED_S + 2
    eventually(lambda: time.monotonic() > ends_s or not (by_nobody.is_open and by_token.is_open), within_s=60)
    assert by_nobody.is_open
    assert by_token.is_open
    telling.process.send_signal(signal.SIGTERM)
    assert [one.status for one in by_nobody.rest()] == [health_pb2.HealthCheckResponse.NOT_SERVING]


def test_where_it_is_not_asked_for_a_stranger_is_told_nothing(
    deployment: Deployment, serve: Serve, identities: Identities, code: bytes
) -> None:
    server = serve(deployment, *flags(identities))
    assert held(identities.channel(server), code) == (frozenset(), UNKNOWN)
    how = refusal_of(lambda: watch(identities.channel(server)))
    assert how[:2] == ("UNAUTHENTICATED", "IDENTITY_MISSING")
    assert [server.page_status(path) for path in ("/metrics", "/healthz", "/readyz")] == [401, 401, 401]


def test_with_authorities_the_native_front_asks_for_a_certificate_and_grpc_demands_one(
    deployment: Deployment, serve: Serve, identities: Identities
) -> None:
    server = serve(deployment, *identities.flags("--health-without-identity", "true"))
    is_native = identities.ops_reads(server).front() == "native"
    how = refusal_of(lambda: health_stub(identities.channel(server)).Check(health_pb2.HealthCheckRequest(), timeout=30))
    assert how.status == ("OK" if is_native else "UNAVAILABLE")
