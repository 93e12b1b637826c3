"""The verdict table: every row, the design's own words for it, and what no change of a row may break."""

from itertools import product

import pytest

from onecode_server.model.status import Level, Status
from onecode_server.model.verdict import Authenticity, Decision, Finding, Reason, Recognition
from onecode_server.rules.admission import TABLE, Facts, decide

FORGED = Finding(Authenticity.BAD_SIGNATURE, Reason.SIGNATURE_INVALID)
UNREAD = Finding(Authenticity.UNVERIFIABLE, Reason.TOKEN_UNVERIFIABLE)
GOOD = Facts(
    recognition=Recognition.RECOGNISED,
    level=Level.GREEN,
    status=Status.CURRENT,
    list_in_date=True,
    home="420000",
    exception_id="x-1",
    status_age_s=3,
)
"""Facts that admit. Each example below is these, with what its row asks for and everything worse further down."""

SUSPENDED, UNKNOWN = Recognition.SUSPENDED, Recognition.UNKNOWN_HOST
UNCONFIRMED = Recognition.UNCONFIRMED
EXAMPLES = [
    ({"finding": UNREAD, "red_by_national": True}, Decision.CHECK, Level.UNSPECIFIED, Reason.TOKEN_UNVERIFIABLE),
    ({"finding": FORGED, "red_by_national": True}, Decision.REFUSE, Level.UNSPECIFIED, Reason.SIGNATURE_INVALID),
    (
        {"red_by_national": True, "red_by_host": True, "recognition": SUSPENDED, "level": Level.RED},
        Decision.REFUSE,
        Level.RED,
        Reason.RED_BY_NATIONAL_AUTHORITY,
    ),
    (
        {"red_by_host": True, "recognition": SUSPENDED, "level": Level.RED},
        Decision.REFUSE,
        Level.RED,
        Reason.RED_BY_HOST,
    ),
    ({"recognition": UNKNOWN, "level": Level.RED}, Decision.CHECK, Level.UNSPECIFIED, Reason.HOST_UNKNOWN),
    ({"recognition": SUSPENDED, "level": Level.RED}, Decision.CHECK, Level.UNSPECIFIED, Reason.RECOGNITION_SUSPENDED),
    ({"level": Level.RED, "status": Status.UNAVAILABLE}, Decision.REFUSE, Level.RED, Reason.RED),
    ({"level": Level.YELLOW, "status": Status.UNAVAILABLE}, Decision.CHECK, Level.YELLOW, Reason.STATUS_UNAVAILABLE),
    ({"status": Status.STALE, "list_in_date": False}, Decision.CHECK, Level.GREEN, Reason.STATUS_STALE),
    ({"level": Level.UNSPECIFIED}, Decision.CHECK, Level.UNSPECIFIED, Reason.LEVEL_UNMAPPED),
    ({"level": Level.YELLOW, "list_in_date": False}, Decision.CHECK, Level.YELLOW, Reason.YELLOW),
    (
        {"list_in_date": False, "recognition": UNCONFIRMED},
        Decision.CHECK,
        Level.UNSPECIFIED,
        Reason.TRUST_LIST_OUT_OF_DATE,
    ),
    ({"recognition": UNCONFIRMED}, Decision.CHECK, Level.UNSPECIFIED, Reason.RECOGNITION_UNCONFIRMED),
    ({"status": Status.NONE}, Decision.ADMIT, Level.GREEN, Reason.GREEN),
    ({"recognition": Recognition.UNSPECIFIED}, Decision.CHECK, Level.UNSPECIFIED, Reason.NO_RULE),
]

FINDINGS = [None] + [Finding(kind, Reason.CODE_MALFORMED) for kind in Authenticity if kind is not Authenticity.VALID]
EVERYTHING = [
    Facts(*values)
    for values in product(FINDINGS, (False, True), (False, True), Recognition, Level, Status, (False, True))
]
"""Every combination of facts, the impossible ones too."""


def design(facts: Facts) -> tuple[Decision, Level]:
    """The verdict as the design page tells it, line by line."""
    if facts.finding is not None:
        unverifiable = facts.finding.authenticity == Authenticity.UNVERIFIABLE
        return (Decision.CHECK if unverifiable else Decision.REFUSE), Level.UNSPECIFIED
    if facts.red_by_national or facts.red_by_host:
        return Decision.REFUSE, Level.RED
    if facts.recognition in (UNKNOWN, SUSPENDED):
        return Decision.CHECK, Level.UNSPECIFIED
    if facts.level == Level.RED:
        return Decision.REFUSE, Level.RED
    if facts.status in (Status.UNAVAILABLE, Status.STALE):
        return Decision.CHECK, facts.level
    if facts.level == Level.YELLOW:
        return Decision.CHECK, Level.YELLOW
    settled = facts.status in (Status.CURRENT, Status.NONE)
    if facts.level == Level.GREEN and settled and facts.list_in_date and facts.recognition == Recognition.RECOGNISED:
        return Decision.ADMIT, Level.GREEN
    return Decision.CHECK, Level.UNSPECIFIED


@pytest.mark.parametrize(("index", "example"), list(enumerate(EXAMPLES)), ids=[e[3].name for e in EXAMPLES])
def test_each_row_decides_its_example_and_no_row_above_does(index, example):
    changes, decision, level, reason = example
    facts = GOOD._replace(**changes)
    assert [row.matches(facts) for row in TABLE[: index + 1]] == [False] * index + [True]
    verdict = decide(facts)
    assert (verdict.decision, verdict.level, verdict.reason) == (decision, level, reason)


def test_every_row_has_an_example():
    assert len(EXAMPLES) == len(TABLE)


def test_the_table_is_what_the_design_says_for_every_combination_of_facts():
    assert [facts for facts in EVERYTHING if decide(facts)[:2] != design(facts)] == []


def test_nothing_unknown_is_ever_admitted():
    admitted = [facts for facts in EVERYTHING if decide(facts).decision is Decision.ADMIT]
    settled = (Status.CURRENT, Status.NONE)
    assert admitted == [Facts(None, False, False, Recognition.RECOGNISED, Level.GREEN, s, True) for s in settled]


@pytest.mark.parametrize(
    ("fact", "worse"),
    [
        ("level", {Level.GREEN: [Level.YELLOW, Level.UNSPECIFIED], Level.YELLOW: [Level.RED]}),
        ("level", {Level.UNSPECIFIED: [Level.RED]}),
        ("status", {Status.CURRENT: [Status.STALE], Status.NONE: [Status.STALE], Status.STALE: [Status.UNAVAILABLE]}),
        ("status", {Status.CURRENT: [Status.UNSPECIFIED], Status.NONE: [Status.UNSPECIFIED]}),
        ("recognition", {Recognition.RECOGNISED: [Recognition.UNSPECIFIED, UNCONFIRMED]}),
        ("red_by_national", {False: [True]}),
        ("red_by_host", {False: [True]}),
        ("list_in_date", {True: [False]}),
    ],
)
def test_a_worse_fact_never_makes_a_better_decision(fact, worse):
    for facts in EVERYTHING:
        for value in worse.get(getattr(facts, fact), []):
            assert decide(facts._replace(**{fact: value})).decision >= decide(facts).decision


def test_a_suspension_never_admits_what_recognition_would_not():
    for facts in EVERYTHING:
        suspended = decide(facts._replace(recognition=SUSPENDED))
        assert suspended.decision is not Decision.ADMIT


def test_a_red_of_the_nation_or_the_host_stands_above_recognition():
    for facts in EVERYTHING:
        if facts.finding is None and (facts.red_by_national or facts.red_by_host):
            assert decide(facts)[:2] == (Decision.REFUSE, Level.RED)


@pytest.mark.parametrize("reason", Reason)
def test_a_finding_gives_its_own_reason(reason):
    verdict = decide(GOOD._replace(finding=Finding(Authenticity.MALFORMED, reason)))
    assert (verdict.authenticity, verdict.reason) == (Authenticity.MALFORMED, reason)


def test_facts_are_carried_into_the_verdict_as_they_are():
    for facts in EVERYTHING:
        verdict = decide(facts._replace(home="420000", exception_id="x-1", status_age_s=7))
        assert (verdict.home, verdict.exception_id, verdict.status_age_s) == ("420000", "x-1", 7)
        assert (verdict.status, verdict.recognition) == (facts.status, facts.recognition)
        assert verdict.authenticity is (facts.finding.authenticity if facts.finding else Authenticity.VALID)


def test_facts_of_which_nothing_is_known_are_checked_by_a_person():
    assert decide(Facts())[:2] == (Decision.CHECK, Level.UNSPECIFIED)
