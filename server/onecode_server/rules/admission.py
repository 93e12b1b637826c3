"""The verdict: the first row of one table that matches decides. The last row matches all facts and decides CHECK."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from onecode_server.model.status import Level, Status
from onecode_server.model.verdict import Authenticity, Decision, Finding, Reason, Recognition, Verdict


class Facts(NamedTuple):
    """All that a verdict depends on. ``finding`` is None for an authentic code."""

    finding: Finding | None = None
    red_by_national: bool = False
    red_by_host: bool = False
    recognition: Recognition = Recognition.UNSPECIFIED
    level: Level = Level.UNSPECIFIED
    status: Status = Status.UNSPECIFIED
    list_in_date: bool = False
    home: str = ""
    exception_id: str = ""
    status_age_s: int = 0


class Row(NamedTuple):
    """One rule: its condition on the facts, its decision, and its level and reason.

    If ``level`` is None, the verdict has the level of the facts; if ``reason`` is None, the reason of the finding.
    """

    matches: Callable[[Facts], bool]
    decision: Decision
    level: Level | None
    reason: Reason | None


VERDICTS_KEPT: Final = 4096
"""Verdicts that are cached by their facts. Most scans share few facts: 35 homes, a level, an age of some seconds."""

_SETTLED: Final = (Status.CURRENT, Status.NONE)

TABLE: Final = (
    Row(lambda f: _authenticity(f) is Authenticity.UNVERIFIABLE, Decision.CHECK, Level.UNSPECIFIED, None),
    Row(lambda f: f.finding is not None, Decision.REFUSE, Level.UNSPECIFIED, None),
    Row(lambda f: f.red_by_national, Decision.REFUSE, Level.RED, Reason.RED_BY_NATIONAL_AUTHORITY),
    Row(lambda f: f.red_by_host, Decision.REFUSE, Level.RED, Reason.RED_BY_HOST),
    Row(
        lambda f: f.recognition is Recognition.UNKNOWN_HOST,
        Decision.CHECK,
        Level.UNSPECIFIED,
        Reason.HOST_UNKNOWN,
    ),
    Row(
        lambda f: f.recognition is Recognition.SUSPENDED,
        Decision.CHECK,
        Level.UNSPECIFIED,
        Reason.RECOGNITION_SUSPENDED,
    ),
    Row(lambda f: f.level is Level.RED, Decision.REFUSE, Level.RED, Reason.RED),
    Row(lambda f: f.status is Status.UNAVAILABLE, Decision.CHECK, None, Reason.STATUS_UNAVAILABLE),
    Row(lambda f: f.status is Status.STALE, Decision.CHECK, None, Reason.STATUS_STALE),
    Row(lambda f: f.level is Level.UNSPECIFIED, Decision.CHECK, Level.UNSPECIFIED, Reason.LEVEL_UNMAPPED),
    Row(lambda f: f.level is Level.YELLOW, Decision.CHECK, Level.YELLOW, Reason.YELLOW),
    Row(
        lambda f: f.level is Level.GREEN and f.status in _SETTLED and not f.list_in_date,
        Decision.CHECK,
        Level.UNSPECIFIED,
        Reason.TRUST_LIST_OUT_OF_DATE,
    ),
    Row(
        lambda f: f.level is Level.GREEN and f.status in _SETTLED and f.recognition is Recognition.UNCONFIRMED,
        Decision.CHECK,
        Level.UNSPECIFIED,
        Reason.RECOGNITION_UNCONFIRMED,
    ),
    Row(
        lambda f: (
            f.level is Level.GREEN
            and f.status in _SETTLED
            and f.list_in_date
            and f.recognition is Recognition.RECOGNISED
        ),
        Decision.ADMIT,
        Level.GREEN,
        Reason.GREEN,
    ),
    Row(lambda f: True, Decision.CHECK, Level.UNSPECIFIED, Reason.NO_RULE),
)


@lru_cache(VERDICTS_KEPT)
def decide(facts: Facts) -> Verdict:
    """Return the verdict of the first row that matches."""
    row = next(row for row in TABLE if row.matches(facts))
    return Verdict(
        row.decision,
        facts.level if row.level is None else row.level,
        _authenticity(facts),
        facts.status,
        facts.recognition,
        row.reason if row.reason is not None else _reason(facts),
        facts.home,
        facts.exception_id,
        facts.status_age_s,
    )


def _authenticity(facts: Facts) -> Authenticity:
    return Authenticity.VALID if facts.finding is None else facts.finding.authenticity


def _reason(facts: Facts) -> Reason:
    return Reason.NO_RULE if facts.finding is None else facts.finding.reason


ANSWERS: Final = (
    *((decision, Authenticity.VALID) for decision in Decision),
    *(
        (decide(Facts(Finding(authenticity, Reason.NO_RULE))).decision, authenticity)
        for authenticity in Authenticity
        if authenticity is not Authenticity.VALID
    ),
)
"""All pairs of decision and authenticity that the table can give: its rows for codes that are not authentic have no
other condition."""
