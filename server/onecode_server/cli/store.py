"""``onecode store``: migrates, checks and backs up the files of statuses, tokens and exceptions."""

import asyncio
from pathlib import Path
from typing import Final

import click

from onecode_server.cli import output
from onecode_server.cli.options import PathType
from onecode_server.cli.store_backup import backup, restore
from onecode_server.composition import open_for_migration
from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.publication.migration import Copied
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores import lmdb_check

FINDINGS_MAX: Final = 100
"""The bound on findings that are shown: where a store has more, a longer list does not help."""


@click.group()
def store() -> None:
    """Check, migrate, back up and restore the store of a data directory."""


store.add_command(backup)
store.add_command(restore)


@store.command()
@click.option("--data-dir", required=True, type=PathType())
def migrate(data_dir: Path) -> None:
    """Bring the store to the layout of this version. No server may run on it meanwhile.

    A binary subject in codes of a region with the format national is an identifier: what was published of it is copied
    under its pseudonym, with revisions and times, and stays where it was. Whatever ends the command, it may be given
    again.
    """
    data = DataDirectory(data_dir)
    data.expect()
    if not data.store.is_dir():
        raise Misconfigured(f"{data_dir} has no store yet: there is nothing to migrate")
    copied = asyncio.run(_migrate(data_dir))
    if copied is None:
        click.echo("the store has the layout of this version already")
        return
    for region, count in copied.items():
        click.echo(f"{region}: {count.records:,} records of {count.subjects:,} subjects copied")
    click.echo("the store is migrated")


async def _migrate(data_dir: Path) -> dict[str, Copied] | None:
    async with open_for_migration(data_dir) as migration:
        if not migration.store.is_outdated:
            return None
        with output.bar(await migration.store.subject_count(), "migrating") as advance_to:
            return await migration.run(advance_to)


@store.command()
@click.option("--data-dir", required=True, type=PathType())
def check(data_dir: Path) -> None:
    """Read all that lies in the store, and tell what is wrong with it. Ends with status 1 where anything is.

    Servers may run meanwhile; then the file's pages are not looked at as such, but only what lies in them.
    """
    data = DataDirectory(data_dir)
    data.expect()
    read: dict[str, int] = {}
    wrong = 0
    for table, records, findings in lmdb_check.check(data.store):
        read[table] = records
        for finding in findings:
            wrong += 1
            if wrong <= FINDINGS_MAX:
                click.echo(f"{table}: {finding}")
    if wrong:
        raise StoreUnavailable(f"{wrong:,} findings: the store is damaged. Restore a backup of it")
    for table, records in read.items():
        if table != "pages":
            click.echo(f"{table}: {records:,} read")
    click.echo("the store is whole")
