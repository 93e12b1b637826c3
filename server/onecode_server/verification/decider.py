"""Steps 9 and 10 of the check: whether the host recognises the home, and the verdict.

``decide`` takes one code, ``decide_all`` takes a batch in columns. Codes with a simple status, which are nearly all,
are decided by a few operations on columns; codes of a batch with equal facts are decided once.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.model.status import Level, Status, StatusView
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Recognition, Verdict
from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.rules import admission, levels, validity
from onecode_server.rules.freshness import STALE_S
from onecode_server.status.cache import StatusColumns
from onecode_server.status.table import needs_records
from onecode_server.verification.authenticate.claim_fields import Assertion, assertion_of
from onecode_server.verification.authenticate.verified_claims import VerifiedClaims
from onecode_server.verification.check import Check

_AGE_BITS: Final = int(STALE_S).bit_length()
"""An age in whole seconds is at most STALE_S."""
_LEVELS: Final = tuple(Level)
_STATUSES: Final = tuple(Status)


class RequestContext(NamedTuple):
    """The facts that all codes of a batch share: the trust list and the time of their checks.

    ``list_is_read`` is whether the trust list's file had been read lately at the moment when ``trust`` was taken. A
    read during the call may bring another list, and does not confirm the list of the call.
    """

    trust: TrustList
    now: int
    list_is_read: bool
    for_translation: bool = False


class Decider:
    """Decides on authentic codes. ``grace`` is how many microseconds past its next update a trust list may be used,
    ``skew`` is by how many microseconds clocks may disagree."""

    def __init__(self, exceptions: ExceptionCache, grace: int, skew: int) -> None:
        self._exceptions = exceptions
        self._grace = grace
        self._skew = skew

    def decide(self, check: Check, context: RequestContext) -> None:
        """Fill in the level and the verdict of one check, authentic or not."""
        facts = admission.Facts(check.finding)
        if check.finding is None and check.claims is not None and check.view is not None:
            claims = check.claims
            facts = self._facts(context, check.host, assertion_of(claims), claims.asserted_at, check.view)
        check.level = facts.level
        check.verdict = admission.decide(facts)

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
        entries, status = known.entries, known.status
        assertions = claims.assertions
        homes = np.array([int(one.home) for one in assertions], np.int64)[claims.assertion]
        counts = (entries["publisher"] == homes) & levels.in_effect(
            entries["effective_at"], entries["expires_at"], context.now
        )
        claimed = np.array([assertion.claimed for assertion in claims.assertions], np.int64)[claims.assertion]
        makes_no_claim = np.array([not assertion.makes_claim for assertion in claims.assertions], bool)[
            claims.assertion
        ]
        replaces_claim = levels.replaces_claim(
            entries["level"],
            entries["effective_at"],
            entries["published_at"],
            claimed,
            makes_no_claim,
            claims.asserted_at,
            self._skew,
        )
        level = np.where(counts & replaces_claim, entries["level"], claimed)
        status = np.where((status == Status.CURRENT) & ~counts, Status.NONE, status)
        age_s = np.where(status == Status.NONE, 0, known.age_s)
        # One number holds all that a verdict depends on: codes with equal numbers have equal facts.
        pair = host * len(assertions) + claims.assertion
        facts = ((pair * len(Level) + level) * len(Status) + status) << _AGE_BITS | age_s
        _, first, which = np.unique(facts, return_index=True, return_inverse=True)
        verdicts, recognitions = [], dict[tuple[str, str], tuple[Recognition, str]]()
        list_in_date = self._is_in_date(context)
        for one_pair, one_level, one_status, one_age_s in _rows(first, pair, level, status, age_s):
            host_place, assertion_place = divmod(one_pair, len(assertions))
            at, home = hosts[host_place], assertions[assertion_place].home
            if (at, home) not in recognitions:
                recognitions[at, home] = self._recognise(context, at, home)
            recognition, exception_id = recognitions[at, home]
            verdicts.append(
                admission.decide(
                    admission.Facts(
                        recognition=recognition,
                        level=_LEVELS[one_level],
                        status=_STATUSES[one_status],
                        list_in_date=list_in_date,
                        home=home,
                        exception_id=exception_id,
                        status_age_s=one_age_s,
                    )
                )
            )
        for place in np.flatnonzero(needs_records(entries, context.now)).tolist():
            assertion = assertions[int(claims.assertion[place])]
            view = StatusView(known.records[place], Status(int(known.status[place])), int(known.age_s[place]))
            which[place] = len(verdicts)
            facts_of_one = self._facts(
                context, hosts[int(host[place])], assertion, int(claims.asserted_at[place]), view
            )
            verdicts.append(admission.decide(facts_of_one))
        return verdicts, which

    def _facts(
        self, context: RequestContext, host: str, assertion: Assertion, asserted_at: int, view: StatusView
    ) -> admission.Facts:
        region = context.trust.region(host)
        local = host if region is not None and region.adopts_national and not context.for_translation else None
        claim = levels.Claim(assertion.claimed, asserted_at, assertion.makes_claim)
        effective = levels.effective_level(claim, assertion.home, local, view.records, context.now, self._skew)
        status = Status.NONE if view.status is Status.CURRENT and not effective.counted else view.status
        recognition, exception_id = self._recognise(context, host, assertion.home)
        return admission.Facts(
            red_by_national=effective.red_by_national,
            red_by_host=effective.red_by_host,
            recognition=recognition,
            level=effective.level,
            status=status,
            list_in_date=self._is_in_date(context),
            home=assertion.home,
            exception_id=exception_id,
            status_age_s=0 if status is Status.NONE else view.age_s,
        )

    def _is_in_date(self, context: RequestContext) -> bool:
        return context.list_is_read and validity.is_in_date(context.trust, context.now, self._grace)

    def _recognise(self, context: RequestContext, host: str, home: str) -> tuple[Recognition, str]:
        """Return whether the host recognises a home, and the id of the exception that suspends it, else empty."""
        if context.trust.region(host) is None:
            return Recognition.UNKNOWN_HOST, ""
        suspension = self._exceptions.suspension(host, home, context.now)
        return (Recognition.RECOGNISED, "") if suspension is None else (Recognition.SUSPENDED, suspension.id)


def _rows(places: npt.NDArray[np.int64], *columns: npt.NDArray[np.integer]) -> Iterator[tuple[int, ...]]:
    """Return the rows of some columns at ``places``, as Python integers."""
    return zip(*(column[places].tolist() for column in columns), strict=True)
