"""The kinds of public keys of certificates: those by which both fronts check signatures.

rustls (with ring) knows fewer than ``cryptography`` and gRPC do. A key of another kind is refused on each front: what
works with one of them works with the other.
"""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from onecode_server.errors import Malformed

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
RSA_BITS_MIN: Final = 2048
RSA_BITS_MAX: Final = 8192


def read(certificate: x509.Certificate) -> PublicKey:
    """Return the public key of a certificate. Raises Malformed for a key of another kind."""
    try:
        key = certificate.public_key()
    except Exception:  # whatever the parser raises
        raise Malformed("the public key cannot be read") from None
    if not isinstance(key, PublicKey):
        raise Malformed("the public key is none of RSA, EC and Ed25519")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, CURVES):
        raise Malformed(f"the public key is of the curve {key.curve.name}: P-256 and P-384 are known everywhere")
    if isinstance(key, rsa.RSAPublicKey) and not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise Malformed(f"the public key has {key.key_size:,} bits: RSA has from {RSA_BITS_MIN:,} to {RSA_BITS_MAX:,}")
    return key


def is_known(certificate: x509.Certificate) -> bool:
    """Return whether the public key of a certificate is of a kind that ``read`` returns."""
    try:
        read(certificate)
    except Malformed:
        return False
    return True
