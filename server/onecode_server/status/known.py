"""What the status cache knows of subjects: in columns for many, and in numbers for one."""

from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from onecode_server.status.table import Entries
from onecode_server.stores.protocol import Records

_Number = TypeVar("_Number", int, npt.NDArray[Any])


class StatusColumns(NamedTuple):
    """The statuses of some subjects now, in order. ``entries`` are rows of a StatusTable, ``status`` is uint8[n],
    ``age_s`` is int64[n] in whole seconds; ``records`` has the records at each place where ``table.needs_records`` may
    be true."""

    entries: Entries
    status: npt.NDArray[np.uint8]
    age_s: npt.NDArray[np.int64]
    records: dict[int, Records]


class SimpleStatus(NamedTuple, Generic[_Number]):
    """A status that one record determines, or none: the columns of its row in a StatusTable, the status as a number,
    and its age in whole seconds. Numbers for one subject, arrays for many."""

    publisher: _Number
    level: _Number
    effective_at: _Number
    expires_at: _Number
    published_at: _Number
    status: _Number
    age_s: _Number


def simple(known: StatusColumns) -> SimpleStatus[npt.NDArray[Any]]:
    """Return the statuses of many, as far as they are simple."""
    entries = known.entries
    return SimpleStatus(
        entries["publisher"],
        entries["level"],
        entries["effective_at"],
        entries["expires_at"],
        entries["published_at"],
        known.status,
        known.age_s,
    )
