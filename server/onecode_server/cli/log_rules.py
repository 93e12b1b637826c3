"""``onecode log rules``: the version of the rules in force, who knows later ones, and the switch to the next one."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from onecode_server.cli import output
from onecode_server.cli.log_options import expect_log, log_options
from onecode_server.cli.options import PathType, json_option
from onecode_server.composition import put_rules_in_force
from onecode_server.errors import Misconfigured, OnecodeError, PreconditionFailed
from onecode_server.log.partition_places import places
from onecode_server.replica import open_hearing
from onecode_server.replication.heard_marks import HeardMachine, hear, live
from onecode_server.replication.rule_versions import KNOWN
from onecode_server.trust.document import rfc3339

_VERSIONS_END = 2**16


@click.command()
@log_options
@click.option("--data-dir", required=True, type=PathType(), help="Of this machine, which is heard where it serves.")
@click.option(
    "--set",
    "version",
    type=click.IntRange(1, _VERSIONS_END - 1),
    help="Put this version in force on all machines. It cannot be set back.",
)
@click.option("--although-unknown", is_flag=True, help="Even if machines that run do not know it: they stop.")
@json_option
def rules(
    config: Path | None,
    data_dir: Path,
    version: int | None,
    *,
    although_unknown: bool,
    as_json: bool,
    **flags: str | None,
) -> None:
    """Show the version of the rules in force, and which versions this program and each machine know.

    Machines are heard for three seconds. With --set the version is put in force, through the server of this machine,
    unless a machine that runs does not know it: all write under it from then on, and one that does not know it stops. A
    machine that does not run is not asked, and stops when it is started with a program that does not know the version.
    """
    address = expect_log(flags, config)
    with open_hearing(data_dir, address, places(address)) as (store, reader, cluster):
        heard = live(hear(reader, cluster))
        in_force, own = store.rules(), store.membership.machine if store.membership else b""
    if version is None:
        _show(in_force, heard, own, as_json=as_json)
        return
    _expect_known(version, heard, own, although_unknown=although_unknown)
    try:
        asyncio.run(put_rules_in_force(data_dir, address, version))
    except PreconditionFailed as refused:
        raise Misconfigured(str(refused)) from None
    if as_json:
        output.print_json({"in_force": version, "was": in_force})
    else:
        click.echo(f"version {version} of the rules is in force, and was {in_force}")


def _expect_known(version: int, heard: Sequence[HeardMachine], own: bytes, *, although_unknown: bool) -> None:
    """Raise OnecodeError where machines that run do not know a version, this one whatever is allowed: what it does not
    apply, nobody here could confirm."""
    without = [one.machine for one in heard if one.knows < version]
    if own in without:
        raise OnecodeError(
            f"this machine does not know version {version} of the rules: install a version of onecode that does, and "
            "start its server again"
        )
    if without and not although_unknown:
        names = ", ".join(machine.hex() for machine in without)
        raise OnecodeError(
            f"machines that run do not know version {version} of the rules, and would stop: {names}. Upgrade them "
            "first, or give --although-unknown; nothing was changed"
        )


def _show(in_force: int, heard: Sequence[HeardMachine], own: bytes, *, as_json: bool) -> None:
    if as_json:
        output.print_json({"in_force": in_force, "known_here": [KNOWN.first, KNOWN.latest]})
        for one in heard:
            output.print_json({"machine": one.machine.hex(), "is_this": one.machine == own, "knows": one.knows})
        return
    click.echo(f"version {in_force} of the rules is in force; this program knows {_range(KNOWN.first, KNOWN.latest)}")
    rows = [
        (f"{one.machine.hex()}{' *' if one.machine == own else ''}", rfc3339(one.time), _known(one.knows))
        for one in heard
    ]
    columns = ("machine", "newest mark", "knows rules up to")
    output.print_table("machines that are heard (*: this one)", columns, rows, whole=("machine", "newest mark"))


def _range(first: int, latest: int) -> str:
    return str(latest) if first == latest else f"{first} to {latest}"


def _known(latest: int) -> str:
    return str(latest) if latest else "?"
