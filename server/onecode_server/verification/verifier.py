"""The main path: every check of every call goes through here, in ten steps.

Steps 1 to 7 decide whether the code is authentic: ``authenticate.general`` makes them, and ``authenticate.by_template``
for codes of a known template. The verifier adds the rest:

 8. Status: the records that count, and the effective level.
 9. Recognition: whether the host recognises the home.
10. Verdict: the first row of the verdict table that matches.

The steps run on the event loop, in slices; only store lookups leave it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.model.code import Scan
from onecode_server.model.scanned import all_bare, bare
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Finding, Verdict
from onecode_server.rules import admission
from onecode_server.status.cache import StatusCache
from onecode_server.status.change_feed import ChangeFeedReader
from onecode_server.system.clock import Clock
from onecode_server.telemetry.metrics import UNKNOWN_REGION, Metrics
from onecode_server.trust.source import TrustSource
from onecode_server.verification.authenticate import verified_claims
from onecode_server.verification.authenticate.by_template import TemplateAuthenticator
from onecode_server.verification.authenticate.general import GeneralAuthenticator
from onecode_server.verification.check import Check, CheckResults, Verdicts
from onecode_server.verification.decider import Decider, RequestContext
from onecode_server.verification.turns import Turns

SLICE_CODES: Final = 64
"""Codes in a slice of codes that are read one by one: about 2 ms of the event loop, then other work has a turn."""
SLICE_BYTES: Final = 64 * 1024
"""Bytes in such a slice: the longest codes, full of small values, take up to a millisecond each."""
TOGETHER_CODES: Final = 512
"""Codes in a slice of codes that are read in columns."""
SHARED_CODES: Final = 192
"""Codes in a slice read in columns while single calls arrive. Single calls wait for some slices, so slices are smaller;
a code in a smaller slice costs more."""


def _bare(scan: Scan) -> Scan:
    """Return the scan without what the scanner added to its code: checks, digests and tokens are of the bare code."""
    code = bare(scan.code)
    return scan if code is scan.code else scan._replace(code=code)


def _slices(checks: Sequence[Check]) -> Iterator[list[Check]]:
    """Yield the checks in parts of at most SLICE_CODES codes and SLICE_BYTES bytes; a single code may be longer."""
    part: list[Check] = []
    size = 0
    for check in checks:
        size += len(check.scan.code)
        if part and (len(part) == SLICE_CODES or size > SLICE_BYTES):
            yield part
            part, size = [], len(check.scan.code)
        part.append(check)
    if part:
        yield part


def _always() -> bool:
    return True


class Verifier:
    """Checks codes; its parts are passed in."""

    def __init__(
        self,
        trust: TrustSource,
        authenticator: GeneralAuthenticator,
        columns: TemplateAuthenticator,
        statuses: StatusCache,
        change_feed: ChangeFeedReader,
        decider: Decider,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._trust = trust
        self._authenticator = authenticator
        self._columns = columns
        self._statuses = statuses
        self._change_feed = change_feed
        self._decider = decider
        self._metrics = metrics
        self._clock = clock
        self._turns = Turns()

    async def check(self, scans: Sequence[Scan]) -> CheckResults:
        """Check scans one by one, and return the checks in order. Raises NotServing while there is no trust list."""
        await self._change_feed.follow()
        trust, now, list_is_read = self._trust.current, self._clock(), self._trust.is_read
        checks = [Check(_bare(scan)) for scan in scans]
        for number, part in enumerate(_slices(checks)):
            if number:
                await asyncio.sleep(0)
            await self._authenticator.authenticate(part, trust, now)
            await self._look_up_status(part)  # 8
            for check in part:
                self._decider.decide(check, trust, now, list_is_read)  # 9, 10
        self._metrics.batch_codes.observe(len(checks))
        counts: dict[tuple[Verdict, str], int] = {}
        for check in checks:
            told = check.answer, check.scan.host
            counts[told] = counts.get(told, 0) + 1
        self._count(counts, trust)
        return CheckResults(checks, trust, now)

    async def verify(self, codes: Sequence[bytes], host: str, is_shared: Callable[[], bool] = _always) -> Verdicts:
        """Check codes that were scanned at one host. Raises NotServing while there is no trust list.

        Each code has the verdict that it would have alone: no code affects another. ``is_shared`` tells whether single
        calls are arriving as well.
        """
        await self._change_feed.follow()
        trust, codes = self._trust.current, all_bare(codes)
        context = RequestContext(host, trust, self._clock(), self._trust.is_read)
        distinct: list[Verdict] = []
        which = np.empty(len(codes), np.int64)
        start = 0
        while start < len(codes):
            if start or len(codes) > TOGETHER_CODES:
                await self._turns.leave()
            end = start + (SHARED_CODES if is_shared() else TOGETHER_CODES)
            verdicts, places = await self._verify_together(codes[start:end], context)
            which[start:end] = places + len(distinct)
            distinct += verdicts
            start = end
        self._metrics.batch_codes.observe(len(codes))
        counts = np.bincount(which, minlength=len(distinct)).tolist()
        self._count({(verdict, host): n for verdict, n in zip(distinct, counts, strict=True)}, trust)
        return Verdicts(distinct, which, trust, context.now)

    async def authenticate(self, scan: Scan) -> Check:
        """Check whether a code is authentic: steps 1 to 7, without status, recognition and verdict."""
        check = Check(_bare(scan))
        await self._authenticator.authenticate([check], self._trust.current, self._clock())
        return check

    async def _verify_together(
        self, codes: Sequence[bytes], context: RequestContext
    ) -> tuple[list[Verdict], npt.NDArray[np.int64]]:
        """Return the distinct verdicts, and the place of each code's verdict among them: int64[n]."""
        parts = await self._columns.authenticate(codes, context.trust, context.now)  # 1 to 7
        is_left = np.ones(len(codes), bool)
        for part in parts:
            is_left[part.places] = False
        places = np.flatnonzero(is_left).tolist()
        checks = [Check(Scan(codes[place], context.host)) for place in places]
        for number, some in enumerate(_slices(checks)):
            if number:
                await asyncio.sleep(0)
            await self._authenticator.authenticate(some, context.trust, context.now)
        which = np.empty(len(codes), np.int64)
        verdicts: list[Verdict] = []
        if single := [
            (p, check.claims) for p, check in zip(places, checks, strict=True) if check.claims and not check.finding
        ]:
            signed = ((check.scan.code, check.key) for check in checks if not check.finding)
            self._columns.learn([(code, key) for code, key in signed if key is not None], context.trust)
            parts.append(verified_claims.of_claims(single))
        if parts:
            together = verified_claims.joined(parts)
            known = await self._statuses.columns(together.subjects)  # 8
            verdicts, which[together.places] = self._decider.decide_all(together, known, context)  # 9, 10
        refused: dict[Finding | None, int] = {}
        for place, check in zip(places, checks, strict=True):
            # A check with neither claims nor a finding would be a bug; no rule admits its code then.
            if check.finding is not None or check.claims is None:
                which[place] = refused.setdefault(check.finding, len(verdicts) + len(refused))
        return verdicts + [admission.decide(admission.Facts(finding)) for finding in refused], which

    async def _look_up_status(self, checks: list[Check]) -> None:
        authentic = [(check, check.claims.subject) for check in checks if check.claims and check.finding is None]
        if authentic:
            views = await self._statuses.lookup([subject for _, subject in authentic])
            for (check, _), view in zip(authentic, views, strict=True):
                check.view = view

    def _count(self, answers: Mapping[tuple[Verdict, str], int], trust: TrustList) -> None:
        """Count verdicts by decision and authenticity, and scans by home and host."""
        for (verdict, host), count in answers.items():
            self._metrics.verdicts.labels(verdict.decision.name, verdict.authenticity.name).inc(count)
            known = host if host in trust.regions else UNKNOWN_REGION
            self._metrics.scans.labels(verdict.home or UNKNOWN_REGION, known).inc(count)
