"""The main path: every check of every call goes through here, in ten steps.

Steps 1 to 7 decide whether the code is authentic: ``authenticate.authenticator`` lists them. The template authenticator
takes the codes of known templates through them, and the general one takes what is left. The verifier adds the rest:

 8. Status: the records that count, and the effective level. Sets ``view`` of a check.
 9. Recognition: whether the host recognises the home.
10. Verdict: the first row of the verdict table that matches. Sets ``level`` and ``verdict``.

The steps run on the event loop, in slices; only store lookups leave it.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.model.code import Scans
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
from onecode_server.verification.authenticate.authenticator import Authenticator, CodeSlice
from onecode_server.verification.authenticate.by_template import TemplateAuthenticator
from onecode_server.verification.authenticate.general import GeneralAuthenticator, in_parts
from onecode_server.verification.check import Check, CheckResults
from onecode_server.verification.decider import Decider, RequestContext
from onecode_server.verification.turns import SLICE_CODES_MAX, Turns
from onecode_server.verification.verdict_counters import begin_verdicts, verdict_counters


def _distinct(hosts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return each host once, and the place of each code's host among them: int64[n]."""
    if hosts.count(hosts[0]) == len(hosts):  # as in every call of a gateway
        return [hosts[0]], np.zeros(len(hosts), np.int64)
    places = {host: place for place, host in enumerate(dict.fromkeys(hosts))}
    return list(places), np.array([places[host] for host in hosts], np.int64)


_FIRST: Final = np.zeros(1, np.int64)
"""The place of the verdict on a code that is checked alone."""
_FIRST.flags.writeable = False


def _always() -> bool:
    return True


class Verifier:
    """Checks codes; its parts are passed in."""

    def __init__(
        self,
        trust: TrustSource,
        by_template: TemplateAuthenticator,
        general: GeneralAuthenticator,
        statuses: StatusCache,
        change_feed: ChangeFeedReader,
        decider: Decider,
        metrics: Metrics,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._trust = trust
        self._by_template = by_template
        self._general = general
        self._authenticators: tuple[Authenticator, ...] = (by_template, general)
        self._statuses = statuses
        self._change_feed = change_feed
        self._decider = decider
        self._metrics = metrics
        self._clock = clock
        self._turns = Turns(monotonic)
        # Reading the names of enums takes longer than counting.
        self._counters_of = lru_cache(admission.VERDICTS_KEPT)(
            lambda verdict, host: verdict_counters(metrics, verdict, host)
        )
        begin_verdicts(metrics)

    async def verify(self, scans: Scans, is_shared: Callable[[], bool] = _always) -> CheckResults:
        """Check a batch of codes. Raises NotServing while there is no trust list.

        Each code has the verdict that it would have alone: no code affects another. ``is_shared`` tells whether single
        calls are arriving as well.
        """
        if self._change_feed.is_behind:
            await self._change_feed.follow()
        context = self._context(for_translation=scans.for_translation)
        self._metrics.batch_codes.observe(len(scans.codes))
        if len(scans.codes) == 1 and not scans.for_translation:
            return await self._verify_alone(bare(scans.codes[0]), scans.hosts[0], context)
        scans = Scans(all_bare(scans.codes), scans.hosts, scans.for_translation)
        if scans.for_translation or not self._by_template.prefers_columns(scans.codes):  # a translation needs a Check
            return await self._verify_singly(scans, context)
        return await self._verify_together(scans, context, is_shared)

    def _context(self, *, for_translation: bool) -> RequestContext:
        trust = self._trust
        return self._decider.context(
            trust.current,
            self._clock(),
            list_is_read=trust.is_read,
            confirms_decisions=self._change_feed.confirms_decisions,
            for_translation=for_translation,
        )

    async def authenticate(self, code: bytes) -> Check:
        """Check whether a code is authentic: steps 1 to 7, without status, recognition and verdict."""
        check = Check(bare(code))
        await self._authenticate(CodeSlice.of_single([check]), self._trust.current, self._clock())
        return check

    async def _authenticate(self, codes: CodeSlice, trust: TrustList, now: int) -> None:
        for authenticator in self._authenticators:
            await authenticator.authenticate(codes, trust, now)
        self._by_template.learn(codes, trust)

    async def _verify_alone(self, code: bytes, host: str, context: RequestContext) -> CheckResults:
        """Check one code, which waits for nothing where its template and its status are known."""
        check = Check(code, host)
        self._by_template.authenticate_one(check, context.trust, context.now)  # 1 to 7
        if check.claims is None and check.finding is None:
            codes = CodeSlice.of_single([check])
            await self._general.authenticate(codes, context.trust, context.now)
            self._by_template.learn(codes, context.trust)
        if left := self._decide_at_once([check], context):  # 8, 9, 10
            await self._decide_looked_up(left, context)
        verdict = check.answer
        self._count(((verdict, host, 1),), context.trust)
        return CheckResults([verdict], _FIRST, context.trust, context.now, [])

    async def _verify_singly(self, scans: Scans, context: RequestContext) -> CheckResults:
        checks = [Check(code, host) for code, host in zip(scans.codes, scans.hosts, strict=True)]
        for number, part in enumerate(in_parts(checks)):
            if number:
                await asyncio.sleep(0)
            await self._authenticate(CodeSlice.of_single(part), context.trust, context.now)  # 1 to 7
            # A translation needs the records.
            if left := part if context.for_translation else self._decide_at_once(part, context):  # 8, 9, 10
                await self._decide_looked_up(left, context)
        verdicts = [check.answer for check in checks]
        self._count(zip(verdicts, scans.hosts, repeat(1)), context.trust)
        return CheckResults(verdicts, np.arange(len(checks)), context.trust, context.now, checks)

    async def _verify_together(
        self, scans: Scans, context: RequestContext, is_shared: Callable[[], bool]
    ) -> CheckResults:
        codes = scans.codes
        hosts, host = _distinct(scans.hosts)
        distinct: list[Verdict] = []
        which = np.empty(len(codes), np.int64)
        start = 0
        while start < len(codes):
            if start or len(codes) > SLICE_CODES_MAX:
                await self._turns.leave()
            end = start + self._turns.slice_codes(is_shared=is_shared())
            with self._turns.slice(min(end, len(codes)) - start):
                verdicts, places = await self._verify_slice(codes[start:end], hosts, host[start:end], context)
            which[start:end] = places + len(distinct)
            distinct += verdicts
            start = end
        counts = np.bincount(which * len(hosts) + host).tolist()
        pairs = [(divmod(number, len(hosts)), count) for number, count in enumerate(counts) if count]
        self._count(((distinct[place], hosts[at], count) for (place, at), count in pairs), context.trust)
        return CheckResults(distinct, which, context.trust, context.now, [])

    async def _verify_slice(
        self, codes: Sequence[bytes], hosts: Sequence[str], host: npt.NDArray[np.int64], context: RequestContext
    ) -> tuple[list[Verdict], npt.NDArray[np.int64]]:
        """Return the distinct verdicts, and the place of each code's verdict among them: int64[n]. ``host``, int64[n],
        is the place of each code's host in ``hosts``."""
        slice_ = CodeSlice(codes)
        await self._authenticate(slice_, context.trust, context.now)  # 1 to 7
        verdicts: list[Verdict] = []
        which = np.empty(len(codes), np.int64)
        if parts := slice_.all_verified():
            claims = verified_claims.joined(parts)
            known = await self._statuses.columns(claims.subjects)  # 8
            verdicts, which[claims.places] = self._decider.decide_all(  # 9, 10
                claims, known, hosts, host[claims.places], context
            )
        refused: dict[Finding | None, int] = {}
        for place, check in slice_.checks.items():
            # A check with neither claims nor a finding would be a bug; no rule admits its code then.
            if check.finding is not None or check.claims is None:
                which[place] = refused.setdefault(check.finding, len(verdicts) + len(refused))
        return verdicts + [admission.decide(admission.Facts(finding)) for finding in refused], which

    def _decide_at_once(self, checks: Sequence[Check], context: RequestContext) -> list[Check]:
        """Take the checks that were refused or whose status is simple through steps 8 to 10; return the others."""
        authentic = [(check, check.claims) for check in checks if check.claims is not None and check.finding is None]
        if len(authentic) < len(checks):
            for check in checks:
                if check.finding is not None or check.claims is None:
                    self._decider.decide(check, context)
        left = []
        statuses = self._statuses.simple([claims.subject for _, claims in authentic], context.now)
        for (check, claims), status in zip(authentic, statuses, strict=True):
            if status is None:
                left.append(check)
            else:
                self._decider.decide_simple(check, claims, status, context)
        return left

    async def _decide_looked_up(self, checks: list[Check], context: RequestContext) -> None:
        """Take checks through steps 8 to 10, with one look-up of all statuses."""
        authentic = [(check, check.claims.subject) for check in checks if check.claims and check.finding is None]
        if authentic:
            views = await self._statuses.lookup([subject for _, subject in authentic])  # 8
            for (check, _), view in zip(authentic, views, strict=True):
                check.view = view
        for check in checks:
            self._decider.decide(check, context)  # 9, 10

    def _count(self, answers: Iterable[tuple[Verdict, str, int]], trust: TrustList) -> None:
        """Count verdicts by what they say, and scans by home and host."""
        for verdict, host, count in answers:
            self._counters_of(verdict, host if host in trust.regions else UNKNOWN_REGION).inc(count)
