"""Revocation lists: what they revoke, who may sign them, and which are refused whole."""

import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.errors import Malformed
from onecode_server.identity import authorities, certificate, revocation

from tests.certificates import Authority, Leaf

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ROOT = Authority(now=NOW, key=Ed25519PrivateKey.from_private_bytes(bytes(31) + b"r"))
SECOND_ROOT = Authority("second root", now=NOW)
GOOD, BAD = (ROOT.issue("spiffe://a/b", serial=serial) for serial in (5, 2**150 + 1))
BUNDLE = authorities.read(ROOT.pem + SECOND_ROOT.pem)


def is_revoked(found: revocation.Revocations, leaf: Leaf) -> bool:
    return found.revoked(certificate.read(leaf.der))


def read(data: bytes, known: authorities.Authorities) -> revocation.Revocations:
    return revocation.read(revocation.load(data), known)


def der(pem: bytes) -> bytes:
    return x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER)


def test_a_list_revokes_what_is_in_it_in_pem_and_in_der():
    for data in (ROOT.crl(BAD), der(ROOT.crl(BAD)), b"# of today\n" + ROOT.crl(BAD)):
        found = read(data, BUNDLE)
        assert (is_revoked(found, BAD), is_revoked(found, GOOD)) == (True, False)
        assert found.next_update == int((NOW + timedelta(days=1)).timestamp() * 1e6)


def test_a_serial_is_revoked_for_its_own_issuer_alone():
    same_serial = SECOND_ROOT.issue("spiffe://a/b", serial=BAD.certificate.serial_number)
    found = read(ROOT.crl(BAD) + SECOND_ROOT.crl(), BUNDLE)
    assert (is_revoked(found, BAD), is_revoked(found, same_serial)) == (True, False)


def test_several_lists_of_one_issuer_count_together():
    found = read(ROOT.crl(BAD) + ROOT.crl(GOOD, next_update=NOW + timedelta(hours=1)), BUNDLE)
    assert is_revoked(found, BAD)
    assert is_revoked(found, GOOD)
    assert found.next_update == int((NOW + timedelta(hours=1)).timestamp() * 1e6)


def test_an_authority_below_the_root_signs_its_own_list():
    below = Authority("issuing", kind="rsa", issuer=ROOT)
    leaf = below.issue("spiffe://a/b")
    with pytest.raises(Malformed, match="not in the bundle"):
        read(below.crl(leaf), BUNDLE)
    assert is_revoked(read(below.crl(leaf), authorities.read(ROOT.pem + below.pem)), leaf)


def test_an_authority_with_two_keys_of_one_name_may_sign_by_either():
    renewed = Authority(now=NOW)
    bundle = authorities.read(ROOT.pem + renewed.pem)
    assert is_revoked(read(renewed.crl(BAD), bundle), BAD)
    with pytest.raises(Malformed, match="signature"):
        read(renewed.crl(BAD), BUNDLE)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no revocation list"),
        (b"0\x80", "no revocation list"),
        (ROOT.crl(BAD)[:-30], "no whole block"),
        (ROOT.crl(BAD) + ROOT.crl()[:100], "cut off"),
        (ROOT.crl(BAD) + ROOT.pem, "none of X509 CRL"),
        (ROOT.pem, "no whole block"),
        (der(ROOT.crl(BAD)) + b"\0", "no revocation list"),
        (ROOT.crl() * (revocation.LISTS_MAX + 1), "more than"),
        (ROOT.crl() + ROOT.crl(BAD, signed_by=SECOND_ROOT), "list 2: its signature"),
        (Authority("strange", now=NOW).crl(), "not in the bundle"),
        (ROOT.crl(extensions=[(x509.DeltaCRLIndicator(1), True)]), "delta"),
        (
            ROOT.crl(
                extensions=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True)],
            ),
            "critical extension",
        ),
        (
            ROOT.crl(
                extensions=[
                    (x509.IssuingDistributionPoint(None, None, False, False, None, True, False), True),
                ]
            ),
            "indirect",
        ),
    ],
)
def test_what_is_no_whole_list_of_a_known_authority_is_refused(data, why):
    with pytest.raises(Malformed, match=why):
        read(data, BUNDLE)


def test_an_issuer_whose_usage_excludes_lists_signs_none(monkeypatch):
    monkeypatch.setattr(authorities, "may_sign_lists", lambda _: False)
    with pytest.raises(Malformed, match="may sign no lists"):
        read(ROOT.crl(), BUNDLE)


def test_a_list_does_not_go_back():
    old, new = (read(ROOT.crl(last_update=NOW + timedelta(hours=hours)), BUNDLE) for hours in (0, 1))
    revocation.expect_later(new, old, BUNDLE)
    revocation.expect_later(old, old, BUNDLE)
    with pytest.raises(Malformed, match="older"):
        revocation.expect_later(old, new, BUNDLE)
    with pytest.raises(Malformed, match="missing"):
        revocation.expect_later(revocation.NOTHING_REVOKED, old, BUNDLE)
    revocation.expect_later(revocation.NOTHING_REVOKED, old, authorities.read(SECOND_ROOT.pem))


@given(st.data())
def test_a_changed_list_is_refused_or_says_the_same(data):
    whole = der(ROOT.crl(BAD))
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + data.draw(st.integers(0, 3)) :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(Malformed):
            assert is_revoked(read(changed, BUNDLE), BAD)
