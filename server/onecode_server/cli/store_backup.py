"""``onecode store backup`` and ``restore``: copies of a store, with the other files that a deployment needs."""

import json
import shutil
from pathlib import Path
from typing import Any

import click

from onecode_server.cli import json_files, output
from onecode_server.cli.options import PathType
from onecode_server.errors import Misconfigured
from onecode_server.replication.machine import read_machine
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores import lmdb_backup, lmdb_manifest
from onecode_server.stores.lmdb_replica import LmdbReplica


@click.command()
@click.argument("directory", type=PathType())
@click.option("--data-dir", required=True, type=PathType())
@click.option("--with-signing-keys", is_flag=True, help="Copy keys/ too; without them nothing can be translated.")
def backup(directory: Path, data_dir: Path, *, with_signing_keys: bool) -> None:
    """Copy the store and what belongs to it into DIRECTORY, which is made or empty; servers may run meanwhile.

    In it are the store, its manifest, the trust list, the root's public key, and the pseudonym key, without which no
    record can be linked to a person: keep the copy as secret as that key. The root key is never in it. The manifest has
    the store's SHA-256, and for a machine of several how far it has applied the log.
    """
    data, copy = DataDirectory(data_dir), DataDirectory(directory)
    data.expect()
    made = not directory.exists()
    if not made and any(directory.iterdir()):
        raise Misconfigured(f"{directory} is not empty: nothing was copied")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        size = lmdb_backup.backup(data.store, copy.store)
        manifest = json.dumps(lmdb_manifest.describe(copy.store), indent=2, sort_keys=True)
        (directory / lmdb_manifest.FILE).write_text(f"{manifest}\n", "ascii")
        # After the store: a list older than the one in the store would be refused.
        for source, target in ((data.trust_list, copy.trust_list), (data.pseudonym_key, copy.pseudonym_key)):
            _copy(source, target)
        if with_signing_keys:
            _copy_keys(data, copy)
        # Last, as in 'init': the presence of this file means that everything else is there.
        lmdb_backup.sync(directory)
        _copy(data.root_public_key, copy.root_public_key)
        lmdb_backup.sync(directory)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    click.echo(f"backed up {data_dir} to {directory}: a store of {size:,} bytes, trust list, pseudonym key, root.pub")
    left_out = [] if with_signing_keys else [f"keys/ ({len(list(data.keys.glob('*.key')))} signing keys)"]
    left_out += [file.name for file in (data.root_key, data.draft) if file.exists()]
    if left_out:
        click.echo(f"not in it: {', '.join(left_out)}")


@click.command()
@click.argument("directory", type=PathType())
@click.option("--data-dir", required=True, type=PathType())
@click.option("--although-stopped", is_flag=True, help="Restore it even if its machine had stopped for its store.")
def restore(directory: Path, data_dir: Path, *, although_stopped: bool) -> None:
    """Put the store of a backup in DIRECTORY into a data directory that has none, and what else is missing there.

    What was published after the backup is not in it: publishers send it again. Keys and a trust list that are there
    stay; those of another deployment are refused. A machine of several is made a member first ('onecode log join'): the
    restored store becomes its own, and the log brings what came since. The store of a machine that had stopped applying
    the log is refused: it may be damaged.
    """
    copy, data = DataDirectory(directory), DataDirectory(data_dir)
    if not (copy.root_public_key.is_file() and copy.store.is_dir()):
        raise Misconfigured(f"{directory} is no backup, or one that did not end")
    for name in ("root_public_key", "pseudonym_key"):
        ours, theirs = getattr(data, name), getattr(copy, name)
        if ours.exists() and ours.read_bytes() != theirs.read_bytes():
            raise Misconfigured(f"{ours} is not that of the backup: this is another deployment")
    manifest = _manifest(directory)
    if (stopped := manifest.get("log", {}).get("stopped")) and not although_stopped:
        raise Misconfigured(
            f"{directory} is of a machine that had stopped: {stopped}. Restore a backup of another one, or give "
            "--although-stopped where you know that this store is right; nothing was restored"
        )
    machine = read_machine(data_dir).identifier if "log" in manifest else None
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    size = (copy.store / lmdb_backup.DATA_FILE).stat().st_size
    with output.bar(size, "restoring") as advance_to:
        lmdb_backup.restore(copy.store, data.store, manifest.get("sha256"), advance_to)
    if machine is not None:
        _adopt(data, machine)
    for source, target in (
        (copy.trust_list, data.trust_list),
        (copy.pseudonym_key, data.pseudonym_key),
        (copy.root_public_key, data.root_public_key),
    ):
        if not target.exists():
            _copy(source, target)
    if copy.keys.is_dir() and not data.keys.exists():
        _copy_keys(copy, data)
    lmdb_backup.sync(data_dir)
    click.echo(f"restored the store of {directory} to {data_dir}")


def _manifest(directory: Path) -> dict[str, Any]:
    """Return what a backup says of itself; nothing for one of an earlier version. Raises Misconfigured."""
    file = directory / lmdb_manifest.FILE
    if not file.exists():
        return {}
    found = json_files.read(file)
    if not isinstance(found, dict):
        raise Misconfigured(f"{file} is no manifest: the backup is damaged")
    return found


def _adopt(data: DataDirectory, machine: bytes) -> None:
    store = LmdbReplica(data.store)
    try:
        store.adopt(machine)
    finally:
        store.close_here()


def _copy(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    shutil.copy(source, target)


def _copy_keys(source: DataDirectory, target: DataDirectory) -> None:
    target.keys.mkdir(mode=0o700)
    for file in source.keys.glob("*.key"):
        _copy(file, target.keys / file.name)
    lmdb_backup.sync(target.keys)
