"""Certificates and tokens for development: other people's programs take them for what they are meant for alone."""

import json
import shutil
import socket
import ssl
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest

from tests.integration.deployment import called, expect

OPENSSL = shutil.which("openssl")
CALLERS = {
    "region/420000/scanner": ("--role", "scanner", "--region", "420000"),
    "region/420000/operator": ("--role", "operator", "--region", "420000"),
    "national/operator": ("--role", "national"),
    "partner/acme-1.x_y": ("--role", "partner", "--name", "acme-1.x_y"),
    "ops": ("--role", "ops"),
    "gateway/g1": ("--role", "gateway", "--name", "g1"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and a certificate of each use."""
    path = tmp_path_factory.mktemp("certs") / "made"
    expect(called("certs", "init", path))
    expect(called("certs", "issue", path, "--role", "ops", "--out", path / "client"))
    expect(called("certs", "issue", path, "--server", "localhost", "--server", "127.0.0.1", "--out", path / "server"))
    return path


def names(certificate: Path) -> list[tuple[str, str]]:
    """Return the names in a certificate, as Python's ssl reads them in a handshake."""
    found = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]  # CPython's own tests use it
    return list(found["subjectAltName"])


@pytest.mark.parametrize("path", CALLERS)
def test_a_callers_certificate_has_its_spiffe_id_and_no_other_name(made: Path, tmp_path: Path, path: str) -> None:
    expect(called("certs", "issue", made, *CALLERS[path], "--out", tmp_path / "it"))
    assert names(tmp_path / "it.crt") == [("URI", f"spiffe://onecode.internal/{path}")]


def test_a_servers_certificate_has_its_names_and_addresses(made: Path) -> None:
    assert names(made / "server.crt") == [("DNS", "localhost"), ("IP Address", "127.0.0.1")]


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("file", "purpose", "is_good"),
    [
        ("client.crt", "sslclient", True),
        ("client.crt", "sslserver", False),
        ("server.crt", "sslserver", True),
        ("server.crt", "sslclient", False),
    ],
)
def test_openssl_takes_each_for_its_purpose_alone(made: Path, file: str, purpose: str, is_good: bool) -> None:
    how = ["-x509_strict", "-crl_check", "-CRLfile", str(made / "ca.crl"), "-CAfile", str(made / "ca.crt")]
    asked = [str(OPENSSL), "verify", *how, "-purpose", purpose, str(made / file)]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode == 0) == is_good, ended.stderr


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
def test_what_is_revoked_is_listed_and_the_others_are_not(made: Path, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        expect(called("certs", "issue", made, "--role", "ops", "--out", tmp_path / name))
    for name in ("first", "second"):
        assert "is revoked in" in expect(called("certs", "revoke", made, tmp_path / f"{name}.crt"))
    assert "was revoked before" in expect(called("certs", "revoke", made, tmp_path / "first.crt"))
    how = ["-crl_check", "-CRLfile", str(made / "ca.crl"), "-CAfile", str(made / "ca.crt")]
    statuses = []
    for name in ("first", "second", "third"):
        asked = [str(OPENSSL), "verify", *how, str(tmp_path / f"{name}.crt")]
        ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
        statuses.append("revoked" in ended.stderr)
    assert statuses == [True, True, False]


def test_pythons_tls_shakes_hands_with_them(made: Path) -> None:
    at_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    at_server.load_cert_chain(made / "server.crt", made / "server.key")
    at_client = ssl.create_default_context(cafile=str(made / "ca.crt"))
    at_client.load_cert_chain(made / "client.crt", made / "client.key")
    at_client.verify_flags |= ssl.VERIFY_X509_STRICT
    at_server.load_verify_locations(made / "ca.crt")
    at_server.load_verify_locations(made / "ca.crl")
    at_server.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_CRL_CHECK_LEAF
    at_server.verify_mode = ssl.CERT_REQUIRED
    near, far = socket.socketpair()

    def serve() -> object:
        far.settimeout(60)
        with at_server.wrap_socket(far, server_side=True) as spoken:
            spoken.sendall(b"hello")
            return spoken.getpeercert()

    near.settimeout(60)
    with ThreadPoolExecutor(1) as thread:
        served = thread.submit(serve)
        with at_client.wrap_socket(near, server_hostname="127.0.0.1") as spoken:
            assert spoken.recv(5) == b"hello"
        seen = served.result()
    assert isinstance(seen, dict)
    assert seen["subjectAltName"] == (("URI", "spiffe://onecode.internal/ops"),)


def test_a_token_is_what_another_library_reads_by_the_key_set(made: Path) -> None:
    token = expect(called("certs", "token", made, *CALLERS["region/420000/operator"], "--minutes", "5")).strip()
    key = jwt.PyJWKSet.from_json((made / "jwks.json").read_text())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, audience="onecode", options={"require": ["exp", "iat", "sub", "aud"]})
    assert claims["sub"] == "spiffe://onecode.internal/region/420000/operator"
    assert claims["exp"] - claims["iat"] == 300
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, audience="another")
    assert "d" not in json.loads((made / "jwks.json").read_text())["keys"][0]


def test_a_token_file_is_its_owners_alone_and_is_replaced(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for _ in range(2):
        expect(called("certs", "token", made, "--role", "ops", "--out", file))
        before, content = (file.stat().st_mode, file.read_text())
        assert stat.S_IMODE(before) == 0o600
        assert content.count(".") == 2
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


def test_keys_are_their_owners_alone_and_are_never_overwritten(made: Path) -> None:
    for name in ("ca.key", "token.key", "client.key", "server.key"):
        assert stat.S_IMODE((made / name).stat().st_mode) == 0o600
    before = {file.name: file.read_bytes() for file in made.iterdir()}
    again = called("certs", "init", made)
    assert (again.status, again.err) == (2, f"onecode: {made}/ca.key exists; nothing of it was changed\n")
    again = called("certs", "issue", made, "--role", "ops", "--out", made / "server")
    assert (again.status, again.err) == (2, f"onecode: {made}/server.crt exists; nothing was changed\n")
    assert {file.name: file.read_bytes() for file in made.iterdir()} == before


def test_each_command_that_makes_something_says_that_it_is_for_development(made: Path, tmp_path: Path) -> None:
    for arguments in (
        ("init", tmp_path / "new"),
        ("issue", made, "--role", "ops", "--out", tmp_path / "it"),
        ("token", made, "--role", "ops"),
    ):
        assert called("certs", *arguments).err.startswith("for development: ")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("issue", "@", "--out", "@/x"), "give either --role or --server"),
        (("issue", "@", "--role", "ops", "--server", "a", "--out", "@/x"), "give either --role or --server"),
        (("issue", "@", "--role", "ops", "--region", "420000", "--out", "@/x"), "--role ops has no --region"),
        (("issue", "@", "--role", "scanner", "--out", "@/x"), "--role scanner needs --region"),
        (("issue", "@", "--role", "scanner", "--region", "42", "--out", "@/x"), "--region '42' is not six digits"),
        (("issue", "@", "--role", "partner", "--name", "A/b", "--out", "@/x"), "--name 'A/b' is not 1 to 64"),
        (("issue", "@", "--role", "partner", "--name", "..", "--out", "@/x"), "--name '..' is not 1 to 64"),
        (("issue", "@", "--server", "a b", "--out", "@/x"), "--server 'a b' is neither a DNS name"),
        (("issue", "@", "--server", "a", "--name", "b", "--out", "@/x"), "--region and --name are for a --role"),
        (("issue", "@", "--role", "ops", "--out", "@/no/x"), "cannot write @/no/x.crt"),
        (("issue", "@/no", "--role", "ops", "--out", "@/x"), "cannot read @/no/ca.crt"),
        (("token", "@"), "--role is missing: one of scanner"),
        (("token", "@", "--role", "ops", "--minutes", "1441"), "1441 is not in the range"),
        (("token", "@", "--role", "ops", "--audience", ""), "--audience is empty"),
        (("token", "@", "--role", "ops", "--out", "@/no/x"), "cannot write @/no/x"),
        (("revoke", "@", "@/ca.crl"), "@/ca.crl is no certificate of the authority in @"),
        (("init", "@/no", "--trust-domain", "Big"), "--trust-domain 'Big' is not"),
    ],
)
def test_a_mistake_gets_one_line_and_makes_nothing(made: Path, arguments: tuple[str, ...], why: str) -> None:
    before = sorted(made.iterdir())
    ended = called("certs", *(argument.replace("@", str(made)) for argument in arguments))
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert why.replace("@", str(made)) in ended.err
    assert sorted(made.iterdir()) == before


def test_a_certificate_of_another_authority_is_not_revoked(made: Path, tmp_path: Path) -> None:
    expect(called("certs", "init", tmp_path / "other"))
    expect(called("certs", "issue", tmp_path / "other", "--role", "ops", "--out", tmp_path / "it"))
    assert "is no certificate of the authority" in called("certs", "revoke", made, tmp_path / "it.crt").err
