"""``onecode status``: publish and look up status records, over gRPC or directly in a data directory."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click

from onecode_client import OperatorClient, status_record
from onecode_server.app import open_engine
from onecode_server.cli import output
from onecode_server.cli.options import json_option, server_instead_option
from onecode_server.engine.publisher import LocalSubject, SubjectName
from onecode_server.errors import Malformed, Misconfigured
from onecode_server.formats import claims
from onecode_server.formats.trust_list import rfc3339
from onecode_server.model.code import Scan
from onecode_server.model.status import Level, Scope, StatusRecord

_CHUNK: Final = 1000
"""Records to a commit: some milliseconds of work for the disk, and some hundred kilobytes of memory."""
_LINE_BYTES_MAX: Final = 64 * 1024
_Named = tuple[SubjectName, StatusRecord]
_Rejected = tuple[int, str, str]
"""A line's number, the rule it broke, and the rule in words."""

_data_dir_option = click.option("--data-dir", type=click.Path(path_type=Path), help="Directly, without a server.")


@click.group()
def status() -> None:
    """Publish and look up status records."""


@status.command()
@server_instead_option
@_data_dir_option
@click.option(
    "--file", "file", required=True, type=click.Path(path_type=Path), help="One StatusRecord a line, as JSON."
)
def publish(server: str | None, data_dir: Path | None, file: Path) -> None:
    """Publish records, over gRPC or directly in a data directory.

    All lines are read before the first is published; a record that breaks a rule is named.
    """
    directory = _instead_of(server, data_dir)
    total = sum(1 for _ in _records(file))
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
        with OperatorClient(str(server)) as client:
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
    """Publish over one stream. A record's sequence is its line's number."""
    rejected: list[_Rejected] = []
    messages = (status_record(members) for _, members in _lines(file))
    with OperatorClient(server) as client, output.bar(total, "publishing") as advance_to:
        for answer in client.publish(messages):
            advance_to(answer.durable_through)
            rejected += ((one.sequence, output.word(one, "reason"), one.message) for one in answer.rejections)
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
    numbered = iter(output.progress(_records(file), total, "publishing"))
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


def _records(file: Path) -> Iterator[tuple[int, _Named]]:
    """Yield each record with its line's number. Raises Misconfigured."""
    for number, members in _lines(file):
        try:
            yield number, _record(members)
        except (Malformed, ValueError, KeyError, TypeError) as fault:
            raise Misconfigured(f"{file}, line {number}: not a StatusRecord ({_why(fault)})") from None


def _lines(file: Path) -> Iterator[tuple[int, Any]]:
    """Yield the JSON of each line with its number. Raises Misconfigured."""
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(_LINE_BYTES_MAX + 1), b""), 1):
                if len(line) > _LINE_BYTES_MAX:
                    raise Misconfigured(f"{file}, line {number}: too long for a record")
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as fault:
                    raise Misconfigured(f"{file}, line {number}: not a StatusRecord ({fault})") from None
    except OSError as fault:
        raise Misconfigured(f"cannot read {file}: {fault.strerror}") from None


def _record(members: dict[str, Any]) -> _Named:
    """Return a StatusRecord as protobuf's JSON mapping writes it; enum names may leave out their prefix."""
    if not isinstance(members, dict):
        raise ValueError("not an object")
    if unknown := set(members) - {"publisher", "subject", *StatusRecord._fields}:
        raise ValueError(f"unknown member {min(unknown)}")
    expires_at = members.get("expires_at")
    record = StatusRecord(
        str(members["publisher"]),
        Scope[str(members["scope"]).removeprefix("SCOPE_")],
        Level[str(members["level"]).removeprefix("LEVEL_")],
        claims.read_time(members["effective_at"]),
        None if expires_at is None else claims.read_time(expires_at),
        int(str(members["revision"])),  # a number or its text, as protobuf's JSON has it: neither 1.5 nor true
    )
    return _subject(members["subject"]), record


def _subject(members: dict[str, Any]) -> SubjectName:
    match members:
        case {"pseudonym": str(text), **rest} if not rest:
            return base64.b64decode(text, validate=True)
        case {"code": str(text), **rest} if not rest:
            return Scan(base64.b64decode(text, validate=True), "")
        case {"local": {"region": str(region), "id": str(local_id), **more}, **rest} if not rest and not more:
            return LocalSubject(region, local_id)
    raise ValueError("subject is not one of pseudonym, local and code")


def _why(fault: Exception) -> str:
    return f"{fault.args[0]} is missing or unknown" if isinstance(fault, KeyError) else str(fault)
