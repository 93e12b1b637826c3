"""What client certificates are checked by, and what of it is handed to listeners."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from onecode_server.errors import Malformed
from onecode_server.identity import certificate, client_trust, revocation
from onecode_server.identity.client_trust import ClientTrust
from onecode_server.identity.revocation import Issued, Revocations
from onecode_server.identity.watched_files import File

from tests.certificates import Authority, Leaf

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ROOT, OTHER = Authority(now=NOW), Authority("other root", now=NOW)
RENEWED = Authority(now=NOW)
LEAF = ROOT.issue("spiffe://a/b")


def read(ca: bytes, crl: bytes | None = None, before: ClientTrust | None = None) -> ClientTrust:
    files = [File(Path("ca.crt"), ca, 0o600, is_private=True)]
    return client_trust.read(
        files if crl is None else [*files, File(Path("ca.crl"), crl, 0o600, is_private=True)], before
    )


def is_revoked(trust: ClientTrust, leaf: Leaf = LEAF) -> bool:
    return trust.revocations.revoked(certificate.read(leaf.der))


def test_listeners_get_blocks_of_pem_whatever_the_files_are():
    comment = "# Autorité du réseau\n".encode("latin-1")
    der = x509.load_pem_x509_crl(ROOT.crl(LEAF)).public_bytes(Encoding.DER)
    crl = ROOT.crl(LEAF)
    for content in (der, x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)):
        found = read(comment + ROOT.pem + comment + OTHER.pem, content)
        assert found.ca == ROOT.pem + OTHER.pem
        assert found.crl is not None
        assert x509.load_pem_x509_crl(found.crl).public_bytes(Encoding.DER) == der
        assert is_revoked(found)
    assert read(ROOT.pem, comment + crl + comment).crl == crl


def test_of_two_keys_of_one_name_both_lists_count_and_no_listener_gets_them():
    of_other = OTHER.crl()
    lists = RENEWED.crl(RENEWED.issue("spiffe://a/b")) + of_other + ROOT.crl(LEAF)
    found = read(ROOT.pem + RENEWED.pem + OTHER.pem, lists)
    assert is_revoked(found)
    assert found.crl == of_other
    assert read(ROOT.pem + RENEWED.pem, ROOT.crl(LEAF)).crl is None


def test_of_several_lists_of_one_issuer_listeners_get_the_newest_first():
    older, newer = ROOT.crl(LEAF), ROOT.crl(last_update=NOW + timedelta(hours=1))
    assert read(ROOT.pem, older + newer).crl == newer + older
    assert is_revoked(read(ROOT.pem, older + newer))


def test_an_authority_that_comes_back_must_bring_its_list():
    before = read(ROOT.pem + OTHER.pem, ROOT.crl(LEAF) + OTHER.crl())
    without = read(OTHER.pem, OTHER.crl(), before)
    assert is_revoked(without)
    assert without.revocations.next_update == read(OTHER.pem, OTHER.crl()).revocations.next_update
    for lists in (OTHER.crl(), OTHER.crl() + ROOT.crl(last_update=NOW - timedelta(hours=1))):
        with pytest.raises(Malformed, match=r"ca\.crl: "):
            read(ROOT.pem + OTHER.pem, lists, without)
    assert not is_revoked(read(ROOT.pem + OTHER.pem, OTHER.crl() + ROOT.crl(), without))


def test_the_same_authorities_stay_the_same_object():
    before = read(ROOT.pem, ROOT.crl())
    assert read(b"# again\n" + ROOT.pem, ROOT.crl(LEAF), before).authorities is before.authorities
    assert read(ROOT.pem + OTHER.pem, ROOT.crl(), before).authorities is not before.authorities


def test_what_is_kept_of_removed_issuers_is_bounded_and_the_newest_stays():
    def issued(serials: int) -> Issued:
        return Issued(frozenset(range(serials)), 0, None)

    nothing = Revocations({})
    old = Revocations({}, {f"n{number}": issued(1) for number in range(revocation.REMOVED_MAX)})
    kept = revocation.keep_removed(nothing, Revocations({"last": issued(1)}, old.removed), {}).removed
    assert list(kept)[:2] == ["last", "n0"]
    assert len(kept) == revocation.REMOVED_MAX
    large = Revocations({"last": issued(revocation.REMOVED_SERIALS_MAX)}, old.removed)
    assert list(revocation.keep_removed(nothing, large, {}).removed) == ["last"]
