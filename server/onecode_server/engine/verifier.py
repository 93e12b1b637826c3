"""The main path: every check of every call goes through here, in ten steps.

Steps 1 to 7, is the code authentic, are ``authenticator``'s, and ``column_authenticator``'s for codes that are built
alike. The other two questions and the answer are put here:

 8. Status: the records that count, and the level they leave.
 9. Recognition: does the host recognise the home?
10. Verdict: the first row of the table that matches.

The steps run on the event loop, in slices; only store lookups leave it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.engine import testimony
from onecode_server.engine.authenticator import Authenticator
from onecode_server.engine.check import Answers, Check, Outcome
from onecode_server.engine.clock import Clock
from onecode_server.engine.column_authenticator import ColumnAuthenticator
from onecode_server.engine.decider import Decider, Hosted
from onecode_server.engine.follower import Follower
from onecode_server.engine.status_cache import StatusCache
from onecode_server.engine.trust_source import TrustSource
from onecode_server.engine.turns import Turns
from onecode_server.metrics import UNKNOWN_REGION, Metrics
from onecode_server.model.code import Scan
from onecode_server.model.scanned import all_bare, bare
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Finding, Verdict
from onecode_server.rules import admission

SLICE_CODES: Final = 64
"""How many codes that are read one by one hold the event loop in one go: about 2 ms, after which others have a turn."""
SLICE_BYTES: Final = 64 * 1024
"""How many bytes of them do: the longest codes, full of small values, take up to a millisecond each."""
TOGETHER_CODES: Final = 512
"""How many do that are read in columns."""
SHARED_CODES: Final = 192
"""How many of them where single calls come in between: those wait for some slices, and the fewer codes to a slice, the
more each costs."""


def _bare(scan: Scan) -> Scan:
    """Return a scan of the code itself: every check, digest and token is of that."""
    code = bare(scan.code)
    return scan if code is scan.code else scan._replace(code=code)


def _slices(checks: Sequence[Check]) -> Iterator[list[Check]]:
    """Yield the checks in parts of SLICE_CODES and, where that is more than one, SLICE_BYTES at most."""
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
    """Checks codes. Everything that it works with is handed in."""

    def __init__(
        self,
        trust: TrustSource,
        authenticator: Authenticator,
        columns: ColumnAuthenticator,
        statuses: StatusCache,
        follower: Follower,
        decider: Decider,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._trust = trust
        self._authenticator = authenticator
        self._columns = columns
        self._statuses = statuses
        self._follower = follower
        self._decider = decider
        self._metrics = metrics
        self._clock = clock
        self._turns = Turns()

    async def check(self, scans: Sequence[Scan]) -> Outcome:
        """Check scans one by one, and return the checks in order. Raises NotServing while there is no trust list."""
        await self._follower.follow()
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
        return Outcome(checks, trust, now)

    async def verify(self, codes: Sequence[bytes], host: str, is_shared: Callable[[], bool] = _always) -> Answers:
        """Check codes that were scanned at one host. Raises NotServing while there is no trust list.

        A batch answers as its codes would alone: nothing of one code reaches another. ``is_shared`` tells whether there
        are single calls beside it.
        """
        await self._follower.follow()
        trust, codes = self._trust.current, all_bare(codes)
        at = Hosted(host, trust, self._clock(), self._trust.is_read)
        distinct: list[Verdict] = []
        which = np.empty(len(codes), np.int64)
        start = 0
        while start < len(codes):
            if start or len(codes) > TOGETHER_CODES:
                await self._turns.leave()
            end = start + (SHARED_CODES if is_shared() else TOGETHER_CODES)
            verdicts, places = await self._verify_together(codes[start:end], at)
            which[start:end] = places + len(distinct)
            distinct += verdicts
            start = end
        self._metrics.batch_codes.observe(len(codes))
        counts = np.bincount(which, minlength=len(distinct)).tolist()
        self._count({(verdict, host): n for verdict, n in zip(distinct, counts, strict=True)}, trust)
        return Answers(distinct, which, trust, at.now)

    async def authenticate(self, scan: Scan) -> Check:
        """Check whose code this is, without asking whether its bearer may pass: steps 1 to 7."""
        check = Check(_bare(scan))
        await self._authenticator.authenticate([check], self._trust.current, self._clock())
        return check

    async def _verify_together(self, codes: Sequence[bytes], at: Hosted) -> tuple[list[Verdict], npt.NDArray[np.int64]]:
        """Return verdicts, and which of them each code has."""
        said = await self._columns.authenticate(codes, at.trust, at.now)  # 1 to 7
        is_left = np.ones(len(codes), bool)
        for testified in said:
            is_left[testified.places] = False
        places = np.flatnonzero(is_left).tolist()
        checks = [Check(Scan(codes[place], at.host)) for place in places]
        for number, part in enumerate(_slices(checks)):
            if number:
                await asyncio.sleep(0)
            await self._authenticator.authenticate(part, at.trust, at.now)
        which = np.empty(len(codes), np.int64)
        verdicts: list[Verdict] = []
        if spoken := [
            (p, check.claims) for p, check in zip(places, checks, strict=True) if check.claims and not check.finding
        ]:
            signed = ((check.scan.code, check.key) for check in checks if not check.finding)
            self._columns.learn([(code, key) for code, key in signed if key is not None], at.trust)
            said.append(testimony.of_claims(spoken, at.trust))
        if said:
            together = testimony.joined(said)
            known = await self._statuses.columns(together.subjects)  # 8
            verdicts, which[together.places] = self._decider.decide_all(together, known, at)  # 9, 10
        refused: dict[Finding | None, int] = {}
        for place, check in zip(places, checks, strict=True):
            # That there are neither claims nor a finding would be a bug: then no rule admits it.
            if check.finding is not None or check.claims is None:
                which[place] = refused.setdefault(check.finding, len(verdicts) + len(refused))
        return verdicts + [admission.decide(admission.Facts(finding)) for finding in refused], which

    async def _look_up_status(self, checks: list[Check]) -> None:
        spoken = [(check, check.claims.subject) for check in checks if check.claims and check.finding is None]
        if spoken:
            views = await self._statuses.lookup([subject for _, subject in spoken])
            for (check, _), view in zip(spoken, views, strict=True):
                check.view = view

    def _count(self, answers: Mapping[tuple[Verdict, str], int], trust: TrustList) -> None:
        """Count verdicts by their answer, and by home and host."""
        for (verdict, host), count in answers.items():
            self._metrics.verdicts.labels(verdict.decision.name, verdict.authenticity.name).inc(count)
            known = host if host in trust.regions else UNKNOWN_REGION
            self._metrics.scans.labels(verdict.home or UNKNOWN_REGION, known).inc(count)
