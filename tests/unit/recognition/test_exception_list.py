"""The list of reports: whole over its pages, in each state, and never more than so many look-ups to a page."""

import asyncio

import pytest

from onecode_server.errors import Overloaded
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.recognition import exception_list
from onecode_server.recognition.exception_list import PAGES_MAX, ExceptionList, Wanted
from onecode_server.rules.recognition_exceptions import State, state
from onecode_server.stores.protocol import Place

from tests.pairwise import pairwise
from tests.world import HOUR, NOON, World, filed

REPORT = RecognitionException("RE-", "440000", "420000", "why", NOON + HOUR, NOON + 2 * HOUR, NOON)
MANY = [
    REPORT._replace(
        id=f"RE-{n:03}",
        home=("420000", "110000")[n % 2],
        reported_at=NOON - 100 * n * HOUR,
        effective_from=NOON + (n % 5 - 4) * HOUR,
        effective_until=NOON + (n % 5 - 1) * HOUR,
        acknowledged_at=NOON if n % 3 else None,
        withdrawn_at=NOON if n % 7 == 0 else None,
    )
    for n in range(40)
]


async def pages(reports: ExceptionList, wanted: Wanted, size: int) -> list[list[str]]:
    """Return the ids on each page."""
    found, after = list[list[str]](), None
    while True:
        page = await reports.page(wanted, after, size)
        found.append([one.id for one in page.reports])
        if page.end is None:
            return found
        after = page.end


@pytest.fixture
async def reports(world: World) -> ExceptionList:
    for one in MANY:
        await world.store.change_exceptions(filed(one))
    return world.engine.exception_list


@pytest.mark.parametrize(
    ("wanted_state", "host", "home"), pairwise([0, *State], ["", "440000", "110000"], ["", "420000"])
)
async def test_the_pages_of_each_filter_have_each_report_once_newest_first(
    reports: ExceptionList, monkeypatch: pytest.MonkeyPatch, wanted_state: int, host: str, home: str
) -> None:
    expected = [
        one.id
        for one in MANY
        if host in ("", one.host) and home in ("", one.home) and wanted_state in (0, state(one, NOON))
    ]
    for size in (1, 7, 40, 1000):
        found = await pages(reports, Wanted(host, home, wanted_state), size)
        assert [identifier for page in found for identifier in page] == expected
        if not wanted_state:
            assert len(found) == max(1, -(-len(expected) // size))
    monkeypatch.setattr(exception_list, "EXAMINED_MAX", 3)
    monkeypatch.setattr(exception_list, "READ_MAX", 2)
    found = await pages(reports, Wanted(host, home, wanted_state), 1000)
    assert [identifier for page in found for identifier in page] == expected
    assert max(map(len, found)) <= 3


@pytest.mark.parametrize("wanted", [Wanted("x"), Wanted("", "4" * 600), Wanted(state=99), Wanted("４４００００")])
async def test_what_no_report_can_be_is_an_empty_page_and_no_look_up(world: World, wanted: Wanted) -> None:
    world.store._env.read = None  # type: ignore[method-assign, assignment]
    page = await ExceptionList(world.store, lambda: NOON).page(wanted, None, 10)
    del world.store._env.read
    assert page == ([], None, NOON)


async def test_a_page_from_any_place_is_a_page(reports: ExceptionList) -> None:
    for place in (Place(0, ""), Place(2**63 - 1, "x" * 64), Place(NOON, "")):
        assert (await reports.page(Wanted(), place, 5)).time == NOON


async def test_more_pages_at_once_than_may_be_read_are_refused(reports: ExceptionList) -> None:
    asked = (reports.page(Wanted(), None, 10) for _ in range(PAGES_MAX + 3))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers[PAGES_MAX:]] == [Overloaded] * 3
    assert len((await reports.page(Wanted(), None, 10)).reports) == 10
