"""A certificate authority for development: one root that signs the certificates of servers and callers.

Keys are ECDSA P-256, which rustls, BoringSSL (gRPC), Go, OpenSSL and Python all take on both sides; BoringSSL refuses
Ed25519 in a handshake. A caller's certificate is an X.509-SVID: its one URI is its SPIFFE id, and the root's URI is the
trust domain. The list of revoked certificates (RFC 5280, section 5) is at the same time the record of them.
"""

import fcntl
import ipaddress
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from onecode_server.cli import json_files
from onecode_server.errors import Misconfigured
from onecode_server.system import durable_files

CA_DAYS: Final = 3650
LEAF_DAYS_MAX: Final = 825
"""The longest life of a server's certificate that common clients still take."""
_EARLIER: Final = timedelta(minutes=5)
"""Clocks of the machines of a development net differ."""
_FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A list of a hundred thousand revoked certificates; a certificate or key is a kilobyte."""
_DNS_NAME: Final = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_USES: Final = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


class DevelopmentCa:
    """The authority in a directory: ``ca.crt``, ``ca.key`` and ``ca.crl``."""

    def __init__(self, directory: Path) -> None:
        """Open an authority that ``make`` has made. Raises Misconfigured."""
        self.directory = directory
        self.crl_file = directory / "ca.crl"
        try:
            self._certificate = x509.load_pem_x509_certificate(_read(directory / "ca.crt"))
            key = serialization.load_pem_private_key(_read(directory / "ca.key"), None)
            names = self._certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, TypeError, x509.ExtensionNotFound):
            raise Misconfigured(f"{directory} holds no authority of 'onecode certs init'") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self._certificate.public_key():
            raise Misconfigured(f"{directory}/ca.key is not the key of {directory}/ca.crt")
        self._key = key
        self.trust_domain = names.get_values_for_type(x509.UniformResourceIdentifier)[0].removeprefix("spiffe://")

    @classmethod
    def make(cls, directory: Path, trust_domain: str) -> "DevelopmentCa":
        """Make an authority, and its list without entries. Raises FileExistsError where its key exists, OSError."""
        key, now, name = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC), _name("onecode development CA")
        usages = {"key_cert_sign": True, "crl_sign": True}
        builder = (
            _builder(name, key.public_key(), name, now, CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(**usages), critical=True)
            .add_extension(_uris(f"spiffe://{trust_domain}"), critical=False)
        )
        durable_files.create(directory / "ca.key", _key_pem(key), 0o600)
        certificate = builder.sign(key, hashes.SHA256())
        durable_files.create(directory / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        made = cls(directory)
        made._write_list([], 1)
        return made

    def issue_to_caller(self, spiffe_id: str, days: int) -> tuple[bytes, bytes]:
        """Return a caller's certificate and key, in PEM."""
        return self._issue(spiffe_id.rpartition("//")[2].partition("/")[2], _uris(spiffe_id), "client", days)

    def issue_to_server(self, names: Sequence[str], days: int) -> tuple[bytes, bytes]:
        """Return the certificate and key, in PEM, of a server with these DNS names and IP addresses.

        Raises Misconfigured.
        """
        return self._issue(
            "server", x509.SubjectAlternativeName([_general_name(name) for name in names]), "server", days
        )

    def revoke(self, file: Path) -> bool:
        """Add the certificate in a file to the list; return False where it was there. Raises Misconfigured."""
        try:
            certificate = x509.load_pem_x509_certificate(_read(file))
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            raise Misconfigured(f"{file} is no certificate of the authority in {self.directory}") from None
        with self._locked():
            revocations = self._read_list()
            if revocations.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
                return False
            number = revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            self._write_list([*revocations, entry.revocation_date(datetime.now(UTC)).build()], number + 1)
        return True

    def _issue(self, name: str, names: x509.SubjectAlternativeName, use: str, days: int) -> tuple[bytes, bytes]:
        key, issuer, now = ec.generate_private_key(ec.SECP256R1()), self._certificate, datetime.now(UTC)
        if now + timedelta(days=days) > issuer.not_valid_after_utc:
            raise Misconfigured(f"the authority in {self.directory} ends before {days} days have passed: make another")
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(_name(name), key.public_key(), issuer.subject, now, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_USES[use]]), critical=False)
            .add_extension(names, critical=False)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)

    def _read_list(self) -> x509.CertificateRevocationList:
        try:
            found = x509.load_pem_x509_crl(_read(self.crl_file))
        except ValueError:
            raise Misconfigured(f"{self.crl_file} is no list of revoked certificates") from None
        if not found.is_signature_valid(self._key.public_key()):
            raise Misconfigured(f"{self.crl_file} is not by the authority in {self.directory}")
        return found

    def _write_list(self, entries: Sequence[x509.RevokedCertificate], number: int) -> None:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - _EARLIER)
            .next_update(self._certificate.not_valid_after_utc)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        revocations = builder.sign(self._key, hashes.SHA256())
        durable_files.replace(self.crl_file, revocations.public_bytes(serialization.Encoding.PEM))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Make a second revocation wait, so that neither is lost."""
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _builder(
    subject: x509.Name, public_key: ec.EllipticCurvePublicKey, issuer: x509.Name, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])  # RFC 5280, appendix A: ub-common-name


def _uris(*uris: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        if not _DNS_NAME.fullmatch(text) or len(text) > 253:
            raise Misconfigured(f"--server {text!r} is neither a DNS name in small letters nor an IP address") from None
        return x509.DNSName(text)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    how = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *how)


def _read(file: Path) -> bytes:
    return json_files.read_bounded(file, _FILE_BYTES_MAX)
