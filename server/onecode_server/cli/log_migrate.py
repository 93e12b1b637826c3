"""``onecode log migrate``: an embedded store becomes the first machine's store of a log."""

from pathlib import Path

import click

from onecode_server.cli import output
from onecode_server.cli.log_options import expect_log, log_options
from onecode_server.cli.options import PathType
from onecode_server.log import topics
from onecode_server.replica import GROUP, client_name
from onecode_server.replication.machine import read_machine
from onecode_server.replication.store_migration import LogMember
from onecode_server.replication.store_migration import migrate as migrate_store
from onecode_server.settings.data_directory import DataDirectory


@click.command()
@log_options
@click.option("--data-dir", required=True, type=PathType())
def migrate(config: Path | None, data_dir: Path, **flags: str | None) -> None:
    """Let the log begin with the store of a data directory, and make it the store of the first machine.

    Servers on it must be stopped, the data directory must be a member's ('onecode log init --data-dir'), and the topics
    must have no message. The audit record, the reports and the trust list become the beginning of the decisions; the
    records stay in the store, and go to further machines with a backup of it. The store is copied, and kept as it was
    beside the new one: the disk needs room for both. Whatever ends the command, it may be given again.
    """
    data = DataDirectory(data_dir)
    data.expect()
    machine, address = read_machine(data_dir), expect_log(flags, config)
    member = LogMember(address, machine, topics.topic_ids(address), GROUP, client_name(machine))
    done = migrate_store(data.store, member, output.bar)
    if done is None:
        click.echo(f"the store in {data_dir} is a machine's of a log already: nothing was changed")
        return
    click.echo(
        f"the log begins with {done.subjects:,} subjects and {done.tokens:,} tokens by their digests, and with "
        f"{done.parts:,} messages of decisions; audit head {done.audit_head.hex()}"
    )
    click.echo(f"all of it was read again and compared. {done.kept} is the store as it was: remove it when you like")
    click.echo("next: start the server with --log, and restore a backup of it on each further machine")
