"""What a copy of a store holds, as JSON beside it: by it a copy is shown to be whole, and where its log goes on."""

import hashlib
from pathlib import Path
from typing import Any, Final

import lmdb

from onecode_server.errors import StoreUnavailable
from onecode_server.model import audit
from onecode_server.model.partition import ALL
from onecode_server.stores import replica_layout
from onecode_server.stores.lmdb_tables import MEMBERSHIP_KEY

FILE: Final = "manifest.json"
_TABLES_MAX: Final = 64
_CHUNK_BYTES: Final = 1 << 20


def describe(copy: Path) -> dict[str, Any]:
    """Return the manifest of a copy that nobody has open: its layout, size, SHA-256, number of subjects, and the head
    of its audit record; for a machine of several also the cluster, the topics, how far each partition is applied, and
    why it has stopped, where the store is at fault.

    Raises StoreUnavailable.
    """
    data = copy / "data.mdb"
    try:
        with lmdb.open(str(copy), max_dbs=_TABLES_MAX, readonly=True, lock=False) as env:
            tables = {name: env.open_db(name.encode(), create=False) for name in ("meta", "statuses", "audit")}
            with env.begin() as txn:
                cursor = txn.cursor(db=tables["audit"])
                head = audit.unpack(cursor.value()).hash if cursor.last() else audit.GENESIS
                found: dict[str, Any] = {
                    "layout": bytes(txn.get(b"schema", db=tables["meta"]) or b"").decode("ascii", "replace"),
                    "subjects": txn.stat(tables["statuses"])["entries"],
                    "audit_head": head.hex(),
                }
                member = txn.get(MEMBERSHIP_KEY, db=tables["meta"])
            if member is not None:
                found["log"] = _log(env, bytes(member))
    except (lmdb.Error, OSError) as fault:
        raise StoreUnavailable(f"cannot read the copy in {copy}: {fault}") from None
    return found | {"bytes": data.stat().st_size, "sha256": sha256(data)}


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hex. Raises OSError."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _log(env: Any, member: bytes) -> dict[str, Any]:
    membership = replica_layout.unpack_membership(member)
    table, meta = (env.open_db(name, create=False) for name in (b"log_partitions", b"meta"))
    partitions = {}
    with env.begin() as txn:
        data = txn.get(replica_layout.STOP_KEY, db=meta)
        stop = None if data is None else replica_layout.unpack_stop(data)
        for partition in ALL:
            if (data := txn.get(replica_layout.partition_key(partition), db=table)) is not None:
                offset, epoch, _, digest = replica_layout.unpack_state(data)
                partitions[str(partition)] = {"offset": offset, "epoch": epoch, "digest": digest.hex()}
    return {
        "cluster": membership.cluster.hex(),
        "machine": membership.machine.hex(),
        "topics": dict(membership.topics),
        "stopped": stop.reason if stop is not None and stop.is_lasting else None,
        "partitions": partitions,
    }
