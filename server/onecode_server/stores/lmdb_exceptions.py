"""Exceptions on LMDB: every report by its id, with indexes so that a query costs in proportion to its result.

Reports are kept for ever. Live reports have index entries of their own, by host and home: a step reads only those, and
codes are checked only against the acknowledged ones. Ended reports are archived: a later step removes their live
entries, and they are then found only by id and in the order of filing. So the archive adds only to tables that are read
by key.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from onecode_server.errors import OnecodeError
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.stores import layout
from onecode_server.stores.lmdb_audit import AuditedTables
from onecode_server.stores.lmdb_report_keys import (
    Ends,
    acknowledged_prefix,
    ends_of,
    filed_keys,
    filed_prefix,
    live_key,
    open_prefix,
    place_key,
)
from onecode_server.stores.protocol import (
    AnsweredRequest,
    DecideException,
    ExceptionAnswer,
    ExceptionChange,
    Place,
    Selection,
)

ARCHIVED_AFTER_US: Final = 24 * 3600 * 1_000_000
"""The time for which a report that has ended stays live: a server whose clock was a day ahead for a while has archived
no report that still counts for others."""
ARCHIVED_MAX: Final = 32
"""The bound on reports that one step archives, each with some index entries. A step makes at most one report live, so
that they do not pile up."""

_STEPS_KEY: Final = b"acknowledged-steps"


class ReportView:
    """The reports in one transaction; see ``protocol.ExceptionView``."""

    def __init__(self, txn: Any, tables: dict[str, Any]) -> None:
        self._txn = txn
        self._tables = tables

    def report(self, identifier: str) -> RecognitionException | None:
        """Return the report with an id, or None."""
        key = layout.report_key(identifier)
        data = None if key is None else self._txn.get(key, db=self._tables["reports"])
        return None if data is None else layout.unpack_exception(data)

    def acknowledged(self, host: str, home: str, now: int) -> list[RecognitionException]:
        """Return the acknowledged reports of a pair that end after ``now``, ordered by their end."""
        prefix = acknowledged_prefix(host, home)
        found = self._from("reports_acknowledged", prefix, now + 1)
        return [
            layout.unpack_exception(self._txn.get(identifier, db=self._tables["reports"])) for _, identifier in found
        ]

    def waiting_homes(self, host: str, now: int, limit: int) -> list[str]:
        """Return the home of each report of a host that waits to be acknowledged, at most ``limit`` of them."""
        return [home.decode() for _, home in islice(self._from("reports_open", open_prefix(host), now + 1), limit)]

    def answered(self, request_id: str) -> AnsweredRequest | None:
        """Return the result of a request id, or None."""
        data = self._txn.get(request_id.encode(), db=self._tables["report_requests"])
        return None if data is None else layout.unpack_answered(data)

    def _from(self, table: str, prefix: bytes, ends_at: int) -> Iterator[tuple[bytes, bytes]]:
        cursor = self._txn.cursor(db=self._tables[table])
        if cursor.set_range(prefix + layout.number(ends_at)):
            for key, value in cursor:
                if not key.startswith(prefix):
                    return
                yield key, value


class ExceptionTables(AuditedTables):
    """Tables with reports, and the steps that change them."""

    async def acknowledged_exceptions(self) -> list[RecognitionException]:
        """Return the acknowledged reports that have not been archived."""

        def read(txn: Any) -> list[RecognitionException]:
            reports = self._env.tables["reports"]
            found = txn.cursor(db=self._env.tables["reports_acknowledged"])
            return [layout.unpack_exception(txn.get(identifier, db=reports)) for _, identifier in found]

        return await self._env.read(read, for_check=True)

    async def exceptions(self, selection: Selection, before: Place | None, limit: int) -> list[RecognitionException]:
        """Return up to ``limit`` reports, newest first, that were filed before a place."""
        prefix = filed_prefix(selection)
        bound = prefix + (b"\xff" if before is None else place_key(before))

        def read(txn: Any) -> list[RecognitionException]:
            reports = self._env.tables["reports"]
            return [
                layout.unpack_exception(txn.get(identifier, db=reports))
                for identifier in islice(self._filed(txn, prefix, bound), limit)
            ]

        return await self._env.read(read)

    async def change_exceptions(self, decide: DecideException) -> ExceptionAnswer:
        """Write the report that ``decide`` makes, with its audit entry, in one commit; return it.

        ``decide`` is first called in a read transaction. Where it refuses, or answers without a change, no write is
        needed, and the call neither waits for writers nor delays them.
        """

        def decide_in(txn: Any) -> ExceptionChange | ExceptionAnswer:
            return decide(ReportView(txn, self._env.tables))

        def write(txn: Any) -> ExceptionAnswer:
            step = decide_in(txn)  # again: another step may have come since the read
            if isinstance(step, ExceptionAnswer):
                return step
            self._take_step(txn, step)
            return ExceptionAnswer(step.report, step.time)

        def decide_or_refuse(txn: Any) -> ExceptionChange | ExceptionAnswer | OnecodeError:
            # A refusal is returned and not raised: its traceback would keep the transaction, and so one of LMDB's few
            # reader slots, until garbage is collected.
            try:
                return decide_in(txn)
            except OnecodeError as refusal:
                return refusal.with_traceback(None)

        outcome = await self._env.read(decide_or_refuse)
        if isinstance(outcome, OnecodeError):
            try:
                raise outcome
            finally:
                del outcome  # breaks a reference cycle with this frame
        return outcome if isinstance(outcome, ExceptionAnswer) else await self._env.write(write, owner="exceptions")

    def _take_step(self, txn: Any, step: ExceptionChange) -> None:
        """Write a step with its audit entry, and archive a bounded number of reports that have ended."""
        self._archive_ended(txn, step.time)
        report, tables = step.report, self._env.tables
        key = report.id.encode()
        data = txn.get(key, db=tables["reports"])
        before = None if data is None else layout.unpack_exception(data)
        self._keep(txn, report, before)
        if step.answered is not None:
            txn.put(step.request_id.encode(), layout.pack_answered(step.answered), db=tables["report_requests"])
        number = self._record(txn, step.time, step.event, report.id, report._asdict())
        if report.acknowledged_at is not None:  # an unacknowledged report changes no verdict
            self._put_steps(txn, number)

    def _put_steps(self, txn: Any, number: int) -> None:
        """Tell all processes to read the acknowledged reports again; ``number`` is the audit entry's."""
        txn.put(_STEPS_KEY, layout.number(number), db=self._meta)

    def _keep(
        self, txn: Any, report: RecognitionException, before: RecognitionException | None, *, is_live: bool = True
    ) -> None:
        """Write a report, with its index entries, in place of ``before``. A report that is withdrawn, or not
        ``is_live``, goes to the archive."""
        key = report.id.encode()
        txn.put(key, layout.pack_exception(report), db=self._env.tables["reports"])
        if before is None:
            for filed in filed_keys(report):
                txn.put(filed, key, db=self._env.tables["reports_filed"])
        else:
            self._leave_live(txn, key, ends_of(before))
        if is_live and report.withdrawn_at is None:
            ends = ends_of(report)
            table, live, value = live_key(key, ends)
            txn.put(live, value, db=self._env.tables[table])
            txn.put(ends.key(key), ends.value(), db=self._env.tables["reports_ends"])
            txn.put(ends.filed_key(key), key, db=self._env.tables["reports_filed"])

    def _leave_live(self, txn: Any, key: bytes, ends: Ends) -> None:
        table, live, _ = live_key(key, ends)
        txn.delete(live, db=self._env.tables[table])
        txn.delete(ends.key(key), db=self._env.tables["reports_ends"])
        txn.delete(ends.filed_key(key), db=self._env.tables["reports_filed"])

    def _archive_ended(self, txn: Any, now: int) -> None:
        """Remove the live entries of reports that ended a while ago, a bounded number, those that ended first before
        others."""
        cursor, ended = txn.cursor(db=self._env.tables["reports_ends"]), []
        if cursor.first():
            for key, value in islice(cursor, ARCHIVED_MAX):
                identifier, ends = Ends.read(key, value)
                if ends.at > now - ARCHIVED_AFTER_US:
                    break
                ended.append((identifier, ends))
        for identifier, ends in ended:
            self._leave_live(txn, identifier, ends)

    def _filed(self, txn: Any, prefix: bytes, bound: bytes) -> Iterator[bytes]:
        """Yield the ids of reports in the order of filing, newest first, below ``bound``."""
        cursor = txn.cursor(db=self._env.tables["reports_filed"])
        found = cursor.prev() if cursor.set_range(bound) else cursor.last()
        while found and cursor.key().startswith(prefix):
            yield cursor.value()
            found = cursor.prev()

    def _acknowledged_steps(self, txn: Any) -> int:
        """Return a number that rises with each step that changes the set of acknowledged reports."""
        data = txn.get(_STEPS_KEY, db=self._meta)
        return 0 if data is None else layout.read_number(data)
