"""Client certificates: what is read of them, and that no bytes raise anything but Unauthenticated."""

import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.errors import Unauthenticated
from onecode_server.identity import certificate
from onecode_server.identity.certificate import CERTIFICATE_BYTES_MAX

from tests.certificates import Authority, spiffe_id

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ROOT = Authority(now=NOW, key=Ed25519PrivateKey.from_private_bytes(bytes(31) + b"r"))
SCANNER = ROOT.issue(
    spiffe_id("region/420000/scanner"),
    dns=["gate.example"],
    key=Ed25519PrivateKey.from_private_bytes(bytes(31) + b"s"),
    serial=7,
)


def test_der_and_pem_say_the_same():
    read = certificate.read(SCANNER.der)
    assert certificate.read(SCANNER.pem) == read
    assert read.uris == (spiffe_id("region/420000/scanner"),)
    assert read.serial == SCANNER.certificate.serial_number
    assert (read.not_before, read.not_after) == (
        int((NOW - timedelta(hours=1)).timestamp() * 1e6),
        int((NOW + timedelta(days=1)).timestamp() * 1e6),
    )
    assert (read.may_be_client, read.may_be_server) == (True, False)


def test_all_uris_are_read_in_order():
    assert certificate.read(ROOT.issue("spiffe://a/b", "https://c/d").der).uris == ("spiffe://a/b", "https://c/d")
    assert certificate.read(ROOT.issue(dns=["a.example"]).der).uris == ()
    assert certificate.read(ROOT.issue().der).uris == ()


@pytest.mark.parametrize(
    ("made", "client", "server"),
    [
        ({"usages": ["server"]}, False, True),
        ({"usages": ["client", "server"]}, True, True),
        ({"usages": None}, True, True),
        ({"key_usage": {}}, True, False),
        ({"key_usage": {"key_encipherment": True}}, False, False),
        ({"key_usage": {"digital_signature": True, "key_cert_sign": True}}, False, False),
        ({"is_authority": True}, False, False),
    ],
)
def test_usages_say_what_a_certificate_is_for(made, client, server):
    read = certificate.read(ROOT.issue("spiffe://a/b", **made).der)
    assert (read.may_be_client, read.may_be_server) == (client, server)


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa"])
def test_the_kind_of_the_key_does_not_matter(kind):
    assert certificate.read(ROOT.issue("spiffe://a/b", kind=kind).der).uris == ("spiffe://a/b",)


@pytest.mark.parametrize(
    "data",
    [b"", b"0", b"\x30\x80", SCANNER.der[:-1], SCANNER.der + b"\0", b"-----BEGIN CERTIFICATE-----", SCANNER.pem[:200]],
)
def test_what_is_no_certificate_is_unauthenticated(data):
    with pytest.raises(Unauthenticated) as caught:
        certificate.read(data)
    assert caught.value.reason == "CERTIFICATE_UNREADABLE"


def _changed(data: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    for kind, at, length, new in edits:
        place = at % (len(data) + 1)
        if kind == "replace":
            data = data[:place] + new + data[place + len(new) :]
        elif kind == "insert":
            data = data[:place] + new + data[place:]
        elif kind == "cut":
            data = data[:place] + data[place + length :]
        else:
            data = data[:place] + data[place : place + length] + data[place:]
    return data


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "insert", "cut", "repeat"]),
        st.integers(0, 2000),
        st.integers(1, 200),
        st.binary(min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)


@given(st.sampled_from([SCANNER.der, SCANNER.pem, ROOT.pem]), EDITS)
def test_changed_bytes_are_read_or_unauthenticated_and_nothing_else(data, edits):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a serial number of 0 is deprecated
        with suppress(Unauthenticated):
            certificate.read(_changed(data, edits))


def test_one_above_the_bound_is_not_parsed(monkeypatch):
    monkeypatch.setattr(x509, "load_der_x509_certificate", lambda _: pytest.fail("it was parsed"))
    with pytest.raises(Unauthenticated):
        certificate.read(SCANNER.der.ljust(CERTIFICATE_BYTES_MAX + 1, b"\0"))


def test_an_issuer_has_one_key_however_its_name_is_spelled():
    def name(text: str, kind: _ASN1Type) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, kind)])

    key = certificate.name_key(name("Onecode CA", _ASN1Type.UTF8String))
    assert certificate.name_key(name("onecode  ca", _ASN1Type.PrintableString)) == key
    assert certificate.name_key(name("onecode cb", _ASN1Type.UTF8String)) != key
