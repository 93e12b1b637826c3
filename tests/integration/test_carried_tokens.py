"""A certificate and a token together, and several authorizations: of two callers at once none is let in."""

import grpc
import pytest
from grpc_health.v1 import health_pb2

from onecode.v1 import recognition_pb2 as pb

from tests.integration.bad_identities import Counted, expect_refused, verify
from tests.integration.deployment import Server
from tests.integration.identities import GATEWAY, OPERATOR, PARTNER, SCANNER, Identities, health_stub, refusal_of


@pytest.mark.parametrize("values", [2, 3])
def test_several_authorizations_are_none(
    guarded: Server, identities: Identities, code: bytes, polite: grpc.Channel, values: int
) -> None:
    token = identities.token(SCANNER)
    channel = identities.of(guarded, SCANNER)
    counted = Counted(guarded)
    shown = (("authorization", f"Bearer {token}"),) * values
    how = refusal_of(lambda: verify(channel, code, metadata=shown))
    assert how[:2] == ("UNAUTHENTICATED", "AUTHORIZATION_REPEATED")
    assert token not in how.text
    assert "\n" not in how.text
    counted.expect("AUTHORIZATION_REPEATED")
    assert verify(polite, code).verdict.decision == pb.DECISION_ADMIT


@pytest.mark.parametrize("value", ["Basic b3BzOm9wcw==", "Bearer", "bearer", "Token x", "x"])
def test_an_authorization_that_is_no_bearer_token(
    guarded: Server, identities: Identities, code: bytes, value: str
) -> None:
    channel = identities.of(guarded, SCANNER)
    counted = Counted(guarded)
    how = refusal_of(lambda: verify(channel, code, metadata=(("authorization", value),)))
    expect_refused(how, "AUTHORIZATION_SCHEME")
    counted.expect("AUTHORIZATION_SCHEME")


@pytest.mark.parametrize("path", [PARTNER, OPERATOR, "region/440000/scanner", GATEWAY])
def test_the_token_of_another_with_a_certificate_that_is_no_gateways(
    guarded: Server, identities: Identities, code: bytes, path: str
) -> None:
    channel = identities.channel(guarded, identities.leaf(SCANNER), identities.token(path))
    counted = Counted(guarded)
    expect_refused(refusal_of(lambda: verify(channel, code)), "TOKEN_OF_ANOTHER")
    counted.expect("TOKEN_OF_ANOTHER")


def test_a_bad_token_is_not_passed_over_in_favour_of_a_good_certificate(
    guarded: Server, identities: Identities, code: bytes
) -> None:
    channel = identities.channel(guarded, identities.leaf(SCANNER), identities.token(SCANNER, aud="elsewhere"))
    expect_refused(refusal_of(lambda: verify(channel, code)), "TOKEN_AUDIENCE")


@pytest.mark.parametrize("carried", ["", GATEWAY, "gateway/gate-8"])
def test_a_gateway_is_nobody_who_may_check(guarded: Server, identities: Identities, code: bytes, carried: str) -> None:
    channel = identities.channel(guarded, identities.leaf(GATEWAY), identities.token(carried) if carried else "")
    how = refusal_of(lambda: verify(channel, code))
    assert how[:2] == ("PERMISSION_DENIED", "NOT_PERMITTED")
    assert "\n" not in how.text
    assert health_stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30).status == 1
