"""Write docs/api.md: the services, messages and enums of the protos, with their comments.

Usage: ``buf build protos --exclude-imports -o - | python protos/generate_api.py [--check] FILE``. The program reads a
FileDescriptorSet with source information from standard input and writes the page to FILE. With ``--check`` it compares
instead, shows the difference, and ends with status 1 where the page is not what the protos say.
"""

import difflib
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

ORDER: Final = ("recognition", "status", "exceptions", "trust_list")
"""The files as a partner needs them; a file that is not named here comes after these, by its name."""
PACKAGE: Final = "onecode.v1"
COLUMNS: Final = 120
HEAD: Final = """\
# The API

This page is generated from the comments in `protos/` by `make docs`; `make check` compares the two. Change a comment
there, never this page.

The package is `onecode.v1`. Python stubs are in [clients/python](../clients/python/README.md); for another language,
generate them from `protos/`. The server also answers `grpc.health.v1` and, with `--reflection true`, server reflection
([operating](operating.md)).

An error that this server returns carries `google.rpc.ErrorInfo` with the domain `onecode` and a reason for programs.
RESOURCE_EXHAUSTED carries `google.rpc.RetryInfo` as well, which says when to ask again.
[For partners](partners.md#errors-say-why-and-whether-to-repeat) lists the reasons, and [what may
change](partners.md#v1-only-grows).
"""

DEPRECATED: Final = "**Deprecated.** "

Place = tuple[int, ...]
"""Where an element stands in its file: field numbers of the descriptor's messages, and indexes, in turns."""

_MESSAGES, _ENUMS, _SERVICES, _SYNTAX = 4, 5, 6, 12  # fields of FileDescriptorProto
_MEMBERS = 2  # a message's fields, an enum's values, a service's methods
_ONEOFS = 8  # of DescriptorProto
_SCALARS: Final = {number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()}


class Page:
    """Makes the section of one file."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        self._comments: Mapping[Place, str] = {
            tuple(one.path): one.leading_comments for one in file.source_code_info.location
        }
        self._messages = {
            f".{file.package}.{message.name}": (index, message) for index, message in enumerate(file.message_type)
        }
        self._shown: set[str] = set()

    def lines(self) -> Iterator[str]:
        """Yield the section: the file, its services with the messages of their methods, its other types."""
        yield from (f"## {self._file.name}", "", *self._prose((_SYNTAX,)))
        for index, service in enumerate(self._file.service):
            yield from self._service(service, (_SERVICES, index))
        for name in self._messages:
            yield from self._message(name, "###")
        for index, enum in enumerate(self._file.enum_type):
            yield from self._enum(enum, (_ENUMS, index))

    def contents(self) -> Iterator[str]:
        """Yield a line for each service, with links to its methods."""
        for service in self._file.service:
            methods = ", ".join(_link(method.name) for method in service.method)
            yield from _wrapped(f"* {_link(service.name)}: {methods}", "  ")

    def _service(self, service: ServiceDescriptorProto, place: Place) -> Iterator[str]:
        yield from (f"### {service.name}", "", *self._prose(place, is_deprecated=service.options.deprecated))
        for index, method in enumerate(service.method):
            yield from self._method(method, (*place, _MEMBERS, index))

    def _method(self, method: MethodDescriptorProto, place: Place) -> Iterator[str]:
        asked, answered = _type_link(method.input_type), _type_link(method.output_type)
        if method.client_streaming:
            asked = f"stream of {asked}"
        if method.server_streaming:
            answered = f"stream of {answered}"
        types = _wrapped(f"Request: {asked}. Response: {answered}.")
        yield from (f"#### {method.name}", "", *self._prose(place, is_deprecated=method.options.deprecated), *types, "")
        for name in (method.input_type, method.output_type):
            yield from self._message(name, "#####")

    def _message(self, name: str, heading: str) -> Iterator[str]:
        """Yield a message, unless it was shown before or is another file's."""
        if name in self._shown or name not in self._messages:
            return
        self._shown.add(name)
        index, message = self._messages[name]
        place = (_MESSAGES, index)
        if message.nested_type or message.enum_type:
            raise NotImplementedError(f"{name} has types inside it, which the page would not show")
        yield from (f"{heading} {message.name}", "", *self._prose(place, is_deprecated=message.options.deprecated))
        for number, oneof in enumerate(message.oneof_decl):
            members = [one for one in message.field if one.HasField("oneof_index") and one.oneof_index == number]
            names = ", ".join(f"`{one.name}`" for one in members)
            yield from (*_wrapped(f"`{oneof.name}` is one of {names}. {self._cell((*place, _ONEOFS, number))}"), "")
        yield from self._table("field", (self._field(message, place, at) for at in range(len(message.field))))

    def _field(self, message: DescriptorProto, place: Place, index: int) -> Sequence[str]:
        field = message.field[index]
        kind = _type_link(field.type_name) if field.type_name else _SCALARS[field.type]
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            kind = f"repeated {kind}"
        meaning = self._cell((*place, _MEMBERS, index), is_deprecated=field.options.deprecated)
        return str(field.number), f"`{field.name}`", kind, meaning

    def _enum(self, enum: EnumDescriptorProto, place: Place) -> Iterator[str]:
        yield from (f"### {enum.name}", "", *self._prose(place, is_deprecated=enum.options.deprecated))
        rows = (
            (
                str(value.number),
                f"`{value.name}`",
                self._cell((*place, _MEMBERS, index), is_deprecated=value.options.deprecated),
            )
            for index, value in enumerate(enum.value)
        )
        yield from self._table("value", rows)

    def _table(self, what: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
        head = ("number", what, *(("type",) if what == "field" else ()), "meaning")
        yield from (_row(head), _row(["---:", *["---"] * (len(head) - 1)]), *map(_row, rows), "")

    def _prose(self, place: Place, *, is_deprecated: bool = False) -> Iterator[str]:
        """Yield the paragraphs of a comment, each followed by an empty line."""
        for paragraph in self._paragraphs(place, is_deprecated=is_deprecated):
            yield from (*_wrapped(paragraph), "")

    def _cell(self, place: Place, *, is_deprecated: bool = False) -> str:
        return "<br>".join(self._paragraphs(place, is_deprecated=is_deprecated)).replace("|", "\\|")

    def _paragraphs(self, place: Place, *, is_deprecated: bool) -> list[str]:
        comment = f"{DEPRECATED if is_deprecated else ''}{self._comments.get(place, '')}".replace("<", "&lt;")
        return [" ".join(one.split()) for one in re.split(r"\n\s*\n", comment) if one.strip()]


def page(files: Iterable[FileDescriptorProto]) -> str:
    """Return the whole page."""
    sections = [Page(file) for file in sorted(files, key=_order)]
    lines = [*HEAD.splitlines(), ""]
    lines += [line for section in sections for line in section.contents()]
    lines.append("")
    lines += [line for section in sections for line in section.lines()]
    return "\n".join(lines).rstrip("\n") + "\n"


def _order(file: FileDescriptorProto) -> tuple[int, str]:
    stem = PurePosixPath(file.name).stem
    return (ORDER.index(stem) if stem in ORDER else len(ORDER), file.name)


def _type_link(name: str) -> str:
    """Return a link to a type of this package, and the full name of any other."""
    package, _, plain = name.removeprefix(".").rpartition(".")
    return _link(plain) if package == PACKAGE else f"{package}.{plain}"


def _link(heading: str) -> str:
    return f"[{heading}](#{heading.lower()})"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare it. Returns the exit status."""
    *flags, name = arguments
    files = FileDescriptorSet.FromString(sys.stdin.buffer.read()).file
    if not files:
        sys.stderr.write("no descriptors on standard input\n")
        return 2
    made, target = page(files), Path(name)
    if flags != ["--check"]:
        target.write_text(made, encoding="utf-8")
        return 0
    found = target.read_text(encoding="utf-8") if target.exists() else ""
    difference = list(difflib.unified_diff(found.splitlines(True), made.splitlines(True), name, "from the protos"))
    sys.stderr.writelines(difference)
    if difference:
        sys.stderr.write(f"{name} is stale: run 'make docs' and commit the result\n")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
