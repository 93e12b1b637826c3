"""The exceptions as a process knows them: what another one filed, and what stays while the store is away."""

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.recognition.exception_cache import ExceptionCache

from tests.world import HOUR, NOON, World, filed


def report(name: str, home: str = "420000", start: int = NOON) -> RecognitionException:
    return RecognitionException(name, "440000", home, "why", start, start + HOUR, NOON - HOUR, NOON - HOUR)


async def test_a_book_is_open_once_the_store_has_answered(world: World) -> None:
    book = ExceptionCache(world.store)
    assert not book.is_open
    await book.refresh()
    assert book.is_open
    assert book.store_answers


async def test_of_several_reports_for_a_pair_the_one_in_effect_is_found(world: World) -> None:
    for one in (report("past", start=NOON - 2 * HOUR), report("now"), report("other pair", home="110000")):
        await world.store.change_exceptions(filed(one))
    await world.exceptions.refresh()
    found = world.exceptions.suspension("440000", "420000", NOON)
    assert found is not None
    assert found.id == "now"
    assert world.exceptions.suspension("420000", "440000", NOON) is None


async def test_while_the_store_is_away_the_last_known_exceptions_stay(world: World) -> None:
    await world.store.change_exceptions(filed(report("now")))
    await world.exceptions.refresh()
    file, away = world.path / "store" / "data.mdb", world.path / "away"
    file.rename(away)
    await world.exceptions.refresh()
    assert (world.exceptions.is_open, world.exceptions.store_answers) == (True, False)
    assert world.exceptions.suspension("440000", "420000", NOON) is not None
    away.rename(file)
    await world.exceptions.refresh()
    assert world.exceptions.store_answers
