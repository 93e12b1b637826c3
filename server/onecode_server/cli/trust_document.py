"""The trust list as the operator edits it: offline, one version after the other, each signed by the root key.

Where the root key is not at hand an edit makes a draft of the next version, and ``trust sign`` signs that elsewhere.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from onecode_server.crypto import open_backend
from onecode_server.crypto.signing import Signer, public_key_fault, read_secret
from onecode_server.data_directory import DataDirectory
from onecode_server.engine.clock import wall_clock
from onecode_server.errors import Misconfigured, TrustListRefused
from onecode_server.formats import trust_list
from onecode_server.model.trust_list import TrustList

NEXT_UPDATE_US: Final = 30 * 86_400 * 1_000_000
"""A month: long enough for holidays, short enough that a lost publication is noticed."""

Document = dict[str, Any]


def now() -> int:
    """Return the time in Unix microseconds, for stamping a list."""
    return wall_clock()


@contextmanager
def locked(data: DataDirectory) -> Iterator[None]:
    """Keep a second edit waiting, so that two of them never make the same version."""
    data.expect()
    handle = os.open(data.path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read(data: DataDirectory) -> Document:
    """Return the list as it was last signed. Raises Misconfigured, TrustListRefused where it is not the root's."""
    data.expect()
    try:
        signed = trust_list.take_apart(data.trust_list.read_bytes())
    except OSError as fault:
        raise Misconfigured(f"cannot read {data.trust_list}: {fault.strerror}") from None
    root = data.read_root_public_key()
    if open_backend().verify_batch([root], [signed.signature], [signed.message]) != [True]:
        raise TrustListRefused(f"{data.trust_list} is not signed by the root key in {data.root_public_key}")
    document: Document = json.loads(signed.payload)
    return document


def draft_or_list(data: DataDirectory) -> Document:
    """Return the draft of the next version where there is one, else the list as it was last signed."""
    if not data.draft.exists():
        return read(data)
    try:
        document: Document = json.loads(data.draft.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Misconfigured(f"cannot read {data.draft}: it is not a draft of a trust list") from None
    return document


def parse(document: Document) -> TrustList:
    """Return the list that a server would read. Raises TrustListRefused."""
    return trust_list.parse(json.dumps(document).encode(), public_key_fault)


def find_region(document: Document, code: str) -> Document:
    """Return a region's entry. Raises Misconfigured."""
    for entry in document["regions"]:
        if isinstance(entry, dict) and entry.get("code") == code:
            found: Document = entry
            return found
    raise Misconfigured(f"region {code} is not in the trust list")


def find_key(document: Document, region: str, kid: str) -> Document:
    """Return a key's entry. Raises Misconfigured."""
    for entry in find_region(document, region).get("keys", []):
        if isinstance(entry, dict) and entry.get("kid") == kid:
            found: Document = entry
            return found
    raise Misconfigured(f"region {region} has no key with the id {kid}")


def commit(data: DataDirectory, before: TrustList, document: Document, root_key: Path | None) -> str:
    """Make the next version of an edited document; return a line that says what became of it.

    Raises Misconfigured where a server would skip what the edit has added: nothing is written then.
    """
    document = document | {"version": read(data)["version"] + 1}
    stamped = stamp(document)
    fresh = [f"{where}: {why}" for where, why in parse(stamped).skipped if (where, why) not in before.skipped]
    if fresh:
        raise Misconfigured(*fresh)
    signer = root_signer(data, root_key)
    if signer is None:
        _replace(data.draft, json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")
        return f"draft of version {document['version']} in {data.draft}: 'onecode trust sign' it where the root key is"
    write(data, document, signer)
    return f"trust list version {document['version']} signed"


def root_signer(data: DataDirectory, root_key: Path | None) -> Signer | None:
    """Return the root key, or None where it is not here. Raises Misconfigured where it is another deployment's."""
    file = root_key or data.root_key
    if root_key is None and not file.exists():
        return None
    signer = Signer(read_secret(file))
    if signer.public_key != data.read_root_public_key():
        raise Misconfigured(f"{file} is not the root key of {data.path}")
    return signer


def stamp(document: Document) -> Document:
    """Return a document that is issued now."""
    issued_at = now()
    times = {"issued_at": trust_list.rfc3339(issued_at), "next_update": trust_list.rfc3339(issued_at + NEXT_UPDATE_US)}
    return {"version": document["version"], **times, "regions": document["regions"]}


def write(data: DataDirectory, document: Document, root: Signer) -> None:
    """Sign a document as of now and put it in place at once, so that a server reads the old list or the new one."""
    _replace(data.trust_list, trust_list.put_together(stamp(document), root.sign))
    data.draft.unlink(missing_ok=True)


def _replace(file: Path, content: bytes) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with beside.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
    except OSError as fault:
        raise Misconfigured(f"cannot write {file}: {fault.strerror}") from None
