"""Bad certificates, each shown to a server by a real client: none becomes an identity.

The native front refuses in the handshake what grpc.aio lets through to the call, and the other way round: the native
front asks for a certificate, and grpc.aio demands one where there are authorities. Both are a refusal, and
``HANDSHAKE`` stands for the first.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.certificates import Authority, Leaf, spiffe_id
from tests.integration.bad_identities import HANDSHAKE, URIS, Counted, expect_refused, verify
from tests.integration.deployment import Deployment, Server
from tests.integration.identities import OPERATOR, PARTNER, SCANNER, Identities, refusal_of


class Caller:
    """What a caller shows of itself: made by a test, given the files of the server."""

    def __init__(self, identities: Identities) -> None:
        self.identities = identities
        self.authority = identities.authority

    def certificate(self, *uris: str, **how: Any) -> Leaf:
        """Return a certificate of the authority with these URIs."""
        return self.authority.issue(*uris, **how)

    def scanner(self, **how: Any) -> Leaf:
        """Return a scanner's, which differs from a good one in the given respects."""
        return self.authority.issue(spiffe_id(SCANNER), **how)


def _days(count: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=count)


def _with_uri(uri: str) -> Callable[[Caller], Leaf]:
    return lambda by: by.certificate(uri)


# What is shown; how the native front refuses it, and how grpc.aio.
CERTIFICATES: Final[dict[str, tuple[Callable[[Caller], Leaf | None], str, str]]] = {
    "none": (lambda _: None, "IDENTITY_MISSING", HANDSHAKE),
    "expired": (lambda by: by.scanner(not_before=_days(-2), not_after=_days(-1)), HANDSHAKE, HANDSHAKE),
    "not yet valid": (lambda by: by.scanner(not_before=_days(1), not_after=_days(2)), HANDSHAKE, HANDSHAKE),
    "of another authority": (lambda _: Authority("another").issue(spiffe_id(SCANNER)), HANDSHAKE, HANDSHAKE),
    "of an authority of the same name": (lambda _: Authority().issue(spiffe_id(SCANNER)), HANDSHAKE, HANDSHAKE),
    "for servers alone": (lambda by: by.scanner(usages=("server",)), HANDSHAKE, HANDSHAKE),
    "revoked": (lambda by: by.identities.leaf("region/420000/scanner-revoked"), HANDSHAKE, "CERTIFICATE_REVOKED"),
    "an authority's": (lambda by: by.scanner(is_authority=True), HANDSHAKE, "CERTIFICATE_USAGE"),
    "for signing certificates": (
        lambda by: by.scanner(key_usage={"key_cert_sign": True, "digital_signature": True}),
        "CERTIFICATE_USAGE",
        "CERTIFICATE_USAGE",
    ),
    "two URIs": (
        lambda by: by.certificate(spiffe_id(SCANNER), spiffe_id(OPERATOR)),
        "CERTIFICATE_WITH_MANY_URIS",
        "CERTIFICATE_WITH_MANY_URIS",
    ),
    "the same URI twice": (
        lambda by: by.certificate(spiffe_id(SCANNER), spiffe_id(SCANNER)),
        "CERTIFICATE_WITH_MANY_URIS",
        "CERTIFICATE_WITH_MANY_URIS",
    ),
    "no URI": (
        lambda by: by.certificate(dns=("scanner.example",)),
        "CERTIFICATE_WITHOUT_URI",
        "CERTIFICATE_WITHOUT_URI",
    ),
} | {f"{name} in the URI": (_with_uri(uri), reason, reason) for name, (uri, reason) in URIS.items()}


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    made = Identities(tmp_path_factory.mktemp("identities"))
    # Its URI is a good one, so that the list of revocations is all that refuses it.
    revoked = made.put_leaf("region/420000/scanner-revoked", made.authority.issue(spiffe_id(SCANNER)))
    made.crl.write_bytes(made.authority.crl(revoked))
    return made


@pytest.mark.parametrize("shown", CERTIFICATES)
def test_a_bad_certificate(
    guarded: Server, identities: Identities, code: bytes, polite: grpc.Channel, shown: str
) -> None:
    make, by_native, by_grpc = CERTIFICATES[shown]
    reason = by_native if guarded.front() == "native" else by_grpc
    counted = Counted(guarded)
    channel = identities.channel(guarded, make(Caller(identities)))
    expect_refused(refusal_of(lambda: verify(channel, code)), reason)
    if reason != HANDSHAKE:
        counted.expect(reason)
    assert verify(polite, code).verdict.decision == pb.DECISION_ADMIT


def test_where_nothing_but_a_certificate_could_do_there_is_no_connection_without_one(
    deployment: Deployment, identities: Identities, serve: Callable[..., Server], code: bytes
) -> None:
    files = ("--tls-cert", identities.cert, "--tls-key", identities.key, "--tls-client-ca", identities.client_ca)
    server = serve(deployment, *files)
    expect_refused(refusal_of(lambda: verify(identities.channel(server), code)), HANDSHAKE)
    # A token is none where the server has no keys for tokens.
    both = identities.channel(server, identities.leaf(SCANNER), identities.token(SCANNER))
    expect_refused(refusal_of(lambda: verify(both, code)), "TOKENS_NOT_ACCEPTED")
    assert verify(identities.of(server, SCANNER), code).verdict.decision == pb.DECISION_ADMIT


def test_where_there_are_no_authorities_no_certificate_is_asked_for(
    deployment: Deployment, identities: Identities, serve: Callable[..., Server], code: bytes
) -> None:
    files = ("--tls-cert", identities.cert, "--tls-key", identities.key, "--token-keys", identities.token_keys)
    server = serve(deployment, *files)
    expect_refused(refusal_of(lambda: verify(identities.of(server, SCANNER), code)), "IDENTITY_MISSING")
    by_token = identities.channel(server, identities.leaf(PARTNER), identities.token(SCANNER))
    assert verify(by_token, code).verdict.decision == pb.DECISION_ADMIT


def test_plaintext_is_no_connection_where_tls_is_spoken(guarded: Server, code: bytes) -> None:
    expect_refused(refusal_of(lambda: verify(guarded.channel(), code)), HANDSHAKE)
