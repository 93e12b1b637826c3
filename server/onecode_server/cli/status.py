"""``onecode status``: publish and look up status records, over gRPC or directly in a data directory."""

import asyncio
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from onecode_client import OperatorClient, ServerError
from onecode_server.app import open_engine
from onecode_server.cli import output, record_file
from onecode_server.cli.connected import connected
from onecode_server.cli.options import PathType, json_option, server_instead_option
from onecode_server.engine.publisher import LocalSubject, SubjectName
from onecode_server.errors import Misconfigured
from onecode_server.formats.trust_list import rfc3339
from onecode_server.model.code import Scan
from onecode_server.model.status import StatusRecord
from onecode_server.rpc.records import write_record

_CHUNK: Final = 1000
"""Records to a commit: some milliseconds of work for the disk, and some hundred kilobytes of memory."""
_Rejected = tuple[int, str, str]
"""A line's number, the rule it broke, and the rule in words."""

_data_dir_option = click.option("--data-dir", type=PathType(), help="Directly, without a server.")


@click.group()
def status() -> None:
    """Publish and look up status records."""


@status.command()
@server_instead_option
@_data_dir_option
@click.option("--file", "file", required=True, type=PathType(), help="One StatusRecord a line, as JSON.")
def publish(server: str | None, data_dir: Path | None, file: Path) -> None:
    """Publish records, over gRPC or directly in a data directory.

    All lines are read before the first is published; a record that breaks a rule is named. A server that goes away on
    the way is waited for, up to two minutes, and what it had not acknowledged is sent again.
    """
    directory = _instead_of(server, data_dir)
    total = record_file.check(file)
    rejected = asyncio.run(_publish(directory, file, total)) if directory else _publish_to(str(server), file, total)
    counts: Counter[str] = Counter()
    for number, rule, text in rejected:
        counts[rule] += 1
        if counts[rule] <= 10:  # a rule that breaks ten thousand records is one mistake
            click.echo(f"rejected line {number}: {rule}: {text}", err=True)
    click.echo(f"{total - len(rejected):,} of {total:,} records published")
    if rejected:
        raise click.exceptions.Exit(1)


@status.command()
@server_instead_option
@_data_dir_option
@click.option("--region", help="With --id: whose identifier it is.")
@click.option("--id", "local_id", help="The region's identifier of the subject.")
@click.option("--pseudonym", help="32 hex digits.")
@click.option("--code", help="As scanned.")
@json_option
def get(server: str | None, data_dir: Path | None, *, as_json: bool, **subject: str | None) -> None:
    """Show the records of one subject."""
    directory, name = _instead_of(server, data_dir), _subject_of(subject)
    if directory:
        shown = [_shown(record) for record in asyncio.run(_get(directory, name))]
    else:
        with connected(OperatorClient(str(server))) as client:
            shown = [_shown_message(record) for record in client.get_status(**_reference(name))]
    if as_json:
        for one in shown:
            output.print_json(one)
        return
    output.print_table("", StatusRecord._fields, [[one[field] for field in StatusRecord._fields] for one in shown])


def _instead_of(server: str | None, data_dir: Path | None) -> Path | None:
    if (server is None) == (data_dir is None):
        raise Misconfigured("give either --server or --data-dir")
    return data_dir


def _publish_to(server: str, file: Path, total: int) -> list[_Rejected]:
    """Publish over one stream. A record's sequence counts the lines that are not blank: ``lines`` has their numbers."""
    rejected: list[_Rejected] = []
    lines, through = array("Q"), 0

    def tell(fault: ServerError) -> None:
        line = lines[through - 1] if through else 0
        click.echo(f"{server} went away after line {line:,} ({fault}); going on when it is back", err=True)

    def messages() -> Iterator[Any]:
        for line, named in record_file.read(file):
            lines.append(line)
            yield write_record(*named)

    with connected(OperatorClient(server)) as client, output.bar(total, "publishing") as advance_to:
        for answer in client.publish(messages(), interrupted=tell):
            through = answer.durable_through
            advance_to(through)
            rejected += (
                (lines[one.sequence - 1], output.word(one, "reason"), one.message) for one in answer.rejections
            )
    return rejected


def _reference(name: SubjectName) -> dict[str, Any]:
    if isinstance(name, LocalSubject):
        return {"region": name.region, "local_id": name.id}
    return {"code": name.code} if isinstance(name, Scan) else {"pseudonym": name}


def _shown(record: StatusRecord) -> dict[str, str]:
    return {
        "publisher": record.publisher,
        "scope": record.scope.name,
        "level": record.level.name,
        "effective_at": rfc3339(record.effective_at),
        "expires_at": "" if record.expires_at is None else rfc3339(record.expires_at),
        "revision": str(record.revision),
    }


def _shown_message(record: Any) -> dict[str, str]:
    return {
        "publisher": record.publisher,
        "scope": output.word(record, "scope"),
        "level": output.word(record, "level"),
        "effective_at": record.effective_at.ToJsonString(),
        "expires_at": record.expires_at.ToJsonString() if record.HasField("expires_at") else "",
        "revision": str(record.revision),
    }


async def _publish(data_dir: Path, file: Path, total: int) -> list[_Rejected]:
    rejected: list[_Rejected] = []
    numbered = iter(output.progress(record_file.read(file), total, "publishing"))
    async with open_engine(data_dir) as engine:
        while chunk := list(islice(numbered, _CHUNK)):
            results = await engine.publisher.publish([named for _, named in chunk])
            found = zip(chunk, results, strict=True)
            rejected += ((number, rule.name, str(rule)) for (number, _), rule in found if rule is not None)
    return rejected


async def _get(data_dir: Path, subject: SubjectName) -> tuple[StatusRecord, ...]:
    async with open_engine(data_dir) as engine:
        resolved = await engine.publisher.resolve(subject)
        if resolved is None:
            raise Misconfigured("nobody is meant by this: the identifier is empty, or the code is not authentic")
        return (await engine.store.statuses([resolved.subject])).records[0]


def _subject_of(given: dict[str, str | None]) -> SubjectName:
    match given:
        case {"region": str(region), "local_id": str(local_id), "pseudonym": None, "code": None}:
            return LocalSubject(region, local_id)
        case {"region": None, "local_id": None, "pseudonym": str(pseudonym), "code": None}:
            try:
                return bytes.fromhex(pseudonym)
            except ValueError:
                raise Misconfigured("--pseudonym is not hex") from None
        case {"region": None, "local_id": None, "pseudonym": None, "code": str(code)}:
            return Scan(code.encode(errors="surrogateescape"), "")
    raise Misconfigured("name the subject by --region and --id, by --pseudonym, or by --code")
