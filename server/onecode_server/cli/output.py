"""The output for people and programs: tables on a terminal, one JSON object a line with ``--json``, progress on
stderr."""

import json
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from onecode_server.cli.printable import printable

PIPE_COLUMNS: Final = 120
"""The width of a table that is written to a file or a pipe, which have no width of their own."""

_T = TypeVar("_T")
_COLOURS = {
    "ADMIT": "bold green",
    "CHECK": "bold yellow",
    "REFUSE": "bold red",
    "GREEN": "green",
    "YELLOW": "yellow",
    "RED": "red",
}


def progress(items: Iterable[_T], total: int, what: str) -> Iterator[_T]:
    """Yield the items, with a bar on standard error where that is a terminal."""
    with bar(total, what) as advance_to:
        for done, item in enumerate(items, 1):
            yield item
            advance_to(done)


@contextmanager
def bar(total: int | None, what: str) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error where that is a terminal; yields a function that moves it to a number. ``total`` is
    None where it is unknown."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, completed=done)


def print_json(value: Message | dict[str, Any]) -> None:
    """Print one object on a line, with the proto's field and enum names."""
    click.echo(json.dumps(as_dict(value) if isinstance(value, Message) else value, ensure_ascii=False))


def as_dict(message: Message) -> dict[str, Any]:
    """Return a message as protobuf's JSON, with the proto's field and enum names, and with every field."""
    members: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return members


def word(message: Message, field: str) -> str:
    """Return the name of an enum field's value without its prefix: DECISION_ADMIT is ADMIT."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    if enum is None:
        raise TypeError(f"{field} is no enum")
    prefix = "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(enum.name)).upper() + "_"
    return str(enum.values_by_number[getattr(message, field)].name).removeprefix(prefix)


def print_table(
    title: str, columns: Iterable[str], rows: Iterable[Iterable[str]], *, whole: Container[str] = ()
) -> None:
    """Print a table. The columns in ``whole`` are meant for copying, and never folded."""
    table = Table(title=Text(title) if title else None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        # Text, not markup: a region's or a reporter's text is shown exactly as written.
        table.add_row(*(Text(printable(cell), _COLOURS.get(cell, "")) for cell in row))
    console = Console(emoji=False)
    if not console.is_terminal:
        console.width = PIPE_COLUMNS
    console.print(table)
