"""How the row of an attack is judged: by all bars on the native front, and on grpc.aio without those it cannot hold."""

import pytest

from benchmarks.attacks.__main__ import CAPTIONS, HEADERS, shown
from benchmarks.attacks.catalogue import ATTACKS, NEEDS_NATIVE_FRONT, excused
from benchmarks.attacks.measure import Row


def row(name: str, **found: float | dict[str, int]) -> Row:
    calm: dict[str, float | dict[str, int]] = {"p99": 5.0, "errors": {}, "memory_most": 50.0}
    given = calm | found
    return Row(name, 5.0, given["p99"], 900, given["errors"], 50.0, given["memory_most"], 0.5, "≤ 5")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NEEDS_NATIVE_FRONT)
def test_nothing_is_excused_of_the_native_front(name: str) -> None:
    assert excused(name, "grpc") == NEEDS_NATIVE_FRONT[name][0]
    assert excused(name, "native") == frozenset()


def test_what_is_excused_is_an_attack() -> None:
    assert NEEDS_NATIVE_FRONT.keys() <= ATTACKS.keys()


@pytest.mark.parametrize(
    ("front", "found", "judged"),
    [
        ("native", {}, "pass"),
        ("grpc", {}, "pass"),
        ("native", {"p99": 50.0}, "not: p99"),
        ("grpc", {"p99": 50.0}, "needs native front (p99)"),
        ("native", {"p99": 50.0, "errors": {"CANCELLED": 2}, "memory_most": 90.0}, "not: p99, errors, memory"),
        ("grpc", {"p99": 50.0, "errors": {"CANCELLED": 2}}, "not: errors"),
    ],
)
def test_a_row_is_judged_by_what_its_front_can_hold(
    front: str, found: dict[str, float | dict[str, int]], judged: str
) -> None:
    cells = shown(row("idle-calls", **found), front)
    assert len(cells) == len(HEADERS)
    assert cells[-1] == judged


def test_the_caption_names_the_front() -> None:
    assert CAPTIONS == {"native": "The native front", "grpc": "The front of grpc.aio"}
