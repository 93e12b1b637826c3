"""Natural batching: single calls share a batch, and no queue grows without bound."""

import asyncio

import pytest

from onecode_server.engine.batcher import Batcher
from onecode_server.errors import NotServing, Overloaded
from onecode_server.model.code import Scan
from onecode_server.model.verdict import Decision

from tests.world import World


def batch_sizes(world: World) -> tuple[float, float]:
    get = world.metrics.registry.get_sample_value
    return get("onecode_batch_codes_count") or 0, get("onecode_batch_codes_sum") or 0


async def test_the_first_of_those_that_arrive_together_goes_ahead_and_the_others_are_checked_together(
    world: World,
) -> None:
    codes = [world.code("420000", subject=str(n)) for n in range(50)]
    singles = await asyncio.gather(*(world.batcher.verify(Scan(code, "440000")) for code in codes))
    assert {single.check.answer.decision for single in singles} == {Decision.ADMIT}
    assert [single.check.scan.code for single in singles] == codes
    assert batch_sizes(world) == (2, 50)


async def test_what_arrives_while_the_verifier_is_busy_is_the_next_batch(world: World) -> None:
    first = [asyncio.create_task(world.batcher.verify(Scan(world.code("420000"), "440000"))) for _ in range(8)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = [asyncio.create_task(world.batcher.verify(Scan(b"x", "440000"))) for _ in range(3)]
    await asyncio.gather(*first, *second)
    assert batch_sizes(world) == (2, 11)


async def test_a_lone_call_does_not_wait_for_company(world: World) -> None:
    single = await asyncio.wait_for(world.batcher.verify(Scan(world.code("420000"), "440000")), 5)
    assert single.check.answer.decision is Decision.ADMIT


async def test_a_full_queue_turns_callers_away_and_says_when_to_come_back(world: World) -> None:
    batcher = Batcher(world.verifier, world.metrics, codes_max=100)
    running = asyncio.create_task(batcher.verify_batch([b"x"] * 100, "440000"))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as turned_away:
        await batcher.verify(Scan(b"x", "440000"))
    assert turned_away.value.retry_after_s > 0
    await running
    assert (await batcher.verify(Scan(b"x", "440000"))).check.answer.decision is Decision.REFUSE
    assert world.metrics.registry.get_sample_value("onecode_shed_codes_total") == 1
    assert world.metrics.registry.get_sample_value("onecode_queue_codes") == 0


async def test_nothing_is_done_for_a_caller_that_has_gone(world: World) -> None:
    gone = asyncio.create_task(world.batcher.verify(Scan(b"x", "440000")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await world.batcher.verify(Scan(b"y", "440000"))
    assert batch_sizes(world)[1] == 1
    assert world.metrics.registry.get_sample_value("onecode_queue_codes") == 0


async def test_a_failure_reaches_every_caller_and_the_next_batch_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(world.trust, "_list", None)
        results = await asyncio.gather(
            *(world.batcher.verify(Scan(b"x", "440000")) for _ in range(3)), return_exceptions=True
        )
    assert [type(result) for result in results] == [NotServing] * 3
    assert (await world.batcher.verify(Scan(b"x", "440000"))).check.answer.decision is Decision.REFUSE
