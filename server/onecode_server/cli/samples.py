"""Checks sample codes against an entry of the trust list before it is signed."""

import asyncio
from pathlib import Path
from typing import Final

import click

from onecode_server.cli import code_files, trust_document
from onecode_server.cli.inspect import NO_PSEUDONYM_KEY, lines_of
from onecode_server.crypto import open_backend
from onecode_server.errors import Misconfigured
from onecode_server.model.trust_list import Region, TrustList
from onecode_server.model.verdict import Reason
from onecode_server.rules.validity import SKEW_US
from onecode_server.trust import near_misses
from onecode_server.trust.document import rfc3339
from onecode_server.verification.authenticate.claims_reader import ClaimsReader
from onecode_server.verification.inspection import Inspection, Sample
from onecode_server.verification.inspector import Inspector

YEAR_2000_US: Final = 946_684_800 * 1_000_000
"""No health code is older: an earlier time of issue was read in the wrong unit."""

_LATER: Final = (Reason.EXPIRED, Reason.KEY_RETIRED, Reason.KEY_OUTSIDE_VALIDITY)
"""Reasons that an old sample may have although it fits its entry."""


def try_on(trust: TrustList, code: str, file: Path, public_key: str | None = None) -> None:
    """Show the result of each code in a file with the entry of region ``code``.

    With ``public_key`` (hex) the codes must be signed by that key of the region.

    Raises Misconfigured, with a line for each code that does not fit.
    """
    region = trust.region(code)
    if region is None:  # the edit itself is refused for this, with the reason
        return
    key = next((key for key in region.keys if key.public_key.hex() == public_key), None)
    samples, now = code_files.read(file), trust_document.now()
    inspections = asyncio.run(_inspect(trust, Sample(region, key), samples, now))
    mistakes = []
    for number, inspection in enumerate(inspections, 1):
        click.echo(f"sample {number}")
        for line in lines_of(inspection):
            click.echo(line)
        if why := _fault_of(inspection, region, now):
            mistakes.append(f"sample {number} does not fit: {why}")
    if mistakes:
        raise Misconfigured(*mistakes, f"{len(mistakes):,} of {len(samples):,} samples do not fit: nothing was signed")
    is_checked = all(step.passed is not None for inspection in inspections for step in inspection.steps)
    note = "" if is_checked else "; signatures were not checked, since there is no key yet"
    click.echo(f"{len(samples):,} of {len(samples):,} samples fit{note}")


async def _inspect(trust: TrustList, sample_of: Sample, samples: list[bytes], now: int) -> list[Inspection]:
    inspector = Inspector(open_backend("libsodium"), ClaimsReader(NO_PSEUDONYM_KEY), SKEW_US)
    return [await inspector.inspect(code, trust, now, sample_of) for code in samples]


def _fault_of(inspection: Inspection, region: Region, now: int) -> str | None:
    """Return the reason why a sample does not fit its region's entry, or None."""
    failed, finding, claims = inspection.failed, inspection.finding, inspection.claims
    if failed is not None and (finding is None or finding.reason not in _LATER):
        return f"{failed.number}. {failed.name}: {failed.lines[0]}"
    if claims is None or claims.level_word is None:
        return None
    if claims.issued_at < YEAR_2000_US:
        return f"6. claims: issued {rfc3339(claims.issued_at)}, before the year 2000: is time_format the wrong unit?"
    if claims.issued_at > now + SKEW_US:  # the inspection does not report this for a key outside its validity
        return f"7. validity: issued {rfc3339(claims.issued_at)}, and now is {rfc3339(now)}"
    if claims.level_word not in region.levels:
        near = near_misses.hint(claims.level_word, region.levels)
        return f"6. claims: the level {claims.level_word!a} is none of the entry's words{near}"
    return None
