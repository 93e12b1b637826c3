"""The tables of the store on LMDB, and the common parts of every commit: its time, and the change feed for other
processes."""

import logging
import time as wall_time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Final

from onecode_server.stores import layout
from onecode_server.stores.lmdb_environment import LmdbEnvironment
from onecode_server.stores.replica_layout import Membership, pack_membership, unpack_membership

CHANGES_KEPT: Final = 100_000
"""The number of newest changes that are kept, 40 bytes each: enough for processes that were busy for some seconds."""
SKEW_US: Final = 60_000_000
"""The default of the difference that is allowed between clocks."""

_log = logging.getLogger(__name__)
MEMBERSHIP_KEY: Final = b"log"


def _wall_clock() -> int:
    return wall_time.time_ns() // 1000


class LmdbTables:
    """The open environment, and its tables. ``membership`` is the log to which the store belongs, None where its
    changes come from its own servers."""

    TABLES: ClassVar[tuple[str, ...]] = (
        *("statuses", "tokens", "changes", "meta"),
        *("audit", "audit_archive"),
        *("reports", "reports_filed", "reports_open", "reports_acknowledged", "reports_ends", "report_requests"),
        "exceptions",  # all reports of earlier layouts
    )

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], int] = _wall_clock,
        skew_us: int = SKEW_US,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open the store in ``directory``, made if it is missing. Raises StoreUnavailable.

        ``clock`` returns Unix microseconds. A commit more than ``skew_us`` behind the newest stored time is logged.
        ``failed`` is called for each call that fails, with ``check_read``, ``read`` or ``write``, and with ``damaged``
        where an item could not be read.
        """
        self._clock, self._skew_us = clock, skew_us
        self._clock_behind_us = 0
        self._env = LmdbEnvironment(directory, self.TABLES, layout.SCHEMA, layout.SCHEMAS_BEFORE, failed)
        self.commits: Final = self._env.commits
        """See ``protocol.Store.commits``."""
        tables = self._env.tables
        self._statuses, self._tokens, self._changes = tables["statuses"], tables["tokens"], tables["changes"]
        self._meta, self._audit, self._audit_archive = tables["meta"], tables["audit"], tables["audit_archive"]
        self.membership = self._env.read_here(self._find_membership)
        self._env.is_applied_from_log = self.membership is not None

    def _find_membership(self, txn: Any) -> Membership | None:
        data = txn.get(MEMBERSHIP_KEY, db=self._meta)
        return None if data is None else unpack_membership(data)

    def _put_membership(self, txn: Any, membership: Membership) -> None:
        txn.put(MEMBERSHIP_KEY, pack_membership(membership), db=self._meta)

    @property
    def clock_behind_us(self) -> int:
        """The microseconds by which the clock was behind the newest stored time at the last commit of this process; 0
        where it was within the skew."""
        return self._clock_behind_us

    @property
    def write_fault(self) -> str | None:
        """The name and text of the last write's fault; None while writes succeed."""
        return self._env.writes.fault

    @property
    def is_lost(self) -> bool:
        """Whether the store must be opened anew to be written."""
        return self._env.writes.is_lost

    def _commit_time(self, txn: Any, now: int) -> int:
        """Return the time of the running commit: ``now``, or the newest stored time where the clock is behind it.

        The newest stored time is that of the newest change: each commit of records makes one.
        """
        data = self._last(txn, self._changes)[1]
        newest = layout.unpack_change(data)[1] if data else now
        behind = newest - now if newest - now > self._skew_us else 0
        if behind and not self._clock_behind_us:
            _log.error("the clock is behind the newest stored time", extra={"behind_s": round(behind / 1e6, 1)})
        elif self._clock_behind_us and not behind:
            _log.info("the clock is no longer behind the newest stored time")
        self._clock_behind_us = behind
        return max(now, newest)

    def _add_changes(self, txn: Any, subjects: Iterable[bytes], time: int) -> None:
        """Add to the change feed, and drop the oldest changes above CHANGES_KEPT. ``time`` is that of the commit."""
        self._add_timed_changes(txn, ((subject, time) for subject in subjects))

    def _add_timed_changes(self, txn: Any, changes: Iterable[tuple[bytes, int]]) -> None:
        """Add to the change feed subjects, each with the time of its change."""
        first = last = self._last(txn, self._changes)[0]
        for last, (subject, time) in enumerate(changes, first + 1):
            txn.put(layout.number(last), layout.pack_change(subject, time), db=self._changes, append=True)
        for old in range(max(first - CHANGES_KEPT, 0), last - CHANGES_KEPT + 1):
            txn.delete(layout.number(old), db=self._changes)

    def _last(self, txn: Any, db: Any) -> tuple[int, bytes]:
        """Return the highest number of a numbered table and its value; 0 and no bytes where the table is empty."""
        cursor = txn.cursor(db=db)
        return (layout.read_number(cursor.key()), cursor.value()) if cursor.last() else (0, b"")
