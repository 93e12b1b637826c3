"""Logs: one JSON object a line on standard error. They contain no code, no subject and no key material: callers log
names, numbers and reasons only."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final

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


def configure(level: str, **fields: object) -> None:
    """Write all records from ``level`` on to standard error, as JSON; each line also has the ``fields``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(**fields))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
