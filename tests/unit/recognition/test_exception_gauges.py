"""The gauges of recognition exceptions: what is in effect for each host, and when the first of them ends."""

import math

from onecode_server.model.recognition_exception import RecognitionException

from tests.world import NOON, SECOND, World, filed

MINUTE = 60 * SECOND
HOST = "420000"


def report(name: str, begins: int, ends: int, acknowledged: int = -600) -> RecognitionException:
    """Return a report whose times are minutes after noon."""
    begins_at, ends_at, acknowledged_at = (NOON + minutes * MINUTE for minutes in (begins, ends, acknowledged))
    return RecognitionException(name, HOST, "310000", "why", begins_at, ends_at, NOON - 700 * MINUTE, acknowledged_at)


async def file(world: World, *reports: RecognitionException) -> None:
    for one in reports:
        await world.store.change_exceptions(filed(one))
    await world.exceptions.refresh()


async def look(world: World, host: str = HOST) -> tuple[float | None, float | None]:
    """Look, and return the number in effect for a host, and when the first ends: in minutes after noon."""
    await world.engine.exception_gauges.look()
    get, labels = world.metrics.registry.get_sample_value, {"host": host}
    end_s = get("onecode_exceptions_end_timestamp_seconds", labels)
    return get("onecode_exceptions_in_effect", labels), None if end_s is None else (end_s - NOON / SECOND) / 60


async def test_a_host_without_an_exception_has_none_that_ends(world: World) -> None:
    assert await look(world) == await look(world, "110000") == (0, math.inf)


async def test_those_in_effect_are_counted_and_the_first_end_is_shown(world: World) -> None:
    await file(world, report("a", -50, 90), report("b", -50, 60), report("later", 10, 30), report("past", -50, 0))
    assert await look(world) == (2, 60)
    assert await look(world, "110000") == (0, math.inf)


async def test_time_alone_brings_exceptions_into_effect_and_ends_them(world: World) -> None:
    await file(world, report("a", 15, 40), report("b", -50, 20), report("c", -50, 60, acknowledged=17))
    seen = []
    for minute in (14, 15, 17, 20, 39, 40, 60):
        world.now = NOON + minute * MINUTE
        seen.append(await look(world))
    assert seen == [(1, 20), (2, 20), (3, 20), (2, 40), (2, 40), (1, 60), (0, math.inf)]


async def test_a_clock_that_was_set_back_is_followed(world: World) -> None:
    await file(world, report("a", -50, 20))
    world.now = NOON + 30 * MINUTE
    assert await look(world) == (0, math.inf)
    world.now = NOON
    assert await look(world) == (1, 20)


async def test_a_report_that_was_withdrawn_counts_no_more(world: World) -> None:
    await file(world, report("a", -50, 20))
    assert await look(world) == (1, 20)
    await file(world, report("a", -50, 20)._replace(withdrawn_at=NOON))
    assert await look(world) == (0, math.inf)


async def test_a_host_that_left_the_list_has_none_and_no_label_comes_from_a_report(world: World) -> None:
    await file(world, report("a", -50, 20), report("b", -50, 20)._replace(host="999999"))
    assert await look(world) == (1, 20)
    world.document["regions"].remove(world.entry(HOST))
    await world.publish_list()
    assert await look(world) == (0, math.inf)
    assert await look(world, "999999") == (None, None)
