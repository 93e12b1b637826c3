"""The check of a store reads each of its tables, is content with what the store wrote, and names what it did not."""

from pathlib import Path
from typing import Any

import lmdb
import pytest

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_audit import BLOCK_ENTRIES, KEPT_MIN
from onecode_server.stores.lmdb_check import check
from onecode_server.stores.protocol import AnsweredRequest, ExceptionChange
from onecode_server.stores.table_checks import readers

KEPT = ("reports", "reports_filed", "reports_open", "reports_acknowledged", "reports_ends", "report_requests")


@pytest.fixture
async def filled(directory: Path) -> Path:
    """A store with reports of each kind, and more audit entries than are kept unpacked."""
    store = LmdbStore(directory, lambda: 1000)

    async def file(number: int, **more: Any) -> None:
        report = RecognitionException(f"RE-{number}", "440000", "420000", "closed", 1000, 10**15, 1000 + number, **more)
        answered = AnsweredRequest("report", bytes(32), report.id, 1000)
        await store.change_exceptions(
            lambda _: ExceptionChange(report, "reported", 1000, f"request-{number}", answered)
        )

    await file(1)
    await file(2, acknowledged_at=1000)
    await file(3, withdrawn_at=1000)

    def more(txn: Any) -> None:
        for number in range(KEPT_MIN + 2 * BLOCK_ENTRIES):
            store._record(txn, number, "event", "subject", {})

    await store._env.write(more)
    await store.close()
    return directory


def findings(directory: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in check(directory):
        found.setdefault(part.table, []).extend(part.findings)
    return found


async def test_what_the_store_wrote_is_in_order_and_no_table_is_passed_over(filled: Path) -> None:
    found = findings(filled)
    assert {name: fault for name, fault in found.items() if fault} == {}
    assert found.keys() >= {*KEPT, "audit", "audit_archive", "statuses", "tokens", "changes", "meta", "exceptions"}
    assert found.keys() - {"pages"} <= readers().keys()


@pytest.mark.parametrize("table", [*KEPT, "audit", "audit_archive", "statuses", "tokens", "exceptions"])
async def test_noise_in_any_table_is_named_by_that_table(filled: Path, table: str) -> None:
    with (
        lmdb.open(str(filled), max_dbs=16, max_readers=512, map_size=2**36) as env,
        env.begin(db=env.open_db(table.encode()), write=True) as txn,
    ):
        cursor = txn.cursor()
        txn.put(cursor.key() if cursor.first() else b"noise", b"noise")
    assert findings(filled)[table]
