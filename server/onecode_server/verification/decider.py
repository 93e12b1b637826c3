"""Steps 9 and 10 of the check: whether the host recognises the home, and the verdict.

``decide`` takes one code, ``decide_all`` takes a batch in columns. Codes with a simple status, which are nearly all,
are decided by a few operations on columns; codes of a batch with equal facts are decided once.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from onecode_server.model.code import Claims
from onecode_server.model.status import Level, Status, StatusView
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Recognition, Verdict
from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.rules import admission, levels, validity
from onecode_server.rules.freshness import STALE_S
from onecode_server.status.known import SimpleStatus, StatusColumns, simple
from onecode_server.status.table import NO_RECORD, needs_records
from onecode_server.verification.authenticate.verified_claims import Assertions, VerifiedClaims
from onecode_server.verification.check import Check

_Number = TypeVar("_Number", int, npt.NDArray[Any])

_AGE_BITS: Final = int(STALE_S).bit_length()
"""An age in whole seconds is at most STALE_S."""
_AGE_MASK: Final = (1 << _AGE_BITS) - 1
_LEVELS: Final = tuple(Level)
_STATUSES: Final = tuple(Status)
# As plain numbers, with which arrays are compared fast: NumPy converts a member of an enum for each comparison.
_CURRENT: Final = int(Status.CURRENT)
_NONE: Final = int(Status.NONE)


class RequestContext(NamedTuple):
    """The facts that all codes of a batch share: the trust list, the time of their checks, and whether the list was in
    date at that time and its file had been read lately. A read during the call may bring another list, and does not
    confirm the list of the call.

    ``confirms_decisions`` is whether the log that several machines share had confirmed exceptions and trust list
    lately; true without a log. ``recognitions`` are those that were found for a code of the batch, by host and home: at
    most one for each code.
    """

    trust: TrustList
    now: int
    list_in_date: bool
    confirms_decisions: bool
    for_translation: bool
    recognitions: dict[tuple[str, str], tuple[Recognition, str]]


@lru_cache(admission.VERDICTS_KEPT)
def _verdict(
    level: int,
    status: int,
    status_age_s: int,
    home: str,
    recognition: Recognition,
    exception_id: str,
    list_in_date: bool,
) -> Verdict:
    """Return the verdict on an authentic code with a simple status: see ``Decider.decide_all``."""
    return admission.decide(
        admission.Facts(
            recognition=recognition,
            level=_LEVELS[level],
            status=_STATUSES[status],
            list_in_date=list_in_date,
            home=home,
            exception_id=exception_id,
            status_age_s=status_age_s,
        )
    )


class Decider:
    """Decides on authentic codes. ``grace`` is how many microseconds past its next update a trust list may be used,
    ``skew`` is by how many microseconds clocks may disagree."""

    def __init__(self, exceptions: ExceptionCache, grace: int, skew: int) -> None:
        self._exceptions = exceptions
        self._grace = grace
        self._skew = skew

    def context(
        self, trust: TrustList, now: int, *, list_is_read: bool, confirms_decisions: bool, for_translation: bool
    ) -> RequestContext:
        """Return the context of a batch. ``list_is_read`` is whether the trust list's file had been read lately."""
        list_in_date = list_is_read and validity.is_in_date(trust, now, self._grace)
        return RequestContext(trust, now, list_in_date, confirms_decisions, for_translation, {})

    def decide(self, check: Check, context: RequestContext) -> None:
        """Fill in the level and the verdict of one check, authentic or not."""
        claims = check.claims
        if check.finding is not None or claims is None or check.view is None:
            facts = admission.Facts(check.finding)
        else:
            claim = levels.Claim(claims.level, claims.asserted_at, is_made=claims.level_word is not None)
            facts = self._facts(context, check.host, claims.home, claim, check.view)
        check.level = facts.level
        check.verdict = admission.decide(facts)

    def decide_simple(
        self,
        claims: Iterable[Claims],
        statuses: Iterable[SimpleStatus[int] | None],
        hosts: Iterable[str],
        context: RequestContext,
    ) -> list[Verdict | None]:
        """Return the verdict on each of few authentic codes, in order; None where its status is not simple.

        ``claims`` are what they claim, ``statuses`` those of their subjects, ``hosts`` where they were scanned.
        """
        verdicts: list[Verdict | None] = []
        now, list_in_date, recognitions = context.now, context.list_in_date, context.recognitions
        for claim, known, host in zip(claims, statuses, hosts, strict=True):
            if known is None:
                verdicts.append(None)
                continue
            home, _, level_word, level, asserted_at, _, _, source = claim
            status, age_s = _NONE, 0
            if known[0] != NO_RECORD:  # there is something to weigh
                if source is not None:
                    asserted_at = claim.asserted_at
                counts, replaces = self._weigh(known, int(home), level, level_word is None, asserted_at, now)
                if counts or known[5] != _CURRENT:
                    status, age_s = known[5:]
                if replaces:
                    level = _LEVELS[known[1]]
            recognition, exception_id = recognitions.get((host, home)) or self._recognise(context, host, home)
            verdicts.append(_verdict(level, status, age_s, home, recognition, exception_id, list_in_date))
        return verdicts

    def decide_all(
        self,
        claims: VerifiedClaims,
        known: StatusColumns,
        hosts: Sequence[str],
        host: npt.NDArray[np.int64],
        context: RequestContext,
    ) -> tuple[list[Verdict], npt.NDArray[np.int64]]:
        """Return the distinct verdicts on authentic codes, and the place of each code's verdict among them: int64[n].

        ``known`` are the statuses of their subjects. ``host``, int64[n], is the place of each code's host in ``hosts``.
        """
        by = claims.assertion
        homes, claimed, makes_no_claim = claims.assertions.columns
        facts_known = simple(known)
        counts, replaces = self._weigh(
            facts_known, homes[by], claimed[by], makes_no_claim[by], claims.asserted_at, context.now
        )
        level = np.where(replaces, facts_known[1], claimed[by])
        status = np.where((known.status == _CURRENT) & ~counts, _NONE, known.status)
        age_s = np.where(status == _NONE, 0, known.age_s)
        # One number holds all that a verdict depends on: codes with equal numbers have equal facts.
        pair = claims.assertion if len(hosts) == 1 else host * len(claims.assertions) + claims.assertion
        facts = ((pair * len(_LEVELS) + level) * len(_STATUSES) + status) << _AGE_BITS | age_s
        places: dict[int, int] = {}
        which = np.array([places.setdefault(number, len(places)) for number in facts.tolist()], np.int64)
        verdicts = self._verdicts(places, claims.assertions, hosts, context)
        # Where no status has several records, none needs them.
        many = needs_records(known.entries, context.now).nonzero()[0].tolist() if known.records else []
        for place in many:
            assertion = claims.assertions[int(claims.assertion[place])]
            claim = levels.Claim(assertion.claimed, int(claims.asserted_at[place]), assertion.makes_claim)
            view = StatusView(known.records[place], Status(int(known.status[place])), int(known.age_s[place]))
            which[place] = len(verdicts)
            facts_of_one = self._facts(context, hosts[int(host[place])], assertion.home, claim, view)
            verdicts.append(admission.decide(facts_of_one))
        return verdicts, which

    def _weigh(
        self,
        known: SimpleStatus[_Number],
        home: _Number,
        claimed: _Number,
        makes_no_claim: bool | npt.NDArray[np.bool_],
        asserted_at: _Number,
        now: int,
    ) -> tuple[Any, Any]:
        """Return whether the record of a simple status counts, and whether its level replaces the claim.

        Takes numbers for one code, and arrays for many: bool, or bool[n].
        """
        publisher, recorded, effective_at, expires_at, published_at, _, _ = known
        counts = (publisher == home) & levels.in_effect(effective_at, expires_at, now)
        replaces_claim = levels.replaces_claim(
            recorded, effective_at, published_at, claimed, makes_no_claim, asserted_at, self._skew
        )
        return counts, counts & replaces_claim

    def _verdicts(
        self, numbers: Iterable[int], assertions: Assertions, hosts: Sequence[str], context: RequestContext
    ) -> list[Verdict]:
        """Return the verdict on each of the facts that ``decide_all`` has made numbers of."""
        verdicts = []
        for number in numbers:
            pair, status = divmod(number >> _AGE_BITS, len(_STATUSES))
            pair, level = divmod(pair, len(_LEVELS))
            host_place, assertion_place = divmod(pair, len(assertions))
            home = assertions[assertion_place].home
            recognition = self._recognise(context, hosts[host_place], home)
            verdicts.append(_verdict(level, status, number & _AGE_MASK, home, *recognition, context.list_in_date))
        return verdicts

    def _facts(
        self, context: RequestContext, host: str, home: str, claim: levels.Claim, view: StatusView
    ) -> admission.Facts:
        region = context.trust.region(host)
        local = host if region is not None and region.adopts_national and not context.for_translation else None
        effective = levels.effective_level(claim, home, local, view.records, context.now, self._skew)
        status = Status.NONE if view.status is Status.CURRENT and not effective.counted else view.status
        recognition, exception_id = self._recognise(context, host, home)
        return admission.Facts(
            red_by_national=effective.red_by_national,
            red_by_host=effective.red_by_host,
            recognition=recognition,
            level=effective.level,
            status=status,
            list_in_date=context.list_in_date,
            home=home,
            exception_id=exception_id,
            status_age_s=0 if status is Status.NONE else view.age_s,
        )

    def _recognise(self, context: RequestContext, host: str, home: str) -> tuple[Recognition, str]:
        """Return whether the host recognises a home, and the id of the exception that suspends it, else empty."""
        pair = host, home
        found = context.recognitions.get(pair)
        if found is None:
            found = (Recognition.RECOGNISED if context.confirms_decisions else Recognition.UNCONFIRMED), ""
            if context.trust.region(host) is None:
                found = Recognition.UNKNOWN_HOST, ""
            elif (suspension := self._exceptions.suspension(host, home, context.now)) is not None:
                found = Recognition.SUSPENDED, suspension.id
            context.recognitions[pair] = found
        return found
