"""The server's own certificate: a chain and its private key, which must fit each other."""

from itertools import pairwise
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from onecode_server.errors import Malformed
from onecode_server.identity import certificate, pem, public_keys
from onecode_server.identity.public_keys import CURVES, PublicKey
from onecode_server.identity.watched_files import File, NotNow

FILE_BYTES_MAX: Final = 64 * 1024
CHAIN_MAX: Final = 10
"""A leaf and the authorities between it and a root. TLS sends all of them to each caller."""
RSA_BITS: Final = (2048, 3072, 4096)
"""The sizes of keys by which rustls signs: ring demands primes of a multiple of 512 bits. Each further one would leave
one of the fronts without the files."""
RSA_EXPONENT_MIN: Final = 65_537
"""ring signs with no smaller one (NIST SP 800-56B, section 6.2)."""

_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class ServerCertificate(NamedTuple):
    """A chain and its key as they are in their files, in PEM. ``not_after`` is the first end in the chain, in Unix
    microseconds: a caller refuses the chain from then on. ``not_before`` is when the server's own certificate began."""

    chain: bytes
    key: bytes
    not_before: int
    not_after: int


def read(chain: File, key: File, now: int) -> ServerCertificate:
    """Return a pair that callers would accept at ``now`` (Unix microseconds), as far as it can be said here.

    Raises Malformed, and NotNow for one that is not valid at that time. The texts contain nothing of the key.
    """
    if not key.is_private:
        raise Malformed(f"{key.path} is open to more than its owner (mode {key.mode:04o}): set it to 0600, with chmod")
    try:
        certificates = _chain(chain.content, now)
    except NotNow as fault:
        raise NotNow(f"{chain.path}: {fault}") from None
    except Malformed as fault:
        raise Malformed(f"{chain.path}: {fault}") from None
    try:
        private = _private_key(key.content)
    except Malformed as fault:
        raise Malformed(f"{key.path}: {fault}") from None
    if _spki(public_keys.read(certificates[0])) != _spki(private.public_key()):
        raise Malformed(f"the certificate in {chain.path} and the key in {key.path} do not fit each other")
    ends = min(certificate.microseconds(one.not_valid_after_utc) for one in certificates)
    return ServerCertificate(
        chain.content, key.content, certificate.microseconds(certificates[0].not_valid_before_utc), ends
    )


def _chain(data: bytes, now: int) -> list[x509.Certificate]:
    blocks = pem.blocks(data, pem.CERTIFICATE, CHAIN_MAX)
    try:
        certificates = [x509.load_pem_x509_certificate(block) for block in blocks]
        described = [certificate.describe(one) for one in certificates]
    except Exception:  # whatever the parser raises
        raise Malformed("it has a certificate that cannot be read") from None
    if not described[0].may_be_server:
        raise Malformed(
            "the first certificate is not for a server: it must be no authority's, and its usages must include "
            "serverAuth and digitalSignature where it has any"
        )
    public_keys.read(certificates[0])
    for one, issuer in pairwise(certificates):
        try:
            one.verify_directly_issued_by(issuer)
        except Exception:
            raise Malformed("a certificate is not issued by the next one in the file") from None
    if any(one.not_after < now for one in described):
        raise NotNow("a certificate has expired")
    if any(one.not_before > now for one in described):
        raise NotNow("a certificate is not valid yet")
    return certificates


def _private_key(data: bytes) -> _PrivateKey:
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError:
        raise Malformed("the private key is encrypted: nobody is there to give the password") from None
    except Exception:
        raise Malformed("it has no private key in PEM that can be read") from None
    if not isinstance(key, _PrivateKey):
        raise Malformed("the private key is none of RSA, EC and Ed25519")
    if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, CURVES):
        raise Malformed(f"the private key is of the curve {key.curve.name}: P-256 and P-384 are known everywhere")
    if isinstance(key, rsa.RSAPrivateKey):
        _expect_known_everywhere(key)
    return key


def _expect_known_everywhere(key: rsa.RSAPrivateKey) -> None:
    """Raise Malformed for a key that one of the fronts does not take."""
    if key.key_size not in RSA_BITS:
        raise Malformed(f"the private key has {key.key_size:,} bits: RSA has 2,048, 3,072 or 4,096 for both fronts")
    if key.public_key().public_numbers().e < RSA_EXPONENT_MIN:
        raise Malformed(f"the private key has an exponent below {RSA_EXPONENT_MIN:,}, with which rustls does not sign")


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
