"""A small certificate authority for tests: roots, intermediates, leaves and revocation lists."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
KeyType = Literal["p256", "p384", "ed25519", "rsa"]
Usage = Literal["client", "server"]

TRUST_DOMAIN: Final = "onecode.internal"
_USAGES: Final = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}
_KEY_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_SECOND: Final = timedelta(seconds=1)


def make_key(kind: KeyType = "p256", bits: int = 2048) -> PrivateKey:
    """Return a new private key. ``bits`` is the size of an RSA key."""
    match kind:
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa":
            return rsa.generate_private_key(65537, bits)


def spiffe_id(path: str) -> str:
    """Return the SPIFFE id of a path, such as ``region/420000/scanner``."""
    return f"spiffe://{TRUST_DOMAIN}/{path}"


def key_pem(key: PrivateKey) -> bytes:
    """Return a private key as PKCS #8 in PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Leaf(NamedTuple):
    """A certificate with its private key, and the certificates of its issuers below the root."""

    certificate: x509.Certificate
    key: PrivateKey
    issuers: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate alone, in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate alone, in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The certificate and its issuers, in PEM."""
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (self.certificate, *self.issuers))

    @property
    def key_pem(self) -> bytes:
        """The private key, in PEM."""
        return key_pem(self.key)

    def write(self, directory: Path, name: str = "tls") -> tuple[Path, Path]:
        """Write the chain and the key, which is its owner's alone, and return their paths."""
        chain, key = directory / f"{name}.crt", directory / f"{name}.key"
        chain.write_bytes(self.chain_pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)
        return chain, key


class Authority:
    """An authority: a root, or one that ``issuer`` has certified. Certificates count from an hour before ``now``."""

    def __init__(
        self,
        name: str = "test root",
        kind: KeyType = "p256",
        issuer: "Authority | None" = None,
        now: datetime | None = None,
        key: PrivateKey | None = None,
    ) -> None:
        self.now: datetime = (now or (issuer.now if issuer else datetime.now(UTC))).replace(microsecond=0)
        self.key = key or make_key(kind)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.issuer = issuer
        by = issuer or self
        self.certificate = (
            _builder(by.name, self.name, self.key, self.now - timedelta(hours=1), self.now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(by.key, _hash(by.key))
        )

    @property
    def pem(self) -> bytes:
        """The certificate, in PEM: a bundle of one authority."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificates from this authority up to the one below the root; none for a root."""
        return (self.certificate, *self.issuer.chain) if self.issuer else ()

    def issue(
        self,
        *uris: str,
        dns: Sequence[str] = (),
        addresses: Sequence[str] = (),
        kind: KeyType = "p256",
        key: PrivateKey | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        usages: Sequence[Usage] | None = ("client",),
        key_usage: dict[str, bool] | None = None,
        is_authority: bool = False,
        serial: int | None = None,
    ) -> Leaf:
        """Return a new certificate, valid for a day unless it is said otherwise.

        ``usages`` None leaves the extended key usage out; ``key_usage`` are the bits of the key usage, by default
        digitalSignature, and an empty mapping leaves it out.
        """
        key = key or make_key(kind)
        builder = _builder(
            self.name,
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test leaf")]),
            key,
            not_before or self.now - timedelta(hours=1),
            not_after or self.now + timedelta(days=1),
            serial,
        ).add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(name) for name in dns]
        names += [x509.IPAddress(ip_address(address)) for address in addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usages is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([_USAGES[usage] for usage in usages]), critical=False)
        bits = {"digital_signature": True} if key_usage is None else key_usage
        if bits:
            builder = builder.add_extension(_key_usage(**bits), critical=True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        return Leaf(builder.sign(self.key, _hash(self.key)), key, self.chain)

    def server(self, *dns: str, kind: KeyType = "p256", **more: Any) -> Leaf:
        """Return a server's certificate, for ``localhost`` and 127.0.0.1 unless names are given."""
        return self.issue(
            dns=dns or ("localhost",), addresses=() if dns else ("127.0.0.1",), kind=kind, usages=("server",), **more
        )

    def crl(
        self,
        *revoked: Leaf,
        last_update: datetime | None = None,
        next_update: datetime | None = None,
        signed_by: "Authority | None" = None,
        extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    ) -> bytes:
        """Return a revocation list in PEM, valid for a day. ``signed_by`` another authority it is a forgery."""
        last_update = last_update or self.now
        builder = x509.CertificateRevocationListBuilder(
            self.name, last_update, next_update or last_update + timedelta(1)
        )
        for leaf in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(leaf.certificate.serial_number, last_update - _SECOND).build()
            )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        ).add_extension(x509.CRLNumber(int(last_update.timestamp())), critical=False)
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        key = (signed_by or self).key
        return builder.sign(key, _hash(key)).public_bytes(serialization.Encoding.PEM)


def _builder(
    issuer: x509.Name,
    subject: x509.Name,
    key: PrivateKey,
    not_before: datetime,
    not_after: datetime,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _hash(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _key_usage(**bits: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**dict.fromkeys(_KEY_USAGES, False) | bits)
