"""Large batches leave turns of the event loop to single calls, all batches together."""

import asyncio
from itertools import pairwise

import pytest

from onecode_server.verification.turns import SLICE_CODES_MAX, SLICE_CODES_MIN, SLICE_S, TURNS, Turns


async def slices(turns: Turns, begun: list[int], count: int) -> None:
    for _ in range(count):
        await turns.leave()
        begun.append(Clock.turn)


class Clock:
    """Counts the turns of the event loop."""

    turn = 0

    @classmethod
    async def run(cls) -> None:
        while True:
            cls.turn += 1
            await asyncio.sleep(0)


async def test_no_two_slices_begin_within_the_turns_of_one_however_many_batches_there_are() -> None:
    turns, begun = Turns(lambda: 0.0), list[int]()
    clock = asyncio.create_task(Clock.run())
    await asyncio.gather(*(slices(turns, begun, 4) for _ in range(3)))
    clock.cancel()
    assert len(begun) == 12
    assert min(after - before for before, after in pairwise(begun)) >= TURNS


async def test_a_batch_that_is_given_up_leaves_its_turns_to_the_next() -> None:
    turns, begun = Turns(lambda: 0.0), list[int]()
    gone = asyncio.create_task(slices(turns, begun, 1))
    next_one = asyncio.create_task(slices(turns, begun, 1))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait_for(next_one, 5)
    assert len(begun) == 1


@pytest.mark.parametrize(
    ("code_s", "codes"),
    [(SLICE_S / 10_000, SLICE_CODES_MAX), (SLICE_S / 100, 100), (SLICE_S / 3, SLICE_CODES_MIN)],
)
def test_slices_beside_single_calls_last_as_long_on_a_slow_machine_as_on_a_fast_one(code_s: float, codes: int) -> None:
    now_s = 0.0
    turns = Turns(lambda: now_s)
    for _ in range(50):
        size = turns.slice_codes(is_shared=True)
        with turns.slice(size):
            now_s += size * code_s
    assert turns.slice_codes(is_shared=True) == pytest.approx(codes, rel=0.05)
    assert turns.slice_codes(is_shared=False) == SLICE_CODES_MAX
