"""Chains that were shown in PEM: whether they lead to an authority in force, at each call."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from onecode_server.errors import Unauthenticated
from onecode_server.identity import authorities, chains, client_trust
from onecode_server.identity.client_certificates import ClientCertificates
from onecode_server.identity.client_trust import ClientTrust
from onecode_server.identity.watched_files import File

from tests.certificates import TRUST_DOMAIN, Authority, Leaf, make_key, spiffe_id

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
ROOT, OTHER = Authority(now=NOW), Authority("other root", now=NOW)
ISSUING = Authority("issuing", issuer=ROOT)
BELOW = Authority("below", "ed25519", issuer=ISSUING)
OPS = spiffe_id("ops")


def trust(*bundle: Authority, crl: bytes | None = None, before: ClientTrust | None = None) -> ClientTrust:
    contents = [b"".join(one.pem for one in bundle), *([] if crl is None else [crl])]
    return client_trust.read([File(Path("file"), content, 0o600, is_private=True) for content in contents], before)


def refusal(shown: bytes, by: ClientTrust, certificates: ClientCertificates | None = None) -> str | None:
    reader = ClientCertificates(TRUST_DOMAIN) if certificates is None else certificates
    try:
        reader.read(shown, NOW_US, by)
    except Unauthenticated as fault:
        return fault.reason
    return None


def certify(
    key: object,
    by: Authority,
    name: str = "issuing",
    *extensions: x509.ExtensionType,
    not_after: datetime = NOW + timedelta(days=1),
) -> x509.Certificate:
    """Return a certificate of an authority's, with other extensions than a good one has."""
    builder = (
        x509.CertificateBuilder()
        .issuer_name(by.name)
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(not_after)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(by.key, hashes.SHA256())


CA = x509.BasicConstraints(ca=True, path_length=None)


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa"])
def test_a_chain_of_any_kind_of_keys_leads_to_its_root(kind):
    root = Authority("a root", kind, now=NOW)
    between = Authority("between", kind, issuer=root)
    for issuer in (root, between):
        assert refusal(issuer.issue(OPS).chain_pem, trust(OTHER, root)) is None
        assert refusal(issuer.issue(OPS).chain_pem, trust(OTHER)) == "CERTIFICATE_AUTHORITY_UNKNOWN"


def test_authorities_may_be_shown_in_any_order_with_others_and_with_the_root():
    leaf = BELOW.issue(OPS)
    others = [ROOT, OTHER, ISSUING, BELOW]
    assert refusal(leaf.pem + b"".join(one.pem for one in others), trust(ROOT)) is None
    assert refusal(leaf.pem + BELOW.pem, trust(ISSUING)) is None, "an authority of the bundle need not be a root"
    assert refusal(leaf.pem + ISSUING.pem, trust(ROOT)) == "CERTIFICATE_AUTHORITY_UNKNOWN"


def test_the_name_of_an_authority_is_not_enough():
    impostor = Authority(now=NOW)
    assert impostor.name == ROOT.name
    assert refusal(impostor.issue(OPS).chain_pem, trust(ROOT)) == "CERTIFICATE_AUTHORITY_UNKNOWN"
    assert refusal(impostor.issue(OPS).chain_pem, trust(ROOT, impostor)) is None
    below = Authority("issuing", issuer=impostor)
    assert refusal(below.issue(OPS).pem + ISSUING.pem, trust(ROOT)) == "CERTIFICATE_AUTHORITY_UNKNOWN"


@pytest.mark.parametrize(
    ("extensions", "leads"),
    [
        ((CA,), True),
        ((CA, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])), True),
        ((CA, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])), False),
        ((x509.BasicConstraints(ca=False, path_length=None),), False),
        ((), False),
        ((CA, x509.KeyUsage(*[True] + [False] * 8)), False),
        ((x509.BasicConstraints(ca=True, path_length=0),), True),
    ],
)
def test_only_a_certificate_that_may_issue_others_is_on_the_way(extensions, leads):
    key = make_key()
    between = certify(key, ROOT, "issuing", *extensions)
    leaf = Authority("issuing", key=key, now=NOW).issue(OPS)
    shown = leaf.pem + between.public_bytes(Encoding.PEM)
    assert (refusal(shown, trust(ROOT)) is None) is leads


def test_no_more_authorities_follow_one_than_it_allows():
    key = make_key()
    short = certify(key, ROOT, "short", x509.BasicConstraints(ca=True, path_length=0))
    last = Authority("last", issuer=Authority("short", key=key, now=NOW))
    shown = last.issue(OPS).pem + last.pem + short.public_bytes(Encoding.PEM)
    assert refusal(shown, trust(ROOT)) == "CERTIFICATE_AUTHORITY_UNKNOWN"


def test_what_a_caller_is_ends_with_the_first_certificate_on_its_way():
    key = make_key()
    ends = NOW + timedelta(hours=1)
    between = certify(key, ROOT, "issuing", CA, not_after=ends)
    shown = Authority("issuing", key=key, now=NOW).issue(OPS).pem + between.public_bytes(Encoding.PEM)
    certificates, by = ClientCertificates(TRUST_DOMAIN), trust(ROOT)
    until = certificates.read(shown, NOW_US, by).until
    assert until == int(ends.timestamp() + 1) * 1_000_000
    assert certificates.read(shown, until - 1, by).until == until
    for _ in range(2):
        with pytest.raises(Unauthenticated, match="does not lead"):
            certificates.read(shown, until, by)


def test_a_removed_authority_counts_for_no_connection_and_its_revocations_stay():
    leaf, revoked = ISSUING.issue(OPS), ROOT.issue(OPS)
    certificates = ClientCertificates(TRUST_DOMAIN)
    before = trust(ROOT, OTHER, crl=ROOT.crl(revoked) + OTHER.crl())
    assert refusal(leaf.chain_pem, before, certificates) is None
    assert refusal(revoked.der, before, certificates) == "CERTIFICATE_REVOKED"
    after = trust(OTHER, crl=OTHER.crl(), before=before)
    assert refusal(leaf.chain_pem, after, certificates) == "CERTIFICATE_AUTHORITY_UNKNOWN"
    assert refusal(revoked.der, after, certificates) == "CERTIFICATE_REVOKED"
    back = trust(ROOT, OTHER, crl=ROOT.crl(revoked) + OTHER.crl(), before=after)
    assert refusal(leaf.chain_pem, back, certificates) is None


@pytest.mark.parametrize("issuer", [ISSUING, BELOW])
def test_a_revoked_authority_on_the_chain_takes_its_clients_with_it(issuer):
    crl = ROOT.crl(Leaf(ISSUING.certificate, ISSUING.key))
    leaf, certificates = issuer.issue(OPS), ClientCertificates(TRUST_DOMAIN)
    assert refusal(leaf.chain_pem, trust(ROOT, crl=ROOT.crl()), certificates) is None
    assert refusal(leaf.chain_pem, trust(ROOT, crl=crl), certificates) == "CERTIFICATE_AUTHORITY_REVOKED"
    assert refusal(leaf.pem, trust(ROOT, crl=crl), certificates) == "CERTIFICATE_AUTHORITY_UNKNOWN"


def test_signatures_are_checked_once_for_the_authorities_in_force(monkeypatch):
    checked = []
    real = authorities.has_signed

    def counted(issuer: x509.Certificate, of: x509.Certificate) -> bool:
        checked.append(of)
        return real(issuer, of)

    monkeypatch.setattr(authorities, "has_signed", counted)
    leaf, certificates, by = BELOW.issue(OPS), ClientCertificates(TRUST_DOMAIN), trust(ROOT, crl=ROOT.crl())
    for _ in range(3):
        assert refusal(leaf.chain_pem, by, certificates) is None
    assert len(checked) == 3
    later = trust(ROOT, crl=ROOT.crl(last_update=NOW + timedelta(hours=1)), before=by)
    assert refusal(leaf.chain_pem, later, certificates) is None
    assert len(checked) == 3, "the authorities are the same, and only their lists are others"
    assert refusal(leaf.chain_pem, trust(OTHER), certificates) is not None
    assert refusal(leaf.chain_pem, trust(ROOT), certificates) is None
    assert len(checked) == 3 + 2 + 3


@pytest.mark.parametrize(
    "shown",
    [
        ISSUING.issue(OPS).chain_pem[:-40],
        ISSUING.issue(OPS).pem + ROOT.crl(),
        ISSUING.issue(OPS).pem + ISSUING.pem.replace(b"M", b"N", 1),
        ISSUING.issue(OPS).pem + ISSUING.pem * chains.CHAIN_MAX,
    ],
)
def test_a_chain_that_cannot_be_read_as_a_whole_is_refused(shown):
    assert refusal(shown, trust(ROOT)) == "CERTIFICATE_UNREADABLE"


def test_many_authorities_of_one_name_cost_a_bounded_number_of_checks(monkeypatch):
    checked = []
    monkeypatch.setattr(authorities, "has_signed", lambda *of: checked.append(of))
    others = b"".join(Authority("issuing", issuer=ROOT).pem for _ in range(chains.CHAIN_MAX - 1))
    assert refusal(ISSUING.issue(OPS).pem + others, trust(ROOT)) == "CERTIFICATE_AUTHORITY_UNKNOWN"
    assert len(checked) == chains.CHAIN_MAX - 1
