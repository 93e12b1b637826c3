"""Reports on LMDB: what a step and a page cost is what they touch, however many reports have ended."""

from pathlib import Path

import pytest

from onecode_server.errors import NotFound
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_exceptions import ARCHIVED_AFTER_US, ARCHIVED_MAX
from onecode_server.stores.protocol import ExceptionChange, ExceptionView, Place, Selection

from tests.unit.stores.counted import count_entries
from tests.world import HOUR, NOON, filed

ENDED_MANY = 150_000
REPORT = RecognitionException("RE-0", "440000", "420000", "why", NOON, NOON + HOUR, NOON)


def ended(number: int) -> RecognitionException:
    """Return one of many reports of the same pair that ended long ago, each at another time."""
    begins = NOON - 200 * 24 * HOUR + number
    return REPORT._replace(
        id=f"RE-{number:016x}", effective_from=begins, effective_until=begins + HOUR, reported_at=begins
    )


async def store_ended(store: LmdbStore, count: int) -> None:
    for first in range(0, count, 10_000):  # a commit has its bound in time

        def write(txn: object, first: int = first) -> None:
            for number in range(first, min(first + 10_000, count)):
                store._keep(txn, ended(number), None, is_live=False)

        await store._env.write(write)


async def ids(store: LmdbStore, selection: Selection, before: Place | None = None, limit: int = 100) -> list[str]:
    return [report.id for report in await store.exceptions(selection, before, limit)]


async def live(store: LmdbStore) -> list[str]:
    return await ids(store, Selection(is_live=True))


async def test_with_150_000_ended_reports_a_step_and_a_page_touch_what_they_do_with_ten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = []
    for count in (10, ENDED_MANY):
        store = LmdbStore(tmp_path / str(count), lambda: NOON)
        await store_ended(store, count)
        counts = count_entries(store, monkeypatch)
        cost: list[dict[str, int]] = []

        def taken(counts=counts, cost=cost):
            cost.append(dict(counts))
            counts.clear()

        def report(view: ExceptionView) -> ExceptionChange:
            view.acknowledged("440000", "420000", NOON)
            view.waiting_homes("440000", NOON, 256)
            return ExceptionChange(REPORT, "exception reported", NOON)

        def acknowledge(view: ExceptionView) -> ExceptionChange:
            known = view.report(REPORT.id)
            assert known is not None
            view.acknowledged("440000", "420000", NOON)
            return ExceptionChange(known._replace(acknowledged_at=NOON), "exception acknowledged", NOON)

        def withdraw(view: ExceptionView) -> ExceptionChange:
            known = view.report(REPORT.id)
            assert known is not None
            return ExceptionChange(known._replace(withdrawn_at=NOON), "exception withdrawn", NOON)

        for step in (report, acknowledge, withdraw):
            await store.change_exceptions(step)
            taken()
        await store.acknowledged_exceptions()
        taken()
        for selection in (Selection(), Selection("440000"), Selection("", "420000"), Selection("440000", "420000")):
            assert len(await ids(store, selection, None, 8)) == 8
            taken()
        await store.close()
        costs.append(cost)
    assert costs[0] == costs[1]
    assert all(sum(cost.values()) <= 40 for cost in costs[1])


async def test_what_is_asked_of_an_unknown_report_costs_a_look_up_and_no_write(
    store: LmdbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def acknowledge(view: ExceptionView) -> ExceptionChange:
        assert view.report("RE-nothing") is None
        raise NotFound("EXCEPTION_UNKNOWN", "there is no report with this id")

    counts = count_entries(store, monkeypatch)
    with pytest.raises(NotFound):
        await store.change_exceptions(acknowledge)
    assert counts == {"read": 1}


async def test_what_ended_is_archived_a_day_later_by_the_next_steps_so_many_at_a_time(store: LmdbStore) -> None:
    many = [REPORT._replace(id=f"RE-{n:03}", home=f"{n:06}") for n in range(ARCHIVED_MAX + 5)]
    for one in many:
        await store.change_exceptions(filed(one._replace(acknowledged_at=NOON)))
    later = NOON + HOUR + ARCHIVED_AFTER_US
    lasting = REPORT._replace(effective_from=later, effective_until=later + HOUR)
    await store.change_exceptions(filed(lasting._replace(id="RE-early", reported_at=later - 1)))
    assert len(await live(store)) == ARCHIVED_MAX + 6
    await store.change_exceptions(filed(lasting._replace(id="RE-late", reported_at=later)))
    assert await live(store) == ["RE-late", "RE-early", "RE-036", "RE-035", "RE-034", "RE-033", "RE-032"]
    assert [one.id for one in await store.acknowledged_exceptions()] == [f"RE-{n:03}" for n in range(32, 37)]
    await store.change_exceptions(filed(lasting._replace(id="RE-later", reported_at=later)))
    assert await live(store) == ["RE-later", "RE-late", "RE-early"]
    assert await ids(store, Selection()) == ["RE-later", "RE-late", "RE-early", *(one.id for one in reversed(many))]


async def test_a_withdrawn_report_is_archived_at_once(store: LmdbStore) -> None:
    for step in (
        REPORT,
        REPORT._replace(acknowledged_at=NOON),
        REPORT._replace(acknowledged_at=NOON, withdrawn_at=NOON),
    ):
        await store.change_exceptions(filed(step))
    assert await live(store) == []
    assert await store.acknowledged_exceptions() == []
    assert (await store.exceptions(Selection(), None, 5))[0].withdrawn_at == NOON


async def test_only_a_step_of_an_acknowledged_report_has_the_exceptions_read_again(store: LmdbStore) -> None:
    steps = []
    for step in (
        REPORT,
        REPORT._replace(withdrawn_at=NOON),
        REPORT._replace(id="RE-1"),
        REPORT._replace(id="RE-1", acknowledged_at=NOON),
        REPORT._replace(id="RE-1", acknowledged_at=NOON, withdrawn_at=NOON),
    ):
        await store.change_exceptions(filed(step))
        steps.append((await store.changes(0)).steps)
    assert steps[0] == steps[1] == steps[2] < steps[3] < steps[4]


async def test_pages_of_each_selection_are_whole_and_hold_while_others_are_filed(store: LmdbStore) -> None:
    reports = [
        REPORT._replace(id=f"RE-{n:02}", host=f"11000{n % 2}", home=f"22000{n % 3}", reported_at=NOON + n // 4)
        for n in range(30)
    ]
    for report in reports:
        await store.change_exceptions(filed(report))
    for selection in (Selection(), Selection("110001"), Selection("", "220002"), Selection("110001", "220002")):
        expected = [
            one.id for one in reversed(reports) if selection.host in ("", one.host) and selection.home in ("", one.home)
        ]
        found, before = list[str](), None
        while page := await store.exceptions(selection, before, 4):
            found += [one.id for one in page]
            before = Place(page[-1].reported_at, page[-1].id)
            await store.change_exceptions(filed(REPORT._replace(id=f"RE-x{len(found)}", reported_at=NOON + HOUR)))
        assert found[-len(expected) :] == expected
    assert await ids(store, Selection("110002")) == []


async def test_the_view_has_a_pairs_acknowledged_reports_and_a_hosts_waiting_homes_that_have_not_ended(
    store: LmdbStore,
) -> None:
    acknowledged = [
        REPORT._replace(id=f"RE-a{n}", effective_until=NOON + n * HOUR, acknowledged_at=NOON) for n in (3, 1, 2)
    ]
    waiting = [REPORT._replace(id=f"RE-w{n}", home=f"{n:06}", effective_until=NOON + n * HOUR) for n in (1, 2, 3)]
    elsewhere = [REPORT._replace(id="RE-e1", host="440001"), REPORT._replace(id="RE-e2", home="42", acknowledged_at=1)]
    for report in acknowledged + waiting + elsewhere:
        await store.change_exceptions(filed(report))

    def decide(view: ExceptionView) -> ExceptionChange:
        assert [one.id for one in view.acknowledged("440000", "420000", NOON + HOUR)] == ["RE-a2", "RE-a3"]
        assert view.waiting_homes("440000", NOON + HOUR, 9) == ["000002", "000003"]
        assert view.waiting_homes("440000", NOON + HOUR, 1) == ["000002"]
        assert view.waiting_homes("440009", NOON, 9) == []
        assert view.answered("x" * 16) is None
        raise NotFound("", "")

    with pytest.raises(NotFound):
        await store.change_exceptions(decide)
