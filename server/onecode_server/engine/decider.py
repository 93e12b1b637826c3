"""Steps 9 and 10 of the check: does the host recognise the home, and what is the verdict?

One code by itself, and many in columns: those whose status is simple, as nearly all are, are decided by a few
operations on all of them. Equal facts of a batch are decided once.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.engine.check import Check
from onecode_server.engine.claim_fields import Claimant, claimant_of
from onecode_server.engine.exception_book import ExceptionBook
from onecode_server.engine.status_cache import StatusColumns
from onecode_server.engine.status_table import needs_records
from onecode_server.engine.testimony import Testimony
from onecode_server.model.status import Level, Status, StatusView
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Recognition, Verdict
from onecode_server.rules import admission, levels, validity

_AGE_BITS: Final = 9  # STALE_S is below 512
_LEVELS: Final = tuple(Level)
_STATUSES: Final = tuple(Status)


class Hosted(NamedTuple):
    """Where codes are scanned, and when: what is the same for all codes of a call.

    ``list_is_read`` tells whether the trust list's file was read lately when ``trust`` was taken as it is: a list that
    is read meanwhile says nothing of an older one, on which the call rests.
    """

    host: str
    trust: TrustList
    now: int
    list_is_read: bool
    travels: bool = False


class Decider:
    """Decides on authentic codes. ``grace`` is microseconds past a trust list's next update, ``skew`` microseconds by
    which clocks may disagree."""

    def __init__(self, exceptions: ExceptionBook, grace: int, skew: int) -> None:
        self._exceptions = exceptions
        self._grace = grace
        self._skew = skew

    def decide(self, check: Check, trust: TrustList, now: int, list_is_read: bool) -> None:
        """Fill in the level and the verdict of one check, authentic or not. ``list_is_read``: see Hosted."""
        facts = admission.Facts(check.finding)
        if check.finding is None and check.claims is not None and check.view is not None:
            at = Hosted(check.scan.host, trust, now, list_is_read, check.scan.travels)
            facts = self._facts(at, claimant_of(check.claims, trust), check.claims.spoken_at, check.view)
        check.level = facts.level
        check.verdict = admission.decide(facts)

    def decide_all(
        self, said: Testimony, known: StatusColumns, at: Hosted
    ) -> tuple[list[Verdict], npt.NDArray[np.int64]]:
        """Return the verdicts on authentic codes, each once, and which of them each code has: int64[n].

        ``known`` are the statuses of their subjects.
        """
        entries, status = known.entries, known.status
        homes = np.array([int(claimant.home) for claimant in said.claimants], np.int64)[said.claimant]
        counts = (entries["publisher"] == homes) & levels.in_effect(
            entries["effective_at"], entries["expires_at"], at.now
        )
        claimed = np.array([claimant.claimed for claimant in said.claimants], np.int64)[said.claimant]
        makes_no_claim = np.array([not claimant.makes_claim for claimant in said.claimants], bool)[said.claimant]
        stands = levels.stands(
            entries["level"],
            entries["effective_at"],
            entries["published_at"],
            claimed,
            makes_no_claim,
            said.spoken_at,
            self._skew,
        )
        level = np.where(counts & stands, entries["level"], claimed)
        status = np.where((status == Status.CURRENT) & ~counts, Status.NONE, status)
        age_s = np.where(status == Status.NONE, 0, known.age_s)
        # All that a verdict depends on, as one number: equal numbers are equal facts.
        facts = ((said.claimant * len(Level) + level) * len(Status) + status) << _AGE_BITS | age_s
        _, first, which = np.unique(facts, return_index=True, return_inverse=True)
        verdicts, recognitions = [], dict[str, tuple[Recognition, str]]()
        list_in_date = self._is_in_date(at)
        for speaker, one_level, one_status, one_age_s in _rows(first, said.claimant, level, status, age_s):
            home = said.claimants[speaker].home
            if home not in recognitions:
                recognitions[home] = self._recognise(at, home)
            recognition, exception_id = recognitions[home]
            verdicts.append(
                admission.decide(
                    admission.Facts(
                        None,
                        False,
                        False,
                        recognition,
                        _LEVELS[one_level],
                        _STATUSES[one_status],
                        list_in_date,
                        home,
                        exception_id,
                        one_age_s,
                    )
                )
            )
        for place in np.flatnonzero(needs_records(entries, at.now)).tolist():
            claimant = said.claimants[int(said.claimant[place])]
            view = StatusView(known.records[place], Status(int(known.status[place])), int(known.age_s[place]))
            which[place] = len(verdicts)
            verdicts.append(admission.decide(self._facts(at, claimant, int(said.spoken_at[place]), view)))
        return verdicts, which

    def _facts(self, at: Hosted, claimant: Claimant, spoken_at: int, view: StatusView) -> admission.Facts:
        host = at.trust.region(at.host)
        local = at.host if host is not None and host.adopts_national and not at.travels else None
        claim = levels.Claim(claimant.claimed, spoken_at, claimant.makes_claim)
        standing = levels.standing(claim, claimant.home, local, view.records, at.now, self._skew)
        status = Status.NONE if view.status is Status.CURRENT and not standing.counted else view.status
        recognition, exception_id = self._recognise(at, claimant.home)
        return admission.Facts(
            None,
            standing.red_by_national,
            standing.red_by_host,
            recognition,
            standing.level,
            status,
            self._is_in_date(at),
            claimant.home,
            exception_id,
            0 if status is Status.NONE else view.age_s,
        )

    def _is_in_date(self, at: Hosted) -> bool:
        return at.list_is_read and validity.is_in_date(at.trust, at.now, self._grace)

    def _recognise(self, at: Hosted, home: str) -> tuple[Recognition, str]:
        """Return whether the host recognises a home, and the exception under which it does not."""
        if at.trust.region(at.host) is None:
            return Recognition.UNKNOWN_HOST, ""
        suspension = self._exceptions.suspension(at.host, home, at.now)
        return (Recognition.RECOGNISED, "") if suspension is None else (Recognition.SUSPENDED, suspension.id)


def _rows(places: npt.NDArray[np.int64], *columns: npt.NDArray[np.integer]) -> Iterator[tuple[int, ...]]:
    """Return some rows of columns, as Python's numbers."""
    return zip(*(column[places].tolist() for column in columns), strict=True)
