"""The fuzzer of paths finds what it is there for: faults that are planted here, within a bounded number of mutants."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Authenticity, Reason
from onecode_server.rules import validity
from onecode_server.verification.authenticate.by_template import TemplateAuthenticator
from onecode_server.verification.authenticate.rows import RowReader
from onecode_server.verification.authenticate.single import SingleReader
from onecode_server.verification.check import Check

from tests.fuzz_paths.report import least_of, shortfalls
from tests.fuzz_paths.run import Case, Run
from tests.fuzz_paths.scenario import Scenario
from tests.fuzz_paths.tally import Tally

MUTANTS_MAX = 12_000
VALID = repr(Authenticity.VALID)


async def first(is_planted: Callable[[Case], bool], seed: int = 1) -> Case:
    """Return the first case of a kind."""
    tally = Tally()
    batches = Run(seed).batches(tally)
    try:
        async for case in batches:
            if case is not None and is_planted(case):
                return case
            assert tally.mutants < MUTANTS_MAX, "not found"
    finally:
        await batches.aclose()
    raise AssertionError("the run ended")


async def test_columns_that_forget_the_window_are_found_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    is_valid = validity.is_valid

    def forgets(window: Any, issued_at: Any, expires_at: Any, *rest: Any) -> Any:
        return is_valid(window, issued_at, None if isinstance(expires_at, np.ndarray) else expires_at, *rest)

    monkeypatch.setattr(validity, "is_valid", forgets)
    case = await first(lambda case: case.path.startswith("columns") and Reason.EXPIRED.name in case.expected)
    assert Authenticity.VALID.name in case.got
    again = [found async for found in Run(case.seed, case.world, case.batch).batches(Tally())][-1]
    assert again is not None
    assert (again.code, again.path, again.got) == (case.code, case.path, case.got)


async def test_rows_that_read_another_level_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    read = RowReader._read_all

    def read_all(self: RowReader, *given: Any) -> Any:
        claims = read(self, *given)
        return claims and [one._replace(level_word="GREEN") for one in claims]

    monkeypatch.setattr(RowReader, "_read_all", read_all)
    case = await first(lambda case: case.path.startswith("rows") and "level_word='GREEN'" in case.got)
    assert "level_word='GREEN'" not in case.expected


async def test_rows_that_are_read_one_by_one_without_a_look_at_their_times_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = SingleReader.read_claims

    def read_claims(self: SingleReader, check: Check, *given: Any) -> None:
        read(self, check, *given)
        check.finding = None if check.claims is not None else check.finding

    monkeypatch.setattr(SingleReader, "read_claims", read_claims)
    case = await first(lambda case: case.path.startswith("rows") and VALID in case.got)
    assert VALID not in case.expected


async def test_columns_that_stay_with_an_older_list_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    check, lists = TemplateAuthenticator.authenticate, list[TrustList]()

    async def authenticate(self: TemplateAuthenticator, codes: Any, trust: TrustList, now: int) -> Any:
        lists.append(trust)
        return await check(self, codes, lists[0], now)

    monkeypatch.setattr(TemplateAuthenticator, "authenticate", authenticate)
    case = await first(lambda case: VALID in case.got and VALID not in case.expected)
    assert case.path.startswith("columns")


async def test_a_bug_that_the_engine_catches_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    is_valid = validity.is_valid

    def fails(window: Any, issued_at: Any, *rest: Any) -> Any:
        if isinstance(issued_at, np.ndarray):
            raise ZeroDivisionError
        return is_valid(window, issued_at, *rest)

    monkeypatch.setattr(validity, "is_valid", fails)
    assert "ZeroDivisionError" in (await first(lambda case: case.path == "the engine")).got


async def test_a_seed_makes_the_same_codes() -> None:
    made = []
    for _ in range(2):
        scenario = Scenario("7/0")
        try:
            await scenario.start()
            made.append([scenario.batch() for _ in range(3)])
        finally:
            await scenario.end()
    assert made[0] == made[1]


def test_a_run_that_missed_a_reason_or_was_mostly_refused_falls_short() -> None:
    tally = Tally(mutants=40_000, in_columns=1, in_rows=1)
    tally.reasons.update({reason.name: 40 for reason in Reason if reason is not Reason.NO_RULE})
    tally.authenticities.update({kind.name: 40 for kind in Authenticity})
    assert shortfalls(tally) == ["less than half of the mutants are authentic"]
    tally.authenticities[Authenticity.VALID.name] = 20_000
    assert shortfalls(tally) == []
    tally.reasons[Reason.TOKEN_UNKNOWN.name] = 39
    assert shortfalls(tally) == ["reached less than 40 times: TOKEN_UNKNOWN"]
    assert shortfalls(Tally()) == ["nothing was compared"]
    tally.mutants = 10**7
    assert least_of(tally) == 1000
