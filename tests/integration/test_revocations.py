"""A certificate is revoked while a server runs, and lists that must not be taken are not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from onecode.v1 import recognition_pb2 as pb

from tests.certificates import Authority
from tests.integration.bad_identities import verify
from tests.integration.deployment import TAKEN_S, Deployment, Server, eventually
from tests.integration.identities import OK, PARTNER, SCANNER, Identities, refusal_of


@pytest.fixture
def revoking(made: Deployment, tmp_path: Path, serve: Callable[..., Server]) -> tuple[Server, Identities]:
    """A server of the test's own, and what its callers show."""
    identities = Identities(tmp_path / "identities")
    server = serve(made.copy_to(tmp_path / "data"), *identities.flags())
    return identities.ops_reads(server), identities


def test_a_revoked_certificate_opens_no_connection_and_makes_no_call(
    revoking: tuple[Server, Identities], code: bytes
) -> None:
    server, identities = revoking
    open_before, other = identities.of(server, SCANNER), identities.of(server, PARTNER)
    for channel in (open_before, other):
        assert verify(channel, code).verdict.decision == pb.DECISION_ADMIT
    identities.revoke(SCANNER)

    def is_refused() -> bool:
        how = refusal_of(lambda: verify(identities.of(server, SCANNER), code))
        # The native front asks the list in the handshake, grpc.aio at the call.
        return how.status == "UNAVAILABLE" if is_native else how.reason == "CERTIFICATE_REVOKED"

    is_native = server.front() == "native"
    eventually(is_refused, within_s=TAKEN_S)
    how = refusal_of(lambda: verify(open_before, code))
    assert how.status == "UNAVAILABLE" or how.reason == "CERTIFICATE_REVOKED"
    assert verify(other, code).verdict.decision == pb.DECISION_ADMIT


def test_lists_that_are_not_whole_or_of_nobody_known_free_nobody(
    revoking: tuple[Server, Identities], code: bytes
) -> None:
    server, identities = revoking
    identities.revoke(SCANNER)
    eventually(lambda: refusal_of(lambda: verify(identities.of(server, SCANNER), code)) != OK, within_s=TAKEN_S)
    good = identities.authority.crl()
    seen: list[dict[str, str]] = [{}]
    for content in (
        good[: len(good) // 2],
        b"",
        Authority("nobody known").crl(),
        identities.authority.crl(signed_by=Authority()),
    ):
        identities.crl.write_bytes(content)
        eventually(lambda: identities.faults(server) not in seen, within_s=30)
        seen.append(identities.faults(server))
        assert refusal_of(lambda: verify(identities.of(server, SCANNER), code)) != OK
        assert verify(identities.of(server, PARTNER), code).verdict.decision == pb.DECISION_ADMIT
    identities.revoke(SCANNER)
    eventually(lambda: not identities.faults(server), within_s=TAKEN_S)


def test_a_list_in_der_revokes_as_one_in_pem_does(
    deployment: Deployment, identities: Identities, code: bytes, serve: Callable[..., Server]
) -> None:
    def write(*revoked: str) -> None:
        pem = identities.authority.crl(*map(identities.leaf, revoked))
        identities.crl.write_bytes(x509.load_pem_x509_crl(pem).public_bytes(serialization.Encoding.DER))

    write(SCANNER)
    server = serve(deployment, *identities.flags())
    assert refusal_of(lambda: verify(identities.of(server, SCANNER), code)) != OK
    assert refusal_of(lambda: verify(identities.of(server, PARTNER), code)) == OK
    write(SCANNER, PARTNER)
    eventually(lambda: refusal_of(lambda: verify(identities.of(server, PARTNER), code)) != OK, within_s=TAKEN_S)
    identities.ops_reads(server)
    assert identities.faults(server) == {}
    assert not [line for line in server.log() if line["level"] not in ("info", "warning")]
