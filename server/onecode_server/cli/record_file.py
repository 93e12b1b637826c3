"""Files of status records, one JSON object a line, as ``onecode status publish`` reads them."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from onecode_server.cli import json_files, lines, output
from onecode_server.codes.times import read_time
from onecode_server.errors import Malformed, Misconfigured
from onecode_server.model.code import Scan
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.publication.publisher import LocalSubject, SubjectName

_SHOWN_EVERY: Final = 1000
"""Records to a step of the bar, which costs about as much as reading one."""
_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_MEMBERS: Final = frozenset(("publisher", "subject", *StatusRecord._fields))

Named = tuple[SubjectName, StatusRecord]


def check(file: Path) -> int:
    """Read a file to its end, and return how many records it has. Raises Misconfigured."""
    if file == lines.STANDARD_INPUT or (file.exists() and not file.is_file()):
        what = "standard input" if file == lines.STANDARD_INPUT else "a pipe or a directory"
        raise Misconfigured(f"{file} is {what}: records are read twice, so that a mistake publishes nothing")
    total = 0
    with output.bar(None, "checking") as advance_to:
        for total, _ in enumerate(read(file), 1):
            if total % _SHOWN_EVERY == 0:
                advance_to(total)
    return total


def read_again(file: Path, total: int) -> Iterator[tuple[int, Named]]:
    """Yield each record of a file that was checked and had ``total``, so that no more are reported than were read.

    Raises Misconfigured.
    """
    found = 0
    for named in read(file):
        found += 1
        yield named
    if found != total:
        raise Misconfigured(f"{file} was changed while it was published: it had {total:,} records, then {found:,}")


def read(file: Path) -> Iterator[tuple[int, Named]]:
    """Yield each record with its line's number. Raises Misconfigured."""
    for number, members in _lines(file):
        try:
            yield number, _record(members)
        except (Malformed, ValueError, KeyError, TypeError) as fault:
            raise Misconfigured(f"{file}, line {number}: not a StatusRecord ({_describe(fault)})") from None


def _lines(file: Path) -> Iterator[tuple[int, Any]]:
    """Yield the JSON of each line with its number. Raises Misconfigured."""
    for number, line in lines.read(file, "too long for a record"):
        try:
            yield number, json_files.loads(line)
        except (ValueError, RecursionError) as fault:
            raise Misconfigured(f"{file}, line {number}: not a StatusRecord ({fault})") from None


def _record(members: dict[str, Any]) -> Named:
    """Return a StatusRecord from protobuf's JSON mapping; enum names may leave out their prefix.

    A ``published_at``, which ``onecode status get --json`` shows, is ignored: the store sets that time.
    """
    if not isinstance(members, dict):
        raise ValueError("not an object")
    if unknown := members.keys() - _MEMBERS:
        raise ValueError(f"unknown member {min(unknown)}")
    expires_at = members.get("expires_at")
    if not _DIGITS.fullmatch(digits := str(members["revision"])):  # a number or its text, as in protobuf's JSON
        raise ValueError("revision is neither a whole number nor its digits as text")
    if (revision := int(digits)) >= 2**64:
        raise ValueError("revision is not in the range of uint64")
    record = StatusRecord(
        str(members["publisher"]),
        Scope[str(members["scope"]).removeprefix("SCOPE_")],
        Level[str(members["level"]).removeprefix("LEVEL_")],
        read_time(members["effective_at"]),
        None if expires_at is None else read_time(expires_at),
        revision,
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


def _describe(fault: Exception) -> str:
    return f"{fault.args[0]} is missing or unknown" if isinstance(fault, KeyError) else str(fault)
