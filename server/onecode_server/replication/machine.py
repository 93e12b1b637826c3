"""This machine's membership of a cluster: its key and certificate, and the cluster's public key, in files.

machine.key    the secret key with which this machine signs what it writes to the log
machine.cert   its certificate by the cluster key, in hex
cluster.pub    the cluster's public key, by which all machines know each other's messages
"""

from pathlib import Path
from typing import NamedTuple

from onecode_server.crypto.signing import Signer, read_public_key, read_secret
from onecode_server.errors import Malformed, Misconfigured
from onecode_server.replication.signing import Sealer, is_certified, read_certificate

KEY, CERTIFICATE, CLUSTER = "machine.key", "machine.cert", "cluster.pub"
_FILE_BYTES_MAX = 1024


class Machine(NamedTuple):
    """A member: it signs with ``sealer``, and knows others by ``cluster``, the cluster's public key (32 bytes)."""

    sealer: Sealer
    cluster: bytes

    @property
    def identifier(self) -> bytes:
        """The machine's id (16 bytes)."""
        return self.sealer.certificate.machine


def read_machine(directory: Path) -> Machine:
    """Return the membership whose files are in a data directory. Raises Misconfigured."""
    signer = Signer(read_secret(directory / KEY))
    cluster = read_public_key(directory / CLUSTER)
    file = directory / CERTIFICATE
    try:
        with file.open("rb") as opened:
            certificate = read_certificate(bytes.fromhex(opened.read(_FILE_BYTES_MAX).strip().decode("ascii")))
    except OSError as fault:
        raise Misconfigured(f"cannot read {file}: {fault.strerror}") from None
    except (ValueError, Malformed):
        raise Misconfigured(f"{file} is no certificate of a machine") from None
    if certificate.public_key != signer.public_key:
        raise Misconfigured(f"{file} is not of the key {directory / KEY}")
    if not is_certified(certificate, cluster):
        raise Misconfigured(f"{file} is not signed by the cluster whose key is {directory / CLUSTER}")
    return Machine(Sealer(certificate, signer), cluster)
