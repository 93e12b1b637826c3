"""Reports of the layouts before: moved in steps, whoever is killed at it, and out of the reach of older servers."""

import json
from pathlib import Path
from typing import Any

import pytest

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_exceptions import ARCHIVED_AFTER_US
from onecode_server.stores.protocol import Selection

from tests.integration.older_store import write_older_store
from tests.world import HOUR, NOON

WAITS = RecognitionException("RE-waits", "440000", "420000", "why", NOON, NOON + HOUR, NOON)
COUNTS = WAITS._replace(id="RE-counts", acknowledged_at=NOON)
WITHDRAWN = COUNTS._replace(id="RE-withdrawn", withdrawn_at=NOON)
OLD = COUNTS._replace(id="RE-old", effective_until=NOON - ARCHIVED_AFTER_US)
REPORTS = [WAITS, COUNTS, WITHDRAWN, OLD]


@pytest.fixture
def older(directory: Path) -> LmdbStore:
    write_older_store(directory, {}, NOON, REPORTS, b"3")
    return LmdbStore(directory, lambda: NOON)


async def ids(store: LmdbStore, selection: Selection) -> list[str]:
    return sorted(one.id for one in await store.exceptions(selection, None, 10))


async def test_reports_are_moved_a_few_at_a_time_and_by_whoever_comes_next(directory: Path, older: LmdbStore) -> None:
    assert (older.is_outdated, older.has_unpublished_records) == (True, False)
    await older.end_migration("store upgraded", {})
    done = [await older.move_reports(1) for _ in range(2)]
    await older.close()  # as one that is killed
    store = LmdbStore(directory, lambda: NOON)
    assert not store.is_outdated
    done += [await store.move_reports(1) for _ in range(3)]
    assert done == [False, False, False, True, True]
    assert await ids(store, Selection()) == sorted(one.id for one in REPORTS)
    assert await ids(store, Selection("440000", "420000")) == sorted(one.id for one in REPORTS)
    assert await ids(store, Selection(is_live=True)) == ["RE-counts", "RE-waits"]
    assert await store.acknowledged_exceptions() == [COUNTS]
    await store.close()


async def test_a_server_of_the_version_before_can_read_and_write_no_report_any_more(older: LmdbStore) -> None:
    def read_as_before(txn: Any) -> list[RecognitionException]:
        return [RecognitionException(**json.loads(data)) for _, data in txn.cursor(db=older._env.tables["exceptions"])]

    assert len(await older._env.read(read_as_before)) == len(REPORTS)
    entries = len(await older.audit(0))
    await older.end_migration("store upgraded", {})
    assert len(await older.audit(0)) == entries + 1  # has it look again
    for _ in range(2):
        with pytest.raises(TypeError):
            await older._env.read(read_as_before)
        assert await older.move_reports(10)
    await older.close()
