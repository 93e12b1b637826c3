"""The main path: every check of every call goes through ``Verifier.verify_batch``, in ten steps.

Steps 1 to 7, is the code authentic, are ``authenticator``'s. Here are the other two questions and the answer:

 8. Status: the records that count, and the level they leave.
 9. Recognition: does the host recognise the home?
10. Verdict: the first row of the table that matches.

The steps run on the event loop, in slices; only store lookups leave it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from onecode_server.engine.authenticator import Authenticator
from onecode_server.engine.check import Check, Outcome
from onecode_server.engine.clock import Clock
from onecode_server.engine.exception_book import ExceptionBook
from onecode_server.engine.status_cache import StatusCache
from onecode_server.engine.trust_source import TrustSource
from onecode_server.metrics import UNKNOWN_REGION, Metrics
from onecode_server.model.code import Claims, Scan
from onecode_server.model.status import Level, Status
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Recognition
from onecode_server.rules import admission, levels, validity

SLICE_CODES: Final = 64
"""How many codes hold the event loop in one go: about 2 ms, after which others have their turn."""
SLICE_ROWS: Final = 128
"""How many do that were decoded together: they cost the rest of the path less than half as much."""


def _slices(checks: list[Check]) -> Iterator[list[Check]]:
    """Yield the checks in order, as many as hold the event loop for about 2 ms."""
    part: list[Check] = []
    work = 0
    for check in checks:
        part.append(check)
        work += 1 if check.row is not None else SLICE_ROWS // SLICE_CODES
        if work >= SLICE_ROWS:
            yield part
            part, work = [], 0
    if part:
        yield part


class Verifier:
    """Checks codes. Everything that it works with is handed in; ``grace`` is microseconds past a list's next update."""

    def __init__(
        self,
        trust: TrustSource,
        authenticator: Authenticator,
        statuses: StatusCache,
        exceptions: ExceptionBook,
        metrics: Metrics,
        clock: Clock,
        grace: int,
    ) -> None:
        self._trust = trust
        self._authenticator = authenticator
        self._statuses = statuses
        self._exceptions = exceptions
        self._metrics = metrics
        self._clock = clock
        self._grace = grace

    async def verify_batch(self, scans: Sequence[Scan]) -> Outcome:
        """Check every scan and return the checks in order. Raises NotServing while there is no trust list.

        A batch answers as its items would alone: nothing of one code reaches another.
        """
        trust, now = self._trust.current, self._clock()
        checks: list[Check] = []
        for part in _slices(await self._authenticator.begin(scans, trust)):
            if checks:
                await asyncio.sleep(0)  # whoever else has work on the loop
            await self._authenticator.authenticate(part, trust, now)
            await self._look_up_status(part)  # 8
            self._decide(part, trust, now)  # 9, 10
            checks += part
        self._count(checks, trust)
        return Outcome(checks, trust, now)

    async def authenticate(self, scan: Scan) -> Check:
        """Check whose code this is, without asking whether its bearer may pass: steps 1 to 7."""
        check = Check(scan)
        await self._authenticator.authenticate([check], self._trust.current, self._clock())
        return check

    async def _look_up_status(self, checks: list[Check]) -> None:
        authentic = [(check, check.claims) for check in checks if check.finding is None and check.claims is not None]
        if not authentic:
            return
        views = await self._statuses.lookup([claims.subject for _, claims in authentic])
        for (check, _), view in zip(authentic, views, strict=True):
            check.view = view

    def _decide(self, checks: list[Check], trust: TrustList, now: int) -> None:
        list_in_date = validity.is_in_date(trust, now, self._grace)
        for check in checks:
            if check.finding is None and check.claims is not None and check.view is not None:
                facts = self._facts(check, check.claims, trust, now, list_in_date=list_in_date)
            else:
                facts = admission.Facts(check.finding)
            check.level = facts.level
            check.verdict = admission.decide(facts)

    def _facts(
        self, check: Check, claims: Claims, trust: TrustList, now: int, *, list_in_date: bool
    ) -> admission.Facts:
        view, host = check.view, trust.region(check.scan.host)
        reader = trust.region(claims.reader)
        claimed = Level.UNSPECIFIED
        if reader is not None and claims.level_word is not None:
            claimed = reader.levels.get(claims.level_word, Level.UNSPECIFIED)
        local = check.scan.host if host is not None and host.adopts_national and not check.scan.travels else None
        records = view.records if view is not None else ()
        standing = levels.standing(claimed, claims.spoken_at, claims.home, local, records, now)
        status = view.status if view is not None else Status.UNAVAILABLE
        if status is Status.CURRENT and not standing.counted:
            status = Status.NONE
        recognition, exception_id = Recognition.RECOGNISED, ""
        if host is None:
            recognition = Recognition.UNKNOWN_HOST
        elif suspension := self._exceptions.suspension(host.code, claims.home, now):
            recognition, exception_id = Recognition.SUSPENDED, suspension.id
        return admission.Facts(
            None,
            standing.red_by_national,
            standing.red_by_host,
            recognition,
            standing.level,
            status,
            list_in_date,
            claims.home,
            exception_id,
            view.age_s if view is not None and status is not Status.NONE else 0,
        )

    def _count(self, checks: list[Check], trust: TrustList) -> None:
        self._metrics.batch_codes.observe(len(checks))
        answers = Counter((check.answer.decision, check.answer.authenticity) for check in checks)
        for (decision, authenticity), count in answers.items():
            self._metrics.verdicts.labels(decision.name, authenticity.name).inc(count)
        scans = Counter((check.answer.home, check.scan.host) for check in checks)
        for (home, host), count in scans.items():
            known = host if host in trust.regions else UNKNOWN_REGION
            self._metrics.scans.labels(home or UNKNOWN_REGION, known).inc(count)
