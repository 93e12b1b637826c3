"""The authorities whose client certificates are accepted: a bundle of their certificates in PEM."""

from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from onecode_server.errors import Malformed
from onecode_server.identity import public_keys
from onecode_server.identity.certificate import name_key
from onecode_server.identity.pem import CERTIFICATE, blocks

AUTHORITIES_MAX: Final = 64
"""A trust domain has a root or a few, and some more while one replaces another."""

Authorities = Mapping[str, tuple[x509.Certificate, ...]]
"""Certificates by the name of their subject, as ``name_key`` writes it: an authority may have several."""


def read(pem: bytes) -> Authorities:
    """Return the authorities of a bundle. Raises Malformed; its text names a place in the bundle, and no content."""
    found: dict[str, tuple[x509.Certificate, ...]] = {}
    for number, block in enumerate(blocks(pem, CERTIFICATE, AUTHORITIES_MAX), 1):
        try:
            certificate = x509.load_pem_x509_certificate(block)
            _expect_authority(certificate)
            name = name_key(certificate.subject)
        except Malformed as fault:
            raise Malformed(f"certificate {number}: {fault}") from None
        except Exception:  # whatever the parser raises, now or as it comes to an extension or a name
            raise Malformed(f"certificate {number} cannot be read") from None
        found[name] = (*found.get(name, ()), certificate)
    return found


def has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Return whether a certificate has the signature of another one's key. The names are not compared."""
    try:
        key = public_keys.read(issuer)
        signature, content = certificate.signature, certificate.tbs_certificate_bytes
        by = certificate.signature_algorithm_parameters
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(by, ec.ECDSA):
            key.verify(signature, content, by)
        elif isinstance(key, rsa.RSAPublicKey) and isinstance(by, padding.PKCS1v15 | padding.PSS):
            if (digest := certificate.signature_hash_algorithm) is None:
                return False
            key.verify(signature, content, by, digest)
        else:
            return False
    except Exception:  # the signature is another's, or of a kind that the key or the parser does not know
        return False
    return True


def may_sign_lists(certificate: x509.Certificate) -> bool:
    """Return whether an authority may sign revocation lists (RFC 5280, section 4.2.1.3)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _expect_authority(certificate: x509.Certificate) -> None:
    """Raise Malformed unless the certificate may issue others (RFC 5280, section 4.2.1.9)."""
    try:
        is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        is_authority = False
    if not is_authority:
        raise Malformed("it is no authority's: its basic constraints do not say CA")
    public_keys.read(certificate)
