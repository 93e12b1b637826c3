"""Logs: one JSON object a line on standard error. They contain no code, no subject and no key material: callers log
names, numbers and reasons only."""

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

REPEATS_MAX: Final = 100
"""Equal records of a library in a window: some 20 KB. gRPC logs some faults that a caller alone has caused, such as
metadata that is not UTF-8, and a caller can repeat them thousands of times a second until the disk is full."""
OWN_REPEATS_MAX: Final = 2_000
"""The same for the server's own records: more than it logs of the faults of a whole trust list, or of all kinds of
faults in claims that it names in a minute."""
KINDS_MAX: Final = 256
"""Kinds of records that are counted. The messages of a library may contain what a caller has sent, and be of any
number: further ones count as one kind."""
KIND_CHARACTERS: Final = 40
WINDOW_S: Final = 60.0
CALLERS_FAULTS: Final = ("ExecuteBatchError raised in core ", "Invalid encoding on ")
"""How gRPC's errors begin that a caller alone has caused: by leaving before its answer was sent, wherever the answer
then was, and by metadata that is not UTF-8."""
_GRPC: Final = "grpc._cython.cygrpc"
_OWN: Final = "onecode_server"
_OTHERS: Final = ("", 0, "")

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
    """Drops records of one kind that are logged again and again: of one logger and level, whose messages begin alike.

    The first record of the next window has the number of those that were dropped (``dropped_repeats``). Critical
    records are never dropped. ``monotonic`` returns seconds that never run backwards.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._began_s = monotonic()
        self._counts: dict[tuple[str, int, str], int] = {}
        self._dropped = 0
        self._counting = threading.Lock()  # any thread may log

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        if record.levelno >= logging.CRITICAL:
            return True
        kind = (record.name, record.levelno, str(record.msg)[:KIND_CHARACTERS])
        most = OWN_REPEATS_MAX if record.name.partition(".")[0] == _OWN else REPEATS_MAX
        with self._counting:
            now_s = self._monotonic()
            if now_s - self._began_s >= WINDOW_S:
                if self._dropped:
                    record.dropped_repeats = self._dropped
                self._began_s, self._counts, self._dropped = now_s, {}, 0
            if kind not in self._counts and len(self._counts) >= KINDS_MAX:
                kind = _OTHERS
            self._counts[kind] = count = self._counts.get(kind, 0) + 1
            self._dropped += count > most
            return count <= most


class CallersFaultFilter(logging.Filter):
    """Lowers to INFO what gRPC logs as an error of the server although a caller alone has caused it: an error in the
    log is a reason to look at the server, and no stranger should be able to give it."""

    def __init__(self, least: int) -> None:
        """``least`` is the least level that is written: a lowered record below it is dropped."""
        super().__init__()
        self._least = least

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        if record.name == _GRPC and record.levelno == logging.ERROR and record.getMessage().startswith(CALLERS_FAULTS):
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        return record.levelno >= self._least


def configure(level: str, **fields: object) -> None:
    """Write all records from ``level`` on to standard error, as JSON; each line also has the ``fields``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(**fields))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    handler.addFilter(CallersFaultFilter(logging.getLogger().level))
    handler.addFilter(RepeatFilter())
