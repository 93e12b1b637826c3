"""Limits of callers: by rate and by calls in flight, each caller by itself."""

import asyncio
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.errors import Overloaded
from onecode_server.model.identity import LOCAL, Identity, Role
from onecode_server.rpc import caller_limits
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.caller_limits import BURST_S, CallerLimits
from onecode_server.rpc.callers import Caller
from onecode_server.settings.limits import Limit

SCANNER, OTHER = Identity(Role.SCANNER, "420000"), Identity(Role.SCANNER, "440000")


class Limited:
    """Limits of scanners, a clock that is set, and what was refused."""

    def __init__(self, units_per_s: int = 10, calls: int = 3) -> None:
        self.now_s = 100.0
        self.refused: Counter[tuple[str, str]] = Counter()

        def count(role: str, limit: str) -> None:
            self.refused[role, limit] += 1

        self.limits = CallerLimits({Role.SCANNER: Limit(units_per_s, calls)}, lambda: self.now_s, count)

    def is_taken(self, units: int, by: Identity = SCANNER) -> bool:
        """Ask for units."""
        try:
            self.limits.charge(by, units)
        except Overloaded:
            return False
        return True


def test_a_caller_may_ask_for_a_seconds_worth_at_once_and_then_at_its_rate() -> None:
    limited = Limited(10)
    taken = 0
    while limited.is_taken(1):
        taken += 1
    assert taken == 11  # a second's worth, and the one that is due now
    with pytest.raises(Overloaded) as refused:
        limited.limits.charge(SCANNER, 1)
    assert refused.value.retry_after_s == pytest.approx(0.1)
    limited.now_s += refused.value.retry_after_s
    assert limited.is_taken(1)
    assert not limited.is_taken(1)
    assert limited.refused == {("scanner", "rate"): 3}


def test_a_refused_request_costs_nothing() -> None:
    limited = Limited(10)
    assert limited.is_taken(100)
    for _ in range(1000):
        assert not limited.is_taken(1)
    limited.now_s += 9.0
    assert limited.is_taken(1)


def test_a_large_batch_is_taken_whole_and_its_caller_waits_afterwards() -> None:
    limited = Limited(10)
    assert limited.is_taken(4096)
    limited.now_s += 4096 / 10 - BURST_S - 0.01
    assert not limited.is_taken(1)
    limited.now_s += 0.02
    assert limited.is_taken(1)


def test_callers_do_not_count_for_each_other_but_a_gateway_is_no_caller_of_its_own() -> None:
    limited = Limited(10)
    assert limited.is_taken(100)
    assert limited.is_taken(100, OTHER)
    assert not limited.is_taken(1, SCANNER._replace(gateway="gate-7"))
    assert all(limited.is_taken(4096, LOCAL) for _ in range(100))


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), max_size=60))
def test_no_caller_is_given_more_than_its_rate_and_a_burst(asked: list[tuple[float, int]]) -> None:
    limited = Limited(10)
    taken: list[tuple[float, int]] = []
    for pause_s, units in asked:
        limited.now_s += pause_s
        if limited.is_taken(units):
            taken.append((limited.now_s, units))
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            given_units = sum(units for _, units in taken[first:last])  # the last one may be as large as it is
            lasted_s = taken[last][0] - taken[first][0]
            assert given_units <= 10 * (lasted_s + BURST_S) + 1e-6


def test_calls_in_flight_are_bounded_and_counted_down() -> None:
    limited = Limited(calls=3)
    begun = [limited.limits.begin(SCANNER) for _ in range(3)]
    with pytest.raises(Overloaded, match="3 calls in flight"):
        limited.limits.begin(SCANNER)
    limited.limits.begin(OTHER)
    limited.limits.end(begun.pop())
    limited.limits.begin(SCANNER)
    assert limited.refused == {("scanner", "calls"): 1}


def test_calls_that_the_front_answers_count_with_those_that_it_passes_on() -> None:
    limited = Limited(calls=3)
    number, _ = limited.limits.group(SCANNER)
    limited.limits.in_flight_elsewhere = {number: 2}.get  # type: ignore[assignment]
    limited.limits.begin(SCANNER)
    with pytest.raises(Overloaded, match="3 calls in flight"):
        limited.limits.begin(SCANNER)


def test_memory_is_bounded_and_a_caller_with_a_call_in_flight_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller_limits, "CALLERS_MAX", 4)
    limited = Limited(calls=1)
    limited.limits.begin(SCANNER)
    for number in range(100):
        limited.limits.charge(Identity(Role.SCANNER, f"{number:06}"), 1)
        assert len(limited.limits._states) <= 4
    with pytest.raises(Overloaded):
        limited.limits.begin(SCANNER)


async def test_a_stream_is_held_back_and_not_refused() -> None:
    limited = Limited(1000)
    caller = Caller(SCANNER, OnlyLocal(), limited.limits)
    await caller.pace(1500)
    pacing = asyncio.create_task(caller.pace(1))
    await asyncio.sleep(0.1)
    assert not pacing.done()
    assert math.isclose(limited.limits.owe(SCANNER, 0), 0.501)
    await pacing
    assert not limited.refused
