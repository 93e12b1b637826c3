"""The exception cache of this process: the acknowledged recognition exceptions that are not archived.

It is read from the store after each step that changes them. ``rules.recognition_exceptions`` limits the exceptions of a
pair, so a check searches a short list. Unacknowledged reports are not read, so filing them costs the checks nothing.
"""

import logging
from collections.abc import Sequence

from onecode_server.errors import StoreUnavailable
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.rules.recognition import suspension
from onecode_server.stores.protocol import Store

_log = logging.getLogger(__name__)


class ExceptionCache:
    """Holds the reports by host and home, and all of them as ``reports``. While the store does not answer, the last
    known ones stay.

    ``is_open`` tells whether the store has ever answered, ``store_answers`` whether it answered the last time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_pair: dict[tuple[str, str], list[RecognitionException]] = {}
        self.reports: Sequence[RecognitionException] = ()
        self.is_open = False
        self.store_answers = False

    async def refresh(self) -> None:
        """Read the store once."""
        try:
            found = await self._store.acknowledged_exceptions()
        except StoreUnavailable as fault:
            if self.store_answers or not self.is_open:  # once, not every second
                _log.error("recognition exceptions cannot be read, the last known ones stay: %s", fault)
            self.store_answers = False
            return
        by_pair: dict[tuple[str, str], list[RecognitionException]] = {}
        for report in found:
            by_pair.setdefault((report.host, report.home), []).append(report)
        self._by_pair, self.reports = by_pair, found
        self.is_open = self.store_answers = True

    def suspension(self, host: str, home: str, now: int) -> RecognitionException | None:
        """Return the report under which ``host`` does not recognise ``home`` at ``now``, or None."""
        reports = self._by_pair.get((host, home))
        return suspension(reports, host, home, now) if reports else None
