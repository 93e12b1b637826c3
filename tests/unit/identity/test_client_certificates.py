"""Client certificates in use: parsed once, checked each time, and refused with a word for each fault."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onecode_server.errors import Unauthenticated
from onecode_server.identity import certificate, client_trust
from onecode_server.identity.certificate import CERTIFICATE_BYTES_MAX
from onecode_server.identity.client_certificates import CERTIFICATES_KEPT, ClientCertificates
from onecode_server.identity.client_trust import ClientTrust
from onecode_server.identity.watched_files import File
from onecode_server.model.identity import Identity, Role

from tests.certificates import TRUST_DOMAIN, Authority, spiffe_id

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
SECOND = 1_000_000
ROOT = Authority(now=NOW)
SCANNER_ID = spiffe_id("region/420000/scanner")
SCANNER = ROOT.issue(SCANNER_ID, not_after=NOW + timedelta(hours=1))


def trust(ca: bytes = ROOT.pem, crl: bytes | None = None, before: ClientTrust | None = None) -> ClientTrust:
    contents = [ca] if crl is None else [ca, crl]
    return client_trust.read([File(Path("file"), content, 0o600, is_private=True) for content in contents], before)


TRUST = trust()


@pytest.fixture
def certificates():
    return ClientCertificates(TRUST_DOMAIN)


def refusal(certificates, data, now=NOW_US, by=TRUST):
    with pytest.raises(Unauthenticated) as caught:
        certificates.read(data, now, by)
    return caught.value.reason


def test_a_certificate_is_its_owners_from_its_first_to_its_last_second(certificates):
    hour = 3600 * SECOND
    known = certificates.read(SCANNER.der, NOW_US, TRUST)
    assert known == (Identity(Role.SCANNER, "420000"), NOW_US + hour + SECOND)
    assert certificates.read(SCANNER.pem, NOW_US - hour, TRUST) == known
    assert certificates.read(SCANNER.der, known.until - 1, TRUST) == known
    assert refusal(certificates, SCANNER.der, known.until) == "CERTIFICATE_EXPIRED"
    assert refusal(certificates, SCANNER.der, NOW_US - hour - 1) == "CERTIFICATE_NOT_YET_VALID"


@pytest.mark.parametrize(
    ("uris", "made", "reason"),
    [
        ([], {}, "CERTIFICATE_WITHOUT_URI"),
        ([], {"dns": ["a.example"]}, "CERTIFICATE_WITHOUT_URI"),
        ([SCANNER_ID, SCANNER_ID], {}, "CERTIFICATE_WITH_MANY_URIS"),
        ([SCANNER_ID, "https://a.example/"], {}, "CERTIFICATE_WITH_MANY_URIS"),
        ([SCANNER_ID], {"usages": ["server"]}, "CERTIFICATE_USAGE"),
        ([SCANNER_ID], {"key_usage": {"key_agreement": True}}, "CERTIFICATE_USAGE"),
        ([SCANNER_ID], {"is_authority": True}, "CERTIFICATE_USAGE"),
        (["https://onecode.internal/ops"], {}, "SPIFFE_ID_MALFORMED"),
        (["spiffe://onecode.internal/region/%34%32/scanner"], {}, "SPIFFE_ID_MALFORMED"),
        (["spiffe://elsewhere.internal/ops"], {}, "SPIFFE_ID_TRUST_DOMAIN"),
        ([spiffe_id("admin")], {}, "SPIFFE_ID_UNKNOWN"),
    ],
)
def test_each_fault_of_a_certificate_has_its_own_word_each_time(certificates, uris, made, reason):
    data = ROOT.issue(*uris, **made).der
    assert [refusal(certificates, data) for _ in range(2)] == [reason] * 2


@pytest.mark.parametrize("data", [SCANNER.der, SCANNER.pem])
def test_a_revoked_certificate_is_refused_at_the_next_call(certificates, data):
    certificates.read(data, NOW_US, trust(crl=ROOT.crl()))
    assert refusal(certificates, data, by=trust(crl=ROOT.crl(SCANNER))) == "CERTIFICATE_REVOKED"


def test_a_certificate_is_parsed_once_and_a_bad_one_too(certificates, monkeypatch):
    parsed = []
    real = certificate.read

    def counted(data: bytes) -> certificate.Certificate:
        parsed.append(data)
        return real(data)

    monkeypatch.setattr(certificate, "read", counted)
    for data in (SCANNER.der, bytes(bytearray(SCANNER.der))):
        certificates.read(data, NOW_US, TRUST)
    for _ in range(2):
        assert refusal(certificates, b"0 nonsense") == "CERTIFICATE_UNREADABLE"
    assert len(parsed) == len(certificates) == 2


def test_one_above_the_bound_is_neither_parsed_nor_kept(certificates, monkeypatch):
    monkeypatch.setattr(certificate, "read", lambda _: pytest.fail("it was parsed"))
    assert refusal(certificates, SCANNER.der.ljust(CERTIFICATE_BYTES_MAX + 1, b"\0")) == "CERTIFICATE_UNREADABLE"
    assert len(certificates) == 0


def test_the_number_of_kept_ones_is_bounded(certificates):
    for number in range(CERTIFICATES_KEPT + 10):
        refusal(certificates, b"0%d" % number)
    assert len(certificates) == CERTIFICATES_KEPT
