"""``onecode status``: publish and look up status records, over gRPC or directly in a data directory."""

import asyncio
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from onecode_client import OperatorClient, ServerError
from onecode_server.cli import output, record_file
from onecode_server.cli.connected import connected
from onecode_server.cli.log_options import log_options, read_log
from onecode_server.cli.options import PathType, json_option
from onecode_server.cli.target import Target, calls_server_instead
from onecode_server.composition import expect_writable, open_engine
from onecode_server.engine import Engine
from onecode_server.errors import Misconfigured, PreconditionFailed
from onecode_server.log.address import LogAddress
from onecode_server.model.code import Scan
from onecode_server.model.status import Scope, StatusRecord
from onecode_server.publication.publisher import LocalSubject, SubjectName
from onecode_server.rpc.records import write_record
from onecode_server.rules.publication import REVISIONS_END, Rejection

_CHUNK: Final = 1000
"""Records to a commit: some milliseconds of work for the disk, and some hundred kilobytes of memory."""
_SUPERSEDED: Final = Rejection.SUPERSEDED.name
_Rejected = tuple[int, str, str]
"""A line's number, the broken rule's name, and the rule in words."""

_F = TypeVar("_F", bound=Callable[..., Any])


def _subject_options(command: _F) -> _F:
    for option in (
        click.option("--code", help="As scanned."),
        click.option("--pseudonym", help="32 hex digits."),
        click.option("--id", "local_id", help="The region's identifier of the subject."),
        click.option("--region", help="With --id: the region of the identifier."),
    ):
        command = option(command)
    return command


@click.group()
def status() -> None:
    """Publish and look up status records."""


@status.command()
@calls_server_instead
@click.option("--file", "file", required=True, type=PathType(), help="One StatusRecord a line, as JSON.")
def publish(target: Target | Path, file: Path) -> None:
    """Publish records, over gRPC or directly in a data directory.

    All lines are read before the first is published; a record that breaks a rule is named, and the command ends with
    status 1 then. One that a higher revision has superseded breaks none. A server that goes away on the way is waited
    for, up to two minutes, and what it had not acknowledged is sent again.
    """
    total = record_file.check(file)
    rejected = (
        asyncio.run(_publish(target, file, total)) if isinstance(target, Path) else _publish_to(target, file, total)
    )
    counts: Counter[str] = Counter()
    for number, rule, text in rejected:
        counts[rule] += 1
        if counts[rule] <= 10 and rule != _SUPERSEDED:  # a rule that ten thousand records break is one mistake
            click.echo(f"rejected line {number}: {rule}: {text}", err=True)
    superseded = counts[_SUPERSEDED]
    newer = f"; {superseded:,} superseded: a higher revision was published before" if superseded else ""
    click.echo(f"{total - len(rejected):,} of {total:,} records published{newer}")
    if len(rejected) > superseded:
        raise click.exceptions.Exit(1)


@status.command()
@calls_server_instead
@_subject_options
@json_option
def get(target: Target | Path, *, as_json: bool, **subject: str | None) -> None:
    """Show the records of one subject."""
    name = _subject_of(subject)
    if isinstance(target, Path):
        shown = [_shown(write_record(*named)) for named in asyncio.run(_get(target, name))]
    else:
        with connected(OperatorClient, target) as client:
            shown = [_shown(record) for record in client.get_status(**_reference(name))]
    if as_json:
        for one in shown:
            output.print_json(one)
        return
    rows = [[str(one.get(field, "")) for field in StatusRecord._fields] for one in shown]
    output.print_table("", StatusRecord._fields, rows)


@status.command("reset-revision")
@click.option("--data-dir", required=True, type=PathType())
@log_options
@_subject_options
@click.option("--publisher", required=True, help="The publisher of the revisions, six digits.")
@click.option("--scope", default="NATIONAL", show_default=True, type=click.Choice([scope.name for scope in Scope]))
@click.option(
    "--to", "to", required=True, type=click.IntRange(0, REVISIONS_END - 1), help="The next one must be higher."
)
def reset_revision(
    data_dir: Path, publisher: str, scope: str, to: int, config: Path | None, **given: str | None
) -> None:
    """Set the last revision of a publisher, subject and scope back, where a counter went wrong.

    Levels and times stay: nothing is restored, and nothing is deleted. The audit record has an entry for it. Servers
    on the data directory may run. Where the machine shares a log, name it, and the server on the data directory must
    run: the change goes through the log to all machines.
    """
    where = {key: value for key, value in given.items() if key.startswith("log")}
    name = _subject_of({key: value for key, value in given.items() if key not in where})
    log = read_log(where, config)
    was = asyncio.run(_reset(data_dir, log, name, publisher, Scope[scope], to))
    click.echo(f"the last revision of {publisher} was {was}, and is {to} now")


async def _reset(
    data_dir: Path, log: LogAddress | None, name: SubjectName, publisher: str, scope: Scope, to: int
) -> int:
    await expect_writable(data_dir, log)
    async with open_engine(data_dir, log) as engine:
        subject = await _resolved(engine, name)
        try:
            return await engine.publisher.reset_revision(subject, publisher, scope, to)
        except PreconditionFailed as refused:
            raise Misconfigured(str(refused)) from None


async def _resolved(engine: Engine, name: SubjectName) -> bytes:
    resolved = await engine.publisher.resolve(name)
    if resolved is None:
        raise Misconfigured("this names no subject: the identifier is empty, or the code is not authentic")
    return resolved.subject


def _publish_to(target: Target, file: Path, total: int) -> list[_Rejected]:
    """Publish over one stream. A record's sequence counts the lines that are not blank: ``lines`` has their numbers."""
    rejected: list[_Rejected] = []
    lines, through = array("Q"), 0

    def report_interruption(fault: ServerError) -> None:
        line = lines[through - 1] if through else 0
        what = f"{target.server} is unreachable after line {line:,} ({fault})"
        click.echo(f"{what}; the publication continues when it is back", err=True)

    def messages() -> Iterator[Any]:
        for line, named in record_file.read_again(file, total):
            lines.append(line)
            yield write_record(*named)

    with connected(OperatorClient, target) as client, output.bar(total, "publishing") as advance_to:
        for answer in client.publish(messages(), interrupted=report_interruption):
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


def _shown(record: Any) -> dict[str, Any]:
    """Return a record as JSON that ``publish`` reads."""
    members = output.as_dict(record)
    return members | {"scope": output.word(record, "scope"), "level": output.word(record, "level")}


async def _publish(data_dir: Path, file: Path, total: int) -> list[_Rejected]:
    rejected: list[_Rejected] = []
    numbered = iter(output.progress(record_file.read_again(file, total), total, "publishing"))
    async with open_engine(data_dir) as engine:
        while chunk := list(islice(numbered, _CHUNK)):
            results = await engine.publisher.publish([named for _, named in chunk])
            found = zip(chunk, results, strict=True)
            rejected += ((number, rule.name, str(rule)) for (number, _), rule in found if rule is not None)
    return rejected


async def _get(data_dir: Path, subject: SubjectName) -> list[tuple[bytes, StatusRecord]]:
    async with open_engine(data_dir) as engine:
        stored_subject = await _resolved(engine, subject)
        return [(stored_subject, record) for record in await engine.publisher.known(stored_subject)]


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
