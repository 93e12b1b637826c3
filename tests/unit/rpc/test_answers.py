"""Large answers that are not taken: counted until their calls are over, and shared fairly among connections."""

from collections.abc import Callable
from typing import Any

from onecode_server.errors import Overloaded
from onecode_server.rpc.answers import HELD_BYTES_MAX, LARGE_BYTES, SHARED_BYTES, AnswerBudget

LARGEST = 4 * 2**20


class Call:
    """A call on a connection, which a test ends."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._done: list[Callable[[Any], None]] = []

    def peer(self) -> str:
        return self._peer

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._done.append(callback)

    def end(self) -> None:
        for callback in self._done:
            callback(self)


def as_many_as_may(budget: AnswerBudget, peer: str) -> list[Call]:
    calls: list[Call] = []
    while holds(budget, call := Call(peer)):
        calls.append(call)
    return calls


def holds(budget: AnswerBudget, call: Call) -> bool:
    try:
        budget.hold(call, LARGEST)  # type: ignore[arg-type]
    except Overloaded:
        return False
    return True


def test_an_answer_is_counted_until_its_call_is_over() -> None:
    budget, call = AnswerBudget(lambda reason: None), Call("a")
    budget.hold(call, LARGEST)  # type: ignore[arg-type]
    assert budget.held_bytes == LARGEST
    call.end()
    assert budget.held_bytes == 0


def test_small_answers_are_not_counted() -> None:
    budget = AnswerBudget(lambda reason: None)
    budget.hold(Call("a"), LARGE_BYTES - 1)  # type: ignore[arg-type]
    assert budget.held_bytes == 0


def test_a_connection_holds_no_more_than_half_of_what_is_free() -> None:
    reasons: list[str] = []
    budget = AnswerBudget(reasons.append)
    held = as_many_as_may(budget, "a")
    assert SHARED_BYTES / 4 < len(held) * LARGEST <= SHARED_BYTES / 2
    assert reasons == ["answers_full"]


def test_many_connections_that_take_nothing_leave_room_for_one_answer_of_another() -> None:
    budget = AnswerBudget(lambda reason: None)
    held = [call for number in range(12) for call in as_many_as_may(budget, f"hostile {number}")]
    gate = Call("gate")
    assert holds(budget, gate)
    assert not holds(budget, Call("gate"))
    gate.end()
    assert holds(budget, Call("gate"))
    assert budget.held_bytes <= HELD_BYTES_MAX
    assert len(held) >= 12


def test_there_is_an_end_to_what_all_of_them_hold() -> None:
    budget = AnswerBudget(lambda reason: None)
    assert not all(holds(budget, Call(f"{number}")) for number in range(1000))
    assert HELD_BYTES_MAX - LARGEST < budget.held_bytes <= HELD_BYTES_MAX


def test_who_has_nothing_is_not_remembered() -> None:
    budget = AnswerBudget(lambda reason: None)
    held = [as_many_as_may(budget, f"{number}") for number in range(4)]
    for calls in held:
        for call in calls:
            call.end()
    assert budget.held_bytes == 0
    assert not budget._by_peer
