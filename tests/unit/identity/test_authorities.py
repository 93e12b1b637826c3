"""The bundle of client authorities: whole, of authorities alone, and bounded."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey

from onecode_server.errors import Malformed
from onecode_server.identity import authorities

from tests.certificates import Authority

ROOT = Authority()
BELOW = Authority("issuing", issuer=ROOT)


def test_a_bundle_has_its_authorities_by_name_and_two_of_one_name_both():
    again = Authority()
    found = authorities.read(ROOT.pem + BELOW.pem + again.pem)
    assert sorted(map(len, found.values())) == [1, 2]
    assert all(authorities.may_sign_lists(one) for several in found.values() for one in several)


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "no whole block"),
        (b"nonsense", "no whole block"),
        (ROOT.pem[:-40], "no whole block"),
        (ROOT.pem + BELOW.pem[:-40], "cut off"),
        (ROOT.pem[:-40] + BELOW.pem, "cut off"),
        (ROOT.pem.replace(b"A", b"!"), "no whole block"),
        (ROOT.pem[:40] + ROOT.pem[44:], "certificate 1 cannot be read"),
        (ROOT.pem + ROOT.issue("spiffe://a/b").key_pem, "none of CERTIFICATE"),
        (ROOT.pem + ROOT.issue("spiffe://a/b").pem, "certificate 2: it is no authority's"),
        (Authority(key=Ed448PrivateKey.generate()).pem, "none of RSA, EC and Ed25519"),
        (ROOT.pem * (authorities.AUTHORITIES_MAX + 1), "more than"),
    ],
)
def test_what_is_no_whole_bundle_of_authorities_is_refused(pem, why):
    with pytest.raises(Malformed, match=why):
        authorities.read(pem)


def test_a_certificate_without_basic_constraints_is_no_authoritys_and_without_usages_may_sign_lists(monkeypatch):
    def missing(self: x509.Extensions, kind: type[x509.ExtensionType]) -> None:
        raise x509.ExtensionNotFound("missing", kind.oid)

    monkeypatch.setattr(x509.Extensions, "get_extension_for_class", missing)
    assert authorities.may_sign_lists(ROOT.certificate)
    with pytest.raises(Malformed, match="it is no authority's"):
        authorities.read(ROOT.pem)
