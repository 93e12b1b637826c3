"""What is asked again, how long, and what is said of it."""

from collections.abc import Callable

import pytest

from onecode_client import ServerError
from onecode_client.partner import retries
from onecode_client.partner.faults import describe
from onecode_client.partner.retries import answered


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(retries, "time", made)
    return made


def failing(*faults: ServerError) -> tuple[list[float], Callable[[float], str]]:
    """Return the seconds that each attempt was given, and a call that fails so often, then answers."""
    given: list[float] = []

    def call(left_s: float) -> str:
        given.append(left_s)
        if len(given) <= len(faults):
            raise faults[len(given) - 1]
        return "answer"

    return given, call


def test_a_server_that_is_away_is_asked_again_until_the_time_is_over(clock: Clock) -> None:
    given, call = failing(*[ServerError("UNAVAILABLE", "away")] * 1000)
    with pytest.raises(ServerError, match="away"):
        answered(call, 10.0)
    assert given[0] == 10.0
    assert given == sorted(given, reverse=True)
    assert 9.0 <= clock.now_s < 10.0
    assert max(clock.slept_s) <= retries.PAUSE_MAX_S


def test_a_server_that_says_when_is_not_asked_before(clock: Clock) -> None:
    busy = ServerError("RESOURCE_EXHAUSTED", "busy", "TOO_MANY", 3.0)
    _, call = failing(busy, busy)
    assert answered(call, 10.0) == "answer"
    assert clock.slept_s == [3.0, 3.0]


def test_a_wait_that_ends_too_late_is_not_begun(clock: Clock) -> None:
    _, call = failing(ServerError("RESOURCE_EXHAUSTED", "busy", "TOO_MANY", 60.0))
    with pytest.raises(ServerError, match="busy"):
        answered(call, 10.0)
    assert clock.slept_s == []


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL"])
def test_what_asking_again_does_not_mend_is_raised_at_once(code: str, clock: Clock) -> None:
    given, call = failing(ServerError(code, "no"))
    with pytest.raises(ServerError):
        answered(call, 10.0)
    assert len(given) == 1


def test_why_there_was_no_answer_says_more_than_that_the_time_is_over(clock: Clock) -> None:
    _, call = failing(ServerError("UNAVAILABLE", "away"), ServerError("DEADLINE_EXCEEDED", "over"))
    with pytest.raises(ServerError, match="away"):
        answered(call, 10.0)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (ServerError("UNAVAILABLE", "it ends", "DRAINING", 2.0), "UNAVAILABLE: it ends (DRAINING), retry in 2 s"),
        (ServerError("RESOURCE_EXHAUSTED", "busy", "BUSY", 0.05), "RESOURCE_EXHAUSTED: busy (BUSY), retry in 0.05 s"),
        (ServerError("INTERNAL", "two\nlines\x1b[2J"), "INTERNAL: two lines [2J"),
        (ValueError("a file"), "a file"),
    ],
)
def test_a_fault_is_one_line(fault: Exception, line: str) -> None:
    assert describe(fault) == line
