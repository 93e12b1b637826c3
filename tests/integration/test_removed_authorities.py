"""Authorities and revocations that are taken away, or added, while callers are connected: by both fronts."""

import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest

from onecode.v1 import trust_list_pb2, trust_list_pb2_grpc

from tests.certificates import Authority, Leaf, spiffe_id
from tests.fronts import NEEDS_FRONT
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.identities import OPS, Identities, code_of

OK, UNAUTHENTICATED = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED
WITHIN_S = 20
Serve = Callable[..., Server]

pytestmark = pytest.mark.parametrize("front", ["grpc", pytest.param("native", marks=NEEDS_FRONT)])


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    return Identities(tmp_path / "identities")


def asks(channel: grpc.Channel) -> Callable[[], tuple[grpc.StatusCode, str]]:
    stub = trust_list_pb2_grpc.TrustListServiceStub(channel)
    return lambda: code_of(lambda: stub.GetTrustList(trust_list_pb2.GetTrustListRequest(), timeout=10))


def refused(call: Callable[[], tuple[grpc.StatusCode, str]]) -> tuple[grpc.StatusCode, str]:
    """Return how a call is refused, once it is."""
    ended: list[tuple[grpc.StatusCode, str]] = []

    def probe() -> bool:
        ended.append(call())
        return ended[-1][0] is not OK

    eventually(probe, WITHIN_S)
    return ended[-1]


def page_status(server: Server, context: ssl.SSLContext) -> int:
    try:
        with urlopen(f"https://{server.page}/healthz", timeout=30, context=context) as answer:
            return int(answer.status)
    except HTTPError as answer:
        with answer:
            return answer.code


def test_a_removed_authority_counts_for_no_connection_and_its_revocations_stay(
    front: str, deployment: Deployment, serve: Serve, identities: Identities
) -> None:
    server = serve(deployment, *identities.flags("--front", front))
    between = Authority("issuing", issuer=identities.authority)
    kept, revoked = between.issue(spiffe_id(OPS)), identities.authority.issue(spiffe_id(OPS))
    calls, others = asks(identities.channel(server, kept)), asks(identities.channel(server, revoked))
    assert calls() == others() == (OK, "")
    identities.crl.write_bytes(identities.authority.crl(revoked))
    refused(others)
    assert calls() == (OK, "")
    other = Authority("other root")
    identities.crl.write_bytes(other.crl())
    identities.client_ca.write_bytes(other.pem)
    code, text = refused(calls)
    if front == "grpc":  # the native one closes the connection, and refuses the next one in its handshake
        assert code is UNAUTHENTICATED
        assert "does not lead" in text
    for _ in range(3):
        assert OK not in {calls()[0], others()[0]}


def test_a_revoked_authority_on_the_chain_is_refused_at_calls_and_pages(
    front: str, deployment: Deployment, serve: Serve, identities: Identities
) -> None:
    between = Authority("issuing", issuer=identities.authority)
    server = serve(deployment, *identities.flags("--front", front, "--metrics-tls", "true"))
    leaf = between.issue(spiffe_id(OPS))
    calls, page = asks(identities.channel(server, leaf)), identities.context(leaf)
    assert calls() == (OK, "")
    assert page_status(server, page) == 200
    identities.crl.write_bytes(identities.authority.crl(Leaf(between.certificate, between.key)))
    _, text = refused(calls)
    if front == "grpc":
        assert text == "an authority in the chain of the client certificate is revoked"
    assert page_status(server, page) == 401


def test_two_authorities_of_one_name_with_lists_are_both_accepted(
    front: str, deployment: Deployment, serve: Serve, identities: Identities
) -> None:
    old, renewed = identities.authority, Authority()
    assert old.name == renewed.name
    identities.client_ca.write_bytes(old.pem + renewed.pem)
    revoked = [authority.issue(spiffe_id(OPS)) for authority in (old, renewed)]
    identities.crl.write_bytes(old.crl(revoked[0]) + renewed.crl(revoked[1]))
    server = serve(deployment, *identities.flags("--front", front))
    for authority, no_more in zip((old, renewed), revoked, strict=True):
        assert asks(identities.channel(server, authority.issue(spiffe_id(OPS))))() == (OK, "")
        ended = asks(identities.channel(server, no_more))()
        assert ended == (UNAUTHENTICATED, "the client certificate is revoked")
