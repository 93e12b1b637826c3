"""How a machine becomes a member of a cluster: its key is made on it, and the cluster key signs its certificate.

cluster.key is the cluster's secret. No server opens it: it may lie on another machine, and is needed again for each
further machine and for each certificate that ends.
"""

import secrets
from pathlib import Path
from typing import Final

from onecode_server.crypto.signing import MessageSigner, Signer, make_secret, read_public_key, read_secret
from onecode_server.errors import Malformed, Misconfigured
from onecode_server.replication.fields import IDENTIFIER_BYTES
from onecode_server.replication.machine import CERTIFICATE, CLUSTER, KEY
from onecode_server.replication.signing import Certificate, certify, pack_certificate, read_certificate
from onecode_server.system import durable_files

CLUSTER_KEY: Final = "cluster.key"
_PUBLIC: Final = 0o644


def found_cluster(directory: Path) -> Signer:
    """Make the key pair of a new cluster in a data directory, and return it. Raises Misconfigured."""
    if (directory / CLUSTER).exists():
        raise Misconfigured(f"{directory} belongs to a cluster already; nothing was changed")
    try:
        cluster = Signer(make_secret(directory / CLUSTER_KEY))
        _publish(directory / CLUSTER, cluster.public_key)
    except FileExistsError as fault:
        raise Misconfigured(f"{fault.filename} is there already; nothing was changed") from None
    except OSError as fault:
        raise Misconfigured(f"cannot write {fault.filename or directory}: {fault.strerror}") from None
    return cluster


def enrol(directory: Path, cluster: MessageSigner, not_after: int) -> Certificate:
    """Make the machine with this data directory a member of a cluster, or prolong its membership, and return its
    certificate, which ends at ``not_after`` (Unix microseconds, by the log's clock).

    A machine keeps its id and its key. Raises Misconfigured, where it is a member of another cluster too.
    """
    known = directory / CLUSTER
    if known.exists() and read_public_key(known) != cluster.public_key:
        raise Misconfigured(f"{known} is of another cluster; nothing was changed")
    try:
        if not known.exists():
            _publish(known, cluster.public_key)
        key = directory / KEY
        signer = Signer(read_secret(key) if key.exists() else make_secret(key))
        certificate = certify(_identifier(directory, signer), signer.public_key, not_after, cluster)
        durable_files.replace(directory / CERTIFICATE, f"{pack_certificate(certificate).hex()}\n".encode("ascii"))
    except OSError as fault:
        raise Misconfigured(f"cannot write {fault.filename or directory}: {fault.strerror}") from None
    return certificate


def _identifier(directory: Path, signer: Signer) -> bytes:
    """Return the id that the machine has by its certificate, or a new one."""
    file = directory / CERTIFICATE
    if not file.exists():
        return secrets.token_bytes(IDENTIFIER_BYTES)
    anew = "move both away, and the machine is a new one"
    try:
        former = read_certificate(bytes.fromhex(file.read_text("ascii").strip()))
    except (ValueError, Malformed):
        raise Misconfigured(f"{file} is no certificate of the key {directory / KEY}: {anew}") from None
    if former.public_key != signer.public_key:
        raise Misconfigured(f"{file} is not of the key {directory / KEY}: {anew}")
    return former.machine


def _publish(path: Path, public_key: bytes) -> None:
    durable_files.create(path, f"{public_key.hex()}\n".encode("ascii"), _PUBLIC)
