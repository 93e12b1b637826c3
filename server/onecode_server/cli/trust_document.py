"""The trust list as the operator edits it: offline, one version after the other, each signed by the root key.

Where the root key is elsewhere, an edit makes a draft of the next version, and ``trust sign`` signs it there.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from onecode_server.cli import json_files
from onecode_server.codes.codec import CODECS
from onecode_server.codes.times import read_time
from onecode_server.crypto import open_backend
from onecode_server.crypto.signing import Signer, public_key_fault, read_secret
from onecode_server.errors import Malformed, Misconfigured, TrustListRefused
from onecode_server.model.trust_list import TrustList
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.system import durable_files
from onecode_server.system.clock import wall_clock
from onecode_server.trust import document as trust_list
from onecode_server.trust import near_misses

NEXT_UPDATE_US: Final = 30 * 86_400 * 1_000_000
"""A month: long enough for holidays, short enough that a lost publication is noticed."""
_OF_A_VERSION: Final = {"version", "issued_at", "next_update"}
EDIT_WAIT_S: Final = 10.0
"""An edit takes milliseconds. One that holds the lock for longer waits itself, for a key on a medium that is absent."""

Document = dict[str, Any]


def now() -> int:
    """Return the time in Unix microseconds, for a list's time of issue."""
    return wall_clock()


@contextmanager
def locked(data: DataDirectory) -> Iterator[None]:
    """Make a second edit wait, so that two of them never make the same version. Raises Misconfigured."""
    data.expect()
    handle = os.open(data.path, os.O_RDONLY)
    try:
        _lock(handle, data.path)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    deadline_s = time.monotonic() + EDIT_WAIT_S
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline_s:
                raise Misconfigured(f"another edit of the trust list in {path} has not ended") from None
            time.sleep(0.05)


def read(data: DataDirectory) -> Document:
    """Return the last signed list. Raises Misconfigured, TrustListRefused where it is not signed by the root."""
    data.expect()
    try:
        signed = trust_list.take_apart(json_files.read_bounded(data.trust_list, trust_list.FILE_BYTES_MAX))
    except TrustListRefused as fault:
        raise TrustListRefused(f"{data.trust_list}: {fault}") from None
    root = data.read_root_public_key()
    if open_backend("libsodium").verify_batch([root], [signed.signature], [signed.message]) != [True]:
        raise TrustListRefused(f"{data.trust_list} is not signed by the root key in {data.root_public_key}")
    document: Document = json.loads(signed.payload)
    return document


def current(data: DataDirectory) -> TrustList:
    """Return the last signed list as a server reads it; none where the first one is a draft. Raises as ``read``."""
    signed = _read_or_first(data)
    return parse(signed | {"version": max(signed["version"], 1)})


def _read_or_first(data: DataDirectory) -> Document:
    """Return the last signed list; where the first one is still a draft, one of version 0 without a region."""
    if data.draft.exists() and not data.trust_list.exists():
        data.expect()
        return stamp({"version": 0, "regions": []})
    return read(data)


def draft_or_list(data: DataDirectory) -> Document:
    """Return the draft of the next version where there is one, else the last signed list.

    A draft that was signed elsewhere, and has come back as the list, is none any more. Raises Misconfigured where the
    draft, which a person may have edited, could not be signed, or was made before other edits that it would undo.
    """
    if not data.draft.exists():
        return read(data)
    try:
        document = json_files.loads(json_files.read_bounded(data.draft, trust_list.FILE_BYTES_MAX))
        parse(stamp(document))
        json.dumps(document, ensure_ascii=False).encode()
    except json_files.DuplicateName as fault:
        raise Misconfigured(f"{data.draft}: {fault}") from None
    except (ValueError, KeyError, TypeError, RecursionError, TrustListRefused):
        raise Misconfigured(f"{data.draft} is not a draft of a trust list") from None
    draft: Document = document
    signed = _read_or_first(data)
    if _content(signed) == _content(draft):
        return signed
    if draft["version"] <= signed["version"]:
        raise Misconfigured(
            f"{data.draft} is of version {draft['version']}, and the list of version {signed['version']} already: "
            f"remove the draft, and make its edits again"
        )
    return draft


def parse(document: Document) -> TrustList:
    """Return the list as a server reads it. Raises TrustListRefused."""
    return trust_list.parse(json.dumps(document).encode(), public_key_fault)


def find_region(document: Document, code: str) -> Document:
    """Return a region's entry. Raises Misconfigured."""
    entries = [entry for entry in document["regions"] if isinstance(entry, dict)]
    for entry in entries:
        if entry.get("code") == code:
            return entry
    near = near_misses.hint(code, [str(entry.get("code")) for entry in entries])
    raise Misconfigured(f"region {code} is not in the trust list{near}")


def keys_of(document: Document, region: str) -> list[Any]:
    """Return a region's keys as a list that can be edited. Raises Misconfigured."""
    keys = find_region(document, region).setdefault("keys", [])
    if not isinstance(keys, list):
        raise Misconfigured(f"the keys of region {region} are not a list")
    return keys


def find_key(document: Document, region: str, kid: str) -> Document:
    """Return a key's entry by its id as ``trust show`` prints it; hex may be in capitals in the option and in the list.

    Raises Misconfigured. Where the id is text, a similar id is named in the message, and never used.
    """
    entry = find_region(document, region)
    keys = [key for key in keys_of(document, region) if isinstance(key, dict)]
    same = [key for key in keys if key.get("kid") == kid]
    same = same or [key for key in keys if _shown(key, entry) == _shown(key | {"kid": kid}, entry)]
    if len(same) == 1:
        return same[0]
    if same:
        raise Misconfigured(f"region {region} has {len(same)} keys with the id {kid}")
    near = near_misses.hint(kid, [_shown(key, entry) for key in keys])
    raise Misconfigured(f"region {region} has no key with the id {kid}{near}")


def kid_to_write(document: Document, region: str, key: Document) -> str:
    """Return the id of a new key in the form in which it is written and shown from then on."""
    return _shown(key, find_region(document, region))


def _shown(key: Document, region: Document) -> str:
    """Return a key's id as its format writes it: hex in small letters and without spaces; a faulty id unchanged.

    The format of a gateway key is in its entry.
    """
    kid = str(key.get("kid"))
    try:
        model = CODECS[key["format"] if "format" in key else region["format"]].DATA_MODEL
        return model.key_id_text(model.key_id_bytes(kid))
    except (KeyError, TypeError, Malformed):  # a TypeError where the format is an object
        return kid


def time_of(option: str, text: str) -> int:
    """Return an option's time in Unix microseconds. Raises Misconfigured."""
    try:
        return read_time(text)
    except Malformed as fault:
        raise Misconfigured(f"{option} {text!a}: {fault}") from None


def commit(data: DataDirectory, before: TrustList, document: Document, root_key: Path | None) -> str:
    """Make the next version of an edited document; return a line about the result.

    Raises Misconfigured where a server would skip an entry that it does not skip in the current list: then nothing is
    written.
    """
    document = document | {"version": _read_or_first(data)["version"] + 1}
    expect_taken(before, document)
    signer = root_signer(data, root_key)
    if signer is None:
        write_draft(data, document)
        return f"draft of version {document['version']} in {data.draft}: run 'onecode trust sign' where the root key is"
    write(data, document, signer)
    return f"trust list version {document['version']} signed"


def expect_taken(before: TrustList, document: Document) -> None:
    """Raise Misconfigured where a server would skip an entry that it does not skip in the current list."""
    skipped = parse(stamp(document)).skipped
    if fresh := [f"{where}: {why}" for where, why in skipped if (where, why) not in before.skipped]:
        raise Misconfigured(*dict.fromkeys(fresh))  # a duplicate key is skipped twice, for one mistake


def root_signer(data: DataDirectory, root_key: Path | None) -> Signer | None:
    """Return the root key, or None where it is elsewhere. Raises Misconfigured where it is another deployment's."""
    file = root_key or data.root_key
    if root_key is None and not file.exists():
        return None
    signer = Signer(read_secret(file))
    if signer.public_key != data.read_root_public_key():
        raise Misconfigured(f"{file} is not the root key of {data.path}")
    return signer


def stamp(document: Document) -> Document:
    """Return a document with the current time as its time of issue."""
    issued_at = now()
    times = {"issued_at": trust_list.rfc3339(issued_at), "next_update": trust_list.rfc3339(issued_at + NEXT_UPDATE_US)}
    return {"version": document["version"], **times, **_content(document)}


def _content(document: Document) -> Document:
    """Return the members that an edit may change, the partners' among them: a list without those admits them to all."""
    return {name: value for name, value in document.items() if name not in _OF_A_VERSION}


def write_draft(data: DataDirectory, document: Document) -> None:
    """Write a draft, to be signed where the root key is. Raises Misconfigured."""
    _replace(data.draft, json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")


def write(data: DataDirectory, document: Document, root: Signer) -> None:
    """Sign a document with the current time and replace the list at once: a server reads the old list or the new
    one."""
    _replace(data.trust_list, trust_list.put_together(stamp(document), root.sign))
    data.draft.unlink(missing_ok=True)


def publish_root(data: DataDirectory, root_public_key: bytes) -> None:
    """Write the public key (32 bytes) with which servers check the list. Raises Misconfigured."""
    _replace(data.root_public_key, f"{root_public_key.hex()}\n".encode("ascii"))


def _replace(file: Path, content: bytes) -> None:
    try:
        durable_files.replace(file, content)
    except OSError as fault:
        raise Misconfigured(f"cannot write {file}: {fault.strerror}") from None
