"""``onecode verify`` and ``onecode translate``: calls of a server."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from onecode_client import OnecodeClient
from onecode_server.cli import lines, output
from onecode_server.cli.connected import connected
from onecode_server.cli.options import PathType, json_option
from onecode_server.cli.target import Target, calls_server
from onecode_server.errors import Misconfigured
from onecode_server.model.scanned import bare

ROWS_MAX: Final = 50
"""The bound on rows of a table: above it, verdicts are counted instead."""
FILE_BYTES_MAX: Final = 1024**3
"""Three million codes: they and their verdicts are held in memory, and answered within some minutes."""

_code = click.argument("code", required=False)
_file = click.option("--file", type=PathType(), help="One code a line; - for standard input.")


@click.command()
@calls_server
@click.option("--host", "host_region", required=True, metavar="REGION", help="Where the codes were scanned.")
@_code
@_file
@json_option
def verify(target: Target, host_region: str, code: str | None, file: Path | None, *, as_json: bool) -> None:
    """Check CODE, or every line of a file, for a host region. Ends with status 0 whatever the verdicts."""
    codes = _codes(code, file)
    with connected(OnecodeClient, target) as client:
        verdicts = output.progress(client.verify_all(codes, host_region), len(codes), "verifying")
        if as_json:
            for verdict in verdicts:
                output.print_json(verdict)
        else:
            _show(list(verdicts), host_region)


@click.command()
@calls_server
@click.option("--to", "target_region", required=True, metavar="REGION", help="The target region; 000000: national.")
@_code
@_file
@json_option
def translate(target: Target, target_region: str, code: str | None, file: Path | None, *, as_json: bool) -> None:
    """Translate CODE, or every line of a file, into a region's terms."""
    codes = _codes(code, file)
    with connected(OnecodeClient, target) as client:
        if file is None:
            translation = client.translate(codes[0], target_region)
            return (
                output.print_json(_members(translation))
                if as_json
                else _show_translations([translation], target_region)
            )
        results = list(output.progress(client.translate_all(codes, target_region), len(codes), "translating"))
    if not as_json:
        return _show_translations([result.translation for result in results], target_region)
    for result in results:
        obstacle = {"obstacle": output.as_dict(result)["obstacle"]} if result.obstacle else {}
        output.print_json(_members(result.translation) | obstacle)
    return None


def _codes(code: str | None, file: Path | None) -> list[bytes]:
    if (code is None) == (file is None):
        raise Misconfigured("give either a CODE or --file")
    if file is None:
        return [str(code).encode(errors="surrogateescape")]
    codes = list(_lines(file))
    if not codes:
        raise Misconfigured(f"{file} has no codes")
    return codes


def _lines(file: Path) -> Iterator[bytes]:
    """Yield the code of each line, without the characters that its scanner added. A line without a code is blank."""
    size = 0
    for _, line in lines.read(file, f"more than {lines.LINE_BYTES_MAX:,} bytes are no code"):
        size += len(line)
        if size > FILE_BYTES_MAX:
            raise Misconfigured(f"{file}: more than {FILE_BYTES_MAX:,} bytes; split it")
        if code := bare(line):
            yield code


def _members(translation: Any) -> dict[str, Any]:
    """Return a translation as protobuf's JSON, except that the code is text."""
    return output.as_dict(translation) | {"code": translation.code.decode()}


def _cells(verdict: Any) -> tuple[str, ...]:
    return (verdict.home_region or "-", *(output.word(verdict, field) for field in _COLUMNS[1:]))


_COLUMNS: Final = ("home", "decision", "level", "authenticity", "status", "recognition", "reason")


def _show(verdicts: list[Any], host_region: str) -> None:
    title = f"{len(verdicts):,} code{'s' if len(verdicts) > 1 else ''} at {host_region}"
    if len(verdicts) <= ROWS_MAX:
        rows = [(str(number), *_cells(verdict)) for number, verdict in enumerate(verdicts, 1)]
        return output.print_table(title, ("#", *_COLUMNS), rows)
    counts = Counter(map(_cells, verdicts))
    rows = [(f"{count:,}", *cells) for cells, count in counts.most_common(ROWS_MAX)]
    return output.print_table(title, ("codes", *_COLUMNS), rows)


def _show_translations(translations: list[Any], target_region: str) -> None:
    made = [translation for translation in translations if translation.code]
    _show([translation.verdict for translation in translations], target_region)
    click.echo(f"{len(made):,} of {len(translations):,} translated")
    for translation in made if len(made) <= ROWS_MAX else ():
        click.echo(f"{translation.format}, until {translation.expires_at.ToJsonString()}:\n{translation.code.decode()}")
