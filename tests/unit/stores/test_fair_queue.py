"""Turns by owner, within a bound."""

from hypothesis import given
from hypothesis import strategies as st

from onecode_server.stores.fair_queue import FairQueue


def queue_of(weight_max: int, *items: tuple[str, int]) -> FairQueue[str]:
    """Return a queue into which items were put, named by their owner and place."""
    queue: FairQueue[str] = FairQueue(weight_max)
    for place, (owner, weight) in enumerate(items):
        assert queue.push(owner, f"{owner}{place}", weight) == []
    return queue


def test_an_empty_queue_gives_nothing() -> None:
    assert FairQueue[str](10).take(5) == []


def test_what_fits_is_taken_together_whoever_owns_it() -> None:
    queue = queue_of(100, ("a", 1), ("b", 1), ("a", 1))
    assert queue.take(10) == ["a0", "a2", "b1"]
    assert queue.weight == 0


def test_an_owner_that_had_a_turn_is_the_last_one_then() -> None:
    queue = queue_of(100, *[("a", 5)] * 4, *[("b", 5)] * 2)
    assert [queue.take(10) for _ in range(4)] == [["a0", "a1"], ["b4", "b5"], ["a2", "a3"], []]


def test_what_is_heavier_than_a_turn_is_taken_alone() -> None:
    queue = queue_of(100, ("a", 50), ("b", 1))
    assert [queue.take(10), queue.take(10)] == [["a0"], ["b1"]]


def test_an_empty_queue_takes_what_is_heavier_than_its_bound() -> None:
    queue: FairQueue[str] = FairQueue(10)
    assert queue.push("a", "large", 11) == []
    assert queue.push("b", "small", 1) == ["large"]
    assert queue.take(10) == ["small"]


def test_who_has_nothing_taken_keeps_its_turn() -> None:
    queue = queue_of(100, ("a", 1), ("b", 10), ("c", 1))
    assert [queue.take(10), queue.take(10), queue.take(10)] == [["a0"], ["b1"], ["c2"]]


def test_where_all_is_full_the_newest_of_whoever_has_most_goes() -> None:
    queue = queue_of(10, *[("a", 2)] * 4, ("b", 2))
    assert queue.push("b", "late", 2) == ["a3"]
    assert queue.push("a", "more", 2) == ["more"]
    assert queue.push("c", "heavy", 6) == ["heavy"]
    assert queue.push("c", "light", 4) == ["a2", "late"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 7)) | st.none(), max_size=60))
def test_nothing_is_lost_or_doubled_and_the_bound_holds(steps: list[tuple[str, int] | None]) -> None:
    queue: FairQueue[int] = FairQueue(20)
    waiting: dict[int, str] = {}
    for place, step in enumerate(steps):
        if step is None:
            taken = queue.take(8)
            for owner in set("abcd"):  # each owner's in order
                own = [item for item in taken if waiting[item] == owner]
                assert own == [item for item in waiting if waiting[item] == owner][: len(own)]
            assert bool(taken) == bool(waiting)
            for item in taken:
                del waiting[item]
        else:
            waiting[place] = step[0]
            for item in queue.push(step[0], place, step[1]):
                del waiting[item]
        assert queue.weight <= 20
    rest = []
    while taken := queue.take(8):
        rest += taken
    assert sorted(rest) == sorted(waiting)
