"""``onecode audit``: shows and verifies the append-only record of decisions, whose entries are chained by hashes."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import click

from onecode_server.cli import output
from onecode_server.cli.log_options import log_options, read_log
from onecode_server.cli.options import PathType
from onecode_server.composition import open_store
from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.log.address import LogAddress
from onecode_server.model.audit import GENESIS, AuditEntry, follows
from onecode_server.replica import open_proof
from onecode_server.replication.audit_proof import Proof, prove
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.telemetry.metrics import Metrics
from onecode_server.trust.document import rfc3339

_data_dir = click.option("--data-dir", required=True, type=PathType())


@click.group()
def audit() -> None:
    """Show and verify the audit record."""


@audit.command()
@_data_dir
@click.option("--expect", metavar="HASH", help="An earlier head, which must still be in the record.")
@log_options
def verify(data_dir: Path, expect: str | None, config: Path | None, **flags: str | None) -> None:
    """Check the hash chain of the entries. Ends with status 1 if it is broken.

    With --log the decisions of the log, whose signatures are checked, are applied anew from their beginning, and the
    entries are compared with what comes of them.

    Keep the printed head in another place. A person with write access to the files could rewrite the whole record, but
    --expect then no longer finds that head.
    """
    if expect is not None and not re.fullmatch("[0-9a-fA-F]{64}", expect):
        raise Misconfigured(f"--expect {expect!r} is not 64 hex digits")
    log = read_log(flags, config)
    proof = None if log is None else asyncio.run(_prove(data_dir, log))
    count, head, is_expected = asyncio.run(_verify(data_dir, expect and expect.lower()))
    if expect is not None and not is_expected:
        raise StoreUnavailable(f"the audit record does not hold {expect}: it was truncated or rewritten")
    by_log = f", {proof.entries} as {proof.messages:,} messages of the log decide" if proof else ""
    click.echo(f"{count} entries, hash chain intact{by_log}; head {head.hex()}")


@audit.command()
@_data_dir
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def show(data_dir: Path, *, as_json: bool) -> None:
    """Show the record, oldest entry first."""
    if as_json:
        asyncio.run(_print_all(data_dir))
        return
    entries = asyncio.run(_all(data_dir))
    rows = [(str(e.number), rfc3339(e.time), e.event, e.subject, _details(e)) for e in entries]
    output.print_table("", ("#", "time", "event", "subject", "details"), rows)


def _details(entry: AuditEntry) -> str:
    """Return the details of an entry, a member a line; ``--json`` also has the empty members."""
    details = {name: value for name, value in entry.details.items() if value is not None}
    return "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in details.items())


async def _verify(data_dir: Path, expect: str | None) -> tuple[int, bytes, bool]:
    count, head, is_expected, last = 0, GENESIS, False, None
    async for entry in _entries(data_dir):
        if not follows(entry, last):
            raise StoreUnavailable(f"audit entry {count + 1} breaks the hash chain")
        count, head, last = count + 1, entry.hash, entry
        is_expected = is_expected or head.hex() == expect
    return count, head, is_expected


async def _prove(data_dir: Path, log: LogAddress) -> Proof:
    with open_proof(data_dir, log) as parts, output.bar(parts.messages, "applying decisions") as advance_to:
        return await prove(parts.own, parts.scratch, parts.reader, parts.cluster, advance_to)


async def _print_all(data_dir: Path) -> None:
    async for entry in _entries(data_dir):  # as they are read: the record may be larger than memory
        members = entry._asdict() | {"previous": entry.previous.hex(), "hash": entry.hash.hex()}
        output.print_json(members | {"time": rfc3339(entry.time)})


async def _all(data_dir: Path) -> list[AuditEntry]:
    return [entry async for entry in _entries(data_dir)]


async def _entries(data_dir: Path) -> AsyncIterator[AuditEntry]:
    DataDirectory(data_dir).expect()
    store = open_store(Settings(data_dir), Metrics())
    try:
        after = 0
        while entries := await store.audit(after):
            for entry in entries:
                yield entry
            after += len(entries)
    finally:
        await store.close()
