"""Logs: one JSON object a line on standard error. They contain no code, no subject and no key material: callers log
names, numbers and reasons only."""

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

REPEATS_MAX: Final = 100
"""Records from one line of code in a window: some 20 KB. gRPC logs some faults that a caller alone has caused, such as
metadata that is not UTF-8, and a caller can repeat them thousands of times a second until the disk is full."""
WINDOW_S: Final = 60.0

_STANDARD: Final = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Writes time, level, logger, message, the fields given as ``extra``, and the class and origin of an exception: its
    text may quote confidential values."""

    def __init__(self, **fields: object) -> None:
        """Add ``fields`` to each line."""
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields,
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["where"] = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        return json.dumps(line, default=str, ensure_ascii=False)


class RepeatFilter(logging.Filter):
    """Drops what is logged again and again from one line of code. The first record of the next window has the number of
    those that were dropped (``dropped_repeats``).

    ``monotonic`` returns seconds that never run backwards. Lines of code are few, so that their counts need no bound.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._began_s = monotonic()
        self._counts: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        now_s, place = self._monotonic(), (record.pathname, record.lineno)
        if now_s - self._began_s >= WINDOW_S:
            if dropped := sum(max(0, count - REPEATS_MAX) for count in self._counts.values()):
                record.dropped_repeats = dropped
            self._began_s, self._counts = now_s, {}
        self._counts[place] = count = self._counts.get(place, 0) + 1
        return count <= REPEATS_MAX


def configure(level: str, **fields: object) -> None:
    """Write all records from ``level`` on to standard error, as JSON; each line also has the ``fields``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(**fields))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
