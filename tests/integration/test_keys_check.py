"""``onecode keys check``: every key and certificate, what state it is in, and a status for a nightly job."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from nacl.signing import SigningKey

from tests.integration.deployment import Deployment, Ended, called, expect

NOW = datetime.now(UTC)
OTHER_KEYS = [bytes(SigningKey(bytes([seed]) * 32).verify_key).hex() for seed in range(3)]
Key = ec.EllipticCurvePrivateKey


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Certificates:
    """An authority, a server's certificate and a revocation list, in files of ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.authority, self.server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.write("ca.pem", self.certificate("authority", self.authority))
        self.write("server.pem", self.certificate("server", self.server))
        self.write("server.key", self.secret(self.server))
        self.write("crl.pem", self.revoked())

    def write(self, name: str, *contents: bytes) -> None:
        (self.path / name).touch(0o600)
        (self.path / name).write_bytes(b"".join(contents))

    def certificate(self, name: str, key: Key, *, begins: float = -1, ends: float = 365, serial: int = 7) -> bytes:
        """Return a certificate by the authority, which lasts from and to these days from now."""
        made = (
            x509.CertificateBuilder(name_of("authority"), name_of(name), key.public_key(), serial)
            .not_valid_before(NOW + timedelta(days=begins))
            .not_valid_after(NOW + timedelta(days=ends))
            .sign(self.authority, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def secret(self, key: Key, *, phrase: bytes | None = None) -> bytes:
        hidden = serialization.BestAvailableEncryption(phrase) if phrase else serialization.NoEncryption()
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)

    def revoked(self, *serials: int, ends: float = 90) -> bytes:
        """Return a revocation list, to be replaced in so many days."""
        made = x509.CertificateRevocationListBuilder(name_of("authority"), NOW, NOW + timedelta(days=ends))
        for serial in serials:
            one = x509.RevokedCertificateBuilder(serial, NOW).build()
            made = made.add_revoked_certificate(one)
        return made.sign(self.authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    @property
    def flags(self) -> tuple[object, ...]:
        files = {"cert": "server.pem", "key": "server.key", "client-ca": "ca.pem", "crl": "crl.pem"}
        return tuple(part for option, file in files.items() for part in (f"--tls-{option}", self.path / file))


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def check(deployment: Deployment, *more: object) -> Ended:
    return called("keys", "check", "--data-dir", deployment.path, *more)


def rows(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.out.splitlines()]


def only(ended: Ended, **members: str) -> dict[str, Any]:
    (row,) = [row for row in rows(ended) if all(row.get(name) == value for name, value in members.items())]
    return row


def in_days(days: float) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_new_deployment_has_nothing_that_ends(deployment: Deployment):
    ended = check(deployment, "--json")
    assert (ended.status, ended.err) == (0, "")
    found = rows(ended)
    assert {row["state"] for row in found} == {"active"}
    assert {"root", "root secret", "pseudonym", "issuer", "gateway"} == {row["role"] for row in found}
    files = {*deployment.path.glob("keys/*.key"), *deployment.path.glob("root.*"), deployment.path / "pseudonym.key"}
    assert {row["file"] for row in found} == {*map(str, files)}
    secrets = {file.read_text().strip() for file in files if file.suffix == ".key"}
    assert not any(secret in ended.out for secret in secrets)


def test_the_table_has_a_line_for_each_key_and_paths_in_the_directory(deployment: Deployment):
    shown = expect(check(deployment))
    assert "root.pub" in shown
    assert str(deployment.path) not in shown


def keys_of(deployment: Deployment, code: str) -> dict[str, Any]:
    document = json.loads(expect(deployment.trust("show", "--json")))
    found: dict[str, Any] = next(region["keys"][0] for region in document["regions"] if region["code"] == code)
    return found


def test_states_are_those_of_the_list(deployment: Deployment):
    retired, revoked = (keys_of(deployment, code)["kid"] for code in ("420000", "440000"))
    expect(deployment.trust("retire-key", "--region", "420000", "--kid", retired))
    expect(deployment.trust("revoke-key", "--region", "440000", "--kid", revoked))
    (deployment.path / "keys/110000.issuer.national.ee.key").write_text("ab" * 32)
    (deployment.path / "keys/110000.issuer.national.ee.key").chmod(0o600)
    ended = check(deployment, "--json")
    assert only(ended, region="420000")["state"] == "retired"
    assert only(ended, region="440000")["state"] == "revoked"
    assert only(ended, key_id="ee")["state"] == "not in the list"
    assert (ended.status, ended.err) == (0, "")


def test_a_key_that_ends_within_the_time_or_has_ended_is_named_with_status_1(deployment: Deployment):
    key = ("add-key", "--region", "420000", "--public-key")
    expect(deployment.trust(*key, OTHER_KEYS[0], "--kid", "soon", "--not-after", in_days(20)))
    expect(deployment.trust(*key, OTHER_KEYS[1], "--kid", "later", "--not-before", in_days(5)))
    ended = check(deployment, "--json")
    assert (ended.status, ended.err) == (1, "issuer 420000 soon: active, 20.0 days left\n")
    assert only(ended, key_id="soon")["days_left"] == 20.0
    assert only(ended, key_id="later")["state"] == "not yet valid"
    assert check(deployment, "--within", "19d").status == 0
    assert check(deployment, "--within", "481h").status == 1
    expect(deployment.trust(*key, OTHER_KEYS[2], "--kid", "past", "--not-after", in_days(-2), "--force"))
    ended = check(deployment, "--json", "--within", "1d")
    assert (ended.status, ended.err) == (1, "issuer 420000 past: ended, -2.0 days left\n")


def test_a_retired_key_counts_only_where_no_other_takes_over(deployment: Deployment):
    expect(deployment.trust("rotate-gateway"))
    assert check(deployment).status == 0
    new = [row for row in rows(check(deployment, "--json")) if row["state"] == "not yet valid"]
    assert len(new) == 3
    for row in new:
        expect(deployment.trust("revoke-key", "--region", "000000", "--kid", row["key_id"]))
    ended = check(deployment)
    assert (ended.status, ended.err.count("gateway 000000 ")) == (1, 3)
    assert "1.0 days left" in ended.err


@pytest.mark.parametrize(
    ("name", "content", "mode", "state"),
    [
        ("pseudonym.key", None, 0o640, "readable by others"),
        ("keys/000000.gateway.jwt.*.key", None, 0o604, "readable by others"),
        ("keys/000000.gateway.jwt.*.key", "ab", 0o600, "unreadable"),
        ("root.key", "", 0o600, "unreadable"),
        ("root.key", "ab" * 32, 0o600, "not of root.pub"),
    ],
)
def test_a_file_that_is_open_or_bad_is_named(
    deployment: Deployment, name: str, content: str | None, mode: int, state: str
):
    (file,) = deployment.path.glob(name)
    file.write_text(file.read_text() if content is None else content)
    file.chmod(mode)
    ended = check(deployment, "--json")
    assert only(ended, file=str(file))["state"] == state
    assert ended.status == (0 if state.startswith("not of") else 1)


def test_certificates_are_shown_with_their_ends(deployment: Deployment, certificates: Certificates):
    ended = check(deployment, "--json", *certificates.flags)
    assert (ended.status, ended.err) == (0, "")
    found = {row["role"]: row for row in rows(ended)}
    assert found["server certificate"]["key_id"] == "CN=server"
    assert found["server certificate"]["days_left"] == 365.0
    assert found["client CA"]["state"] == found["server key"]["state"] == "active"
    assert found["revocation list"]["days_left"] == 90.0


def ends_soon(made: Certificates) -> None:
    made.write("server.pem", made.certificate("server", made.server, ends=3))


def has_ended(made: Certificates) -> None:
    made.write("server.pem", made.certificate("server", made.server, begins=-9, ends=-3))


def chain_ends(made: Certificates) -> None:
    made.write(
        "server.pem",
        made.certificate("server", made.server),
        made.certificate("between", made.authority, ends=2),
    )


def is_revoked(made: Certificates) -> None:
    made.write("crl.pem", made.revoked(7))
    made.write("ca.pem", made.certificate("authority", made.authority, serial=8))


def crl_ends(made: Certificates) -> None:
    made.write("crl.pem", made.revoked(ends=1))


def ca_is_none(made: Certificates) -> None:
    made.write("ca.pem", b"x")


def key_is_open(made: Certificates) -> None:
    (made.path / "server.key").chmod(0o644)


def key_has_a_phrase(made: Certificates) -> None:
    made.write("server.key", made.secret(made.server, phrase=b"phrase"))


def crl_is_gone(made: Certificates) -> None:
    (made.path / "crl.pem").unlink()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (ends_soon, "server certificate CN=server: active, 3.0 days left"),
        (has_ended, "server certificate CN=server: ended, -3.0 days left"),
        (chain_ends, "intermediate certificate CN=between: active, 2.0 days left"),
        (is_revoked, "server certificate CN=server: revoked, 365.0 days left"),
        (crl_ends, "revocation list CN=authority: active, 1.0 days left"),
        (ca_is_none, "client CA: @/ca.pem holds no certificate in PEM"),
        (key_is_open, "server key: readable by others"),
        (key_has_a_phrase, "server key: @/server.key holds no private key in PEM without a pass phrase"),
        (crl_is_gone, "revocation list: cannot read @/crl.pem: No such file or directory"),
    ],
)
def test_a_certificate_that_needs_somebody_is_named_with_status_1(
    deployment: Deployment, certificates: Certificates, spoil: Callable[[Certificates], None], line: str
):
    spoil(certificates)
    ended = check(deployment, *certificates.flags)
    assert (ended.status, ended.err) == (1, f"{line.replace('@', str(certificates.path))}\n")


def test_a_key_of_another_certificate_is_told(deployment: Deployment, certificates: Certificates):
    certificates.write("server.key", certificates.secret(certificates.authority))
    ended = check(deployment, "--json", *certificates.flags)
    assert only(ended, role="server key")["state"] == "not of the certificate"


def test_files_are_those_of_the_servers_settings(deployment: Deployment, certificates: Certificates):
    ends_soon(certificates)
    file = certificates.path / "onecode.toml"
    file.write_text(f"data_dir = '{deployment.path}'\ntls_cert = 'server.pem'\nskew_s = 5\n")
    ended = called("keys", "check", "--config", file)
    assert (ended.status, ended.err) == (1, "server certificate CN=server: active, 3.0 days left\n")
    file.write_text(f"data_dir = '{deployment.path}'\ntls_cert = 3\n")
    ended = called("keys", "check", "--config", file)
    assert (ended.status, ended.err) == (2, f"onecode: {file}: tls_cert: expected a string, not an integer\n")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "--data-dir is missing"),
        (("--data-dir", "/no/such"), "is not a data directory"),
        (("--data-dir", "@", "--within", "soon"), "--within 'soon': expected hours or days"),
        (("--data-dir", "@", "--gateway-keys", "/no/such"), "no such directory"),
        (("--data-dir", "@", "--gateway-keys", "pkcs11:token=a"), "module-path= is missing"),
        (("--config", "/no/such"), "cannot read the settings file /no/such"),
    ],
)
def test_a_mistake_is_one_line_with_status_2(deployment: Deployment, options: tuple[str, ...], why: str):
    ended = called("keys", "check", *(str(deployment.path) if option == "@" else option for option in options))
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert why in ended.err
