"""Signatures of messages: by the machine's key, whose certificate by the cluster key each message carries.

The brokers of a log, and everybody who may write to it, can therefore speak for no machine. A message's partition is
part of what is signed: moved to another partition it is nobody's. Signatures are Ed25519 (RFC 8032).
"""

import functools
from typing import Final, NamedTuple

from onecode_server.crypto.backend import PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from onecode_server.crypto.libsodium import verify
from onecode_server.crypto.signing import MessageSigner
from onecode_server.errors import Malformed
from onecode_server.replication import fields
from onecode_server.replication.fields import IDENTIFIER_BYTES, FieldReader
from onecode_server.replication.ignored import Ignored, IgnoredMessage

MAGIC: Final = b"OCL1"
"""The beginning of every message. It changes only with the form of certificate and signature."""
CERTIFICATE_BYTES: Final = IDENTIFIER_BYTES + PUBLIC_KEY_BYTES + fields.NUMBER_BYTES + SIGNATURE_BYTES
ENVELOPE_BYTES: Final = len(MAGIC) + CERTIFICATE_BYTES + SIGNATURE_BYTES
"""The bytes of a message beside its body: 188."""

# Before what is signed, so that a signature of one use never counts for another one.
_CERTIFICATE_USE: Final = b"onecode machine certificate\0"
_MESSAGE_USE: Final = b"onecode log message\0"
_CERTIFICATES_KEPT: Final = 64
"""Certificates whose signatures were found good or bad lately: more than a log has machines, also while all of them
renew theirs. One more costs 60 us, and a stranger can fill all places but not change an answer."""


class Certificate(NamedTuple):
    """What the cluster key says of a machine: its id (16 bytes), its public key (32), and until when it is a member of
    the cluster (``not_after``, Unix microseconds, by the log's clock)."""

    machine: bytes
    public_key: bytes
    not_after: int
    signature: bytes


class Sealer(NamedTuple):
    """Signs the messages of one machine."""

    certificate: Certificate
    key: MessageSigner

    def seal(self, body: bytes, partition: int) -> bytes:
        """Return the message of a body for a partition, as it is appended to the log."""
        signed = MAGIC + pack_certificate(self.certificate) + body
        return signed + self.key.sign(_MESSAGE_USE + bytes((partition,)) + signed)


class Opened(NamedTuple):
    """The body of a message, and the machine (16 bytes) that signed it."""

    machine: bytes
    body: bytes


def certify(machine: bytes, public_key: bytes, not_after: int, cluster: MessageSigner) -> Certificate:
    """Return the certificate of a machine, signed by the cluster key. Raises Malformed."""
    signature = cluster.sign(_CERTIFICATE_USE + _statement(machine, public_key, not_after))
    return Certificate(machine, public_key, not_after, signature)


def pack_certificate(certificate: Certificate) -> bytes:
    """Return a certificate as 120 bytes, for messages and files. Raises Malformed."""
    machine, public_key, not_after, signature = certificate
    return _statement(machine, public_key, not_after) + fields.exact(signature, SIGNATURE_BYTES)


def read_certificate(data: bytes) -> Certificate:
    """Return the certificate in 120 bytes; nothing is verified. Raises Malformed."""
    reader = FieldReader(data)
    machine, public_key = reader.take(IDENTIFIER_BYTES), reader.take(PUBLIC_KEY_BYTES)
    certificate = Certificate(machine, public_key, reader.time(), reader.take(SIGNATURE_BYTES))
    reader.end()
    return certificate


def is_certified(certificate: Certificate, cluster_key: bytes) -> bool:
    """Return whether the cluster key (32 bytes) signed a certificate, whether or not its time is over."""
    machine, public_key, not_after, signature = certificate
    return verify(cluster_key, signature, _CERTIFICATE_USE + _statement(machine, public_key, not_after))


def open_sealed(value: bytes, partition: int, cluster_key: bytes, time: int) -> Opened:
    """Return the body of a message that a machine of the cluster signed for ``partition``.

    ``time`` is the partition's (Unix microseconds): a certificate counts up to and including its ``not_after``. Raises
    IgnoredMessage.
    """
    if len(value) < ENVELOPE_BYTES or not value.startswith(MAGIC):
        raise IgnoredMessage(Ignored.FOREIGN)
    body_at, signature_at = len(MAGIC) + CERTIFICATE_BYTES, len(value) - SIGNATURE_BYTES
    certificate = _certified(value[len(MAGIC) : body_at], cluster_key)
    if certificate is None:
        raise IgnoredMessage(Ignored.CERTIFICATE)
    if certificate.not_after < time:
        raise IgnoredMessage(Ignored.EXPIRED)
    signed = _MESSAGE_USE + bytes((partition,)) + value[:signature_at]
    if not verify(certificate.public_key, value[signature_at:], signed):
        raise IgnoredMessage(Ignored.SIGNATURE)
    return Opened(certificate.machine, value[body_at:signature_at])


@functools.lru_cache(_CERTIFICATES_KEPT)
def _certified(data: bytes, cluster_key: bytes) -> Certificate | None:
    """Return the certificate in ``data`` if the cluster key signed it. Kept, since each message carries one of few."""
    try:
        certificate = read_certificate(data)
    except Malformed:
        return None
    return certificate if is_certified(certificate, cluster_key) else None


def _statement(machine: bytes, public_key: bytes, not_after: int) -> bytes:
    name = fields.exact(machine, IDENTIFIER_BYTES)
    return name + fields.exact(public_key, PUBLIC_KEY_BYTES) + fields.time(not_after)
