"""The main path: every check of every call goes through here, in ten steps.

Steps 1 to 7 decide whether the code is authentic: ``authenticate.authenticator`` lists them. The template authenticator
takes the codes of known templates through them, and the general one takes what is left. The verifier adds the rest:

 8. Status: the records that count, and the effective level. Sets ``view`` of a check.
 9. Recognition: whether the host recognises the home.
10. Verdict: the first row of the verdict table that matches. Sets ``level`` and ``verdict``.

The steps run on the event loop, in slices; only store lookups leave it.
"""

import asyncio
from collections.abc import Callable, Sequence
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
from onecode_server.telemetry.metrics import Metrics
from onecode_server.trust.source import TrustSource
from onecode_server.verification.authenticate import verified_claims
from onecode_server.verification.authenticate.authenticator import CodeSlice
from onecode_server.verification.authenticate.by_template import TemplateAuthenticator
from onecode_server.verification.authenticate.general import SLICE_CODES, GeneralAuthenticator
from onecode_server.verification.check import Check, CheckResults, counted
from onecode_server.verification.decider import Decider, RequestContext
from onecode_server.verification.turns import SLICE_CODES_MAX, Turns
from onecode_server.verification.verdict_counters import VerdictCounters


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
        self._statuses = statuses
        self._change_feed = change_feed
        self._decider = decider
        self._metrics = metrics
        self._clock = clock
        self._turns = Turns(monotonic)
        self._counters = VerdictCounters(metrics)

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
        if scans.for_translation:
            return await self._verify_singly(scans, context)
        if self._by_template.prefers_columns(scans.codes):
            return await self._verify_together(scans, context, is_shared)
        return await self._verify_few(scans, context)

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
        (check,) = await self._checks([bare(code)], self._trust.current, self._clock())
        return check

    async def _authenticate(self, codes: CodeSlice, trust: TrustList, now: int) -> None:
        await self._by_template.authenticate(codes, trust, now)
        if not codes.is_verified:
            await self._general.authenticate(codes, trust, now)
            self._by_template.learn(codes, trust)

    async def _checks(self, codes: Sequence[bytes], trust: TrustList, now: int) -> list[Check]:
        slice_ = CodeSlice(codes, in_columns=False)
        await self._authenticate(slice_, trust, now)
        return slice_.all_checks()

    async def _verify_alone(self, code: bytes, host: str, context: RequestContext) -> CheckResults:
        """Check one code, which waits for nothing where its template and its status are known."""
        check = Check(code, host)
        self._by_template.authenticate_one(check, context.trust, context.now)  # 1 to 7
        if check.claims is None and check.finding is None:
            codes = CodeSlice([code], in_columns=False)
            codes.checks[0] = check
            await self._general.authenticate(codes, context.trust, context.now)
            self._by_template.learn(codes, context.trust)
        verdict = None
        if check.claims is not None and check.finding is None:
            statuses = self._statuses.simple((check.claims.subject,), context.now)  # 8
            (verdict,) = self._decider.decide_simple((check.claims,), statuses, (host,), context)  # 9, 10
        if verdict is None:
            await self._decide_looked_up([check], context)
            verdict = check.answer
        self._counters.count(((verdict, host, 1),), context.trust)
        return CheckResults([verdict], _FIRST, context.trust, context.now, [])

    async def _verify_singly(self, scans: Scans, context: RequestContext) -> CheckResults:
        """Check codes with a Check and all records of each, as translations need them."""
        checks: list[Check] = []
        for start in range(0, len(scans.codes), SLICE_CODES):
            if start:
                await asyncio.sleep(0)
            part = slice(start, start + SLICE_CODES)
            some = await self._checks(scans.codes[part], context.trust, context.now)  # 1 to 7
            for check, host in zip(some, scans.hosts[part], strict=True):
                check.host = host
            await self._decide_looked_up(some, context)  # 8, 9, 10
            checks += some
        verdicts = [check.answer for check in checks]
        self._counters.count(zip(verdicts, scans.hosts, repeat(1)), context.trust)
        return CheckResults(verdicts, np.arange(len(checks)), context.trust, context.now, checks)

    async def _verify_few(self, scans: Scans, context: RequestContext) -> CheckResults:
        """Check codes that are too few for columns."""
        slice_ = CodeSlice(scans.codes, in_columns=False)
        await self._authenticate(slice_, context.trust, context.now)  # 1 to 7
        verdicts: list[Verdict | None] = [None] * len(scans.codes)
        for read in slice_.rows:
            is_all = len(read.places) == len(verdicts)
            hosts = scans.hosts if is_all else [scans.hosts[place] for place in read.places]
            statuses = self._statuses.simple([claims.subject for claims in read.claims], context.now)  # 8
            decided = self._decider.decide_simple(read.claims, statuses, hosts, context)  # 9, 10
            if is_all:
                verdicts = decided
            else:
                for place, verdict in zip(read.places, decided, strict=True):
                    verdicts[place] = verdict
        answers = [verdict for verdict in verdicts if verdict is not None]
        if len(answers) < len(verdicts):
            answers = await self._decide_left(verdicts, slice_, scans.hosts, context)
        counts, which = counted(answers, scans.hosts)
        self._counters.count(counts, context.trust)
        return CheckResults([verdict for verdict, _, _ in counts], which, context.trust, context.now, [])

    async def _decide_left(
        self, verdicts: Sequence[Verdict | None], slice_: CodeSlice, hosts: Sequence[str], context: RequestContext
    ) -> list[Verdict]:
        """Take the codes without a verdict through steps 8 to 10: those that were refused, and those whose status is
        not simple. Return all verdicts."""
        claims = {place: one for read in slice_.rows for place, one in zip(read.places, read.claims, strict=True)}
        checks = {place: slice_.check(place) for place, verdict in enumerate(verdicts) if verdict is None}
        for place, check in checks.items():
            check.host, check.claims = hosts[place], claims.get(place, check.claims)
        await self._decide_looked_up(list(checks.values()), context)
        return [checks[place].answer if one is None else one for place, one in enumerate(verdicts)]

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
        self._counters.count(((distinct[place], hosts[at], count) for (place, at), count in pairs), context.trust)
        return CheckResults(distinct, which, context.trust, context.now, [])

    async def _verify_slice(
        self, codes: Sequence[bytes], hosts: Sequence[str], host: npt.NDArray[np.int64], context: RequestContext
    ) -> tuple[list[Verdict], npt.NDArray[np.int64]]:
        """Return the distinct verdicts, and the place of each code's verdict among them: int64[n]. ``host``, int64[n],
        is the place of each code's host in ``hosts``."""
        slice_ = CodeSlice(codes, in_columns=True)
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

    async def _decide_looked_up(self, checks: list[Check], context: RequestContext) -> None:
        """Take checks through steps 8 to 10, with one look-up of all statuses."""
        authentic = [(check, check.claims.subject) for check in checks if check.claims and check.finding is None]
        if authentic:
            views = await self._statuses.lookup([subject for _, subject in authentic])  # 8
            for (check, _), view in zip(authentic, views, strict=True):
                check.view = view
        for check in checks:
            self._decider.decide(check, context)  # 9, 10
