"""``onecode inspect``: follows the steps of the check offline, and says where a code fails."""

import asyncio
from pathlib import Path
from typing import Final

import click

from onecode_server.cli import code_files, output, trust_document
from onecode_server.cli.options import PathType, json_option
from onecode_server.cli.printable import printable
from onecode_server.codes.codec import opaque_home
from onecode_server.composition import open_store
from onecode_server.crypto import open_backend
from onecode_server.errors import Misconfigured
from onecode_server.model.scanned import bare
from onecode_server.model.trust_list import TrustList
from onecode_server.rules.validity import SKEW_US
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate.claims_reader import ClaimsReader
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.inspection import Inspection
from onecode_server.verification.inspector import Inspector

NO_PSEUDONYM_KEY: Final = bytes(32)
"""Subjects are not shown, so that an operator without the deployment's secret can inspect codes."""


@click.command()
@click.argument("code", required=False)
@click.option("--data-dir", required=True, type=PathType(), help="The deployment.")
@click.option("--file", type=PathType(), help="One code a line; - for standard input.")
@json_option
def inspect(code: str | None, data_dir: Path, file: Path | None, *, as_json: bool) -> None:
    """Check CODE by steps 1 to 7 of the check, without a server, and name the first step that fails.

    The trust list is the one in the directory, and the time is now. Identifiers are not shown; level words are. Ends
    with status 0 whatever is found.
    """
    if (code is None) == (file is None):
        raise Misconfigured("give either a CODE or --file")
    codes = code_files.read(file) if file else [str(code).encode(errors="surrogateescape")]
    data = DataDirectory(data_dir)
    trust = trust_document.parse(trust_document.read(data))
    inspections = asyncio.run(_inspect(data, trust, codes))
    for number, inspection in enumerate(inspections, 1):
        if as_json:
            output.print_json(_members(inspection))
        else:
            _show(inspection, f"code {number}" if len(codes) > 1 else "")


async def _inspect(data: DataDirectory, trust: TrustList, codes: list[bytes]) -> list[Inspection]:
    now = trust_document.now()
    is_opaque = any(opaque_home(bare(code), trust) for code in codes)
    store = open_store(Settings(data.path), Metrics()) if is_opaque and data.store.exists() else None
    try:
        tokens = TokenReader(store, data.read_pseudonym_key()) if store else None
        inspector = Inspector(open_backend("libsodium"), ClaimsReader(NO_PSEUDONYM_KEY), SKEW_US, tokens)
        return [await inspector.inspect(code, trust, now) for code in codes]
    finally:
        if store:
            await store.close()


def lines_of(inspection: Inspection) -> list[str]:
    """Return an inspection as lines for people: each step and its result, and at the end the outcome."""
    lines = []
    for number, name, passed, found in inspection.steps:
        mark = {True: "ok", False: "FAILED", None: "not checked"}[passed]
        first, *rest = found if passed is False or len(found) == 1 else ("", *found)
        lines.append(f"{number}. {name}: {mark}" + (f": {first}" if first else ""))
        lines += [f"     {line}" for line in rest]
    return [printable(line) for line in lines]


def _show(inspection: Inspection, title: str) -> None:
    if title:
        click.echo(title)
    for line in lines_of(inspection):
        click.echo(line)
    failed, finding = inspection.failed, inspection.finding
    if failed and finding:
        click.echo(f"{finding.authenticity.name}, {finding.reason.name}: step {failed.number}, {failed.name}, fails")
    elif all(step.passed for step in inspection.steps):
        click.echo("VALID: all steps pass; only a server checks status and recognition")


def _members(inspection: Inspection) -> dict[str, object]:
    failed, finding = inspection.failed, inspection.finding
    return {
        "steps": [step._asdict() for step in inspection.steps],
        "failed": failed.name if failed else None,
        "authenticity": finding.authenticity.name if finding else None if failed else "VALID",
        "reason": finding.reason.name if finding else None,
    }
