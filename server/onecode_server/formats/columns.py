"""Columns of codes that are built alike: what a layout of any format is, and how fields are cut out of its rows.

Arrays are NumPy's; ``n`` is how many codes there are, a row is one of them.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from onecode_server.model.trust_list import Format, Path

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

FIELDS_MAX: Final = 16
"""Claims of a code that is read by columns; ours have five or six."""
SECOND_US: Final = 1_000_000


class Kind(Enum):
    """What a field's bytes are: ASCII text, bytes, a time, or something that only the general path reads."""

    TEXT = 0
    BYTES = 1
    TIME = 2
    OTHER = 3


class Field(NamedTuple):
    """Where a value stands: bytes ``start`` to ``end`` of a row."""

    kind: Kind
    start: int
    end: int


class Layout(Protocol):
    """How codes of one shape are built, learned from one of them. ``claims`` has the place of each claim by its path.

    What fits a layout is a code that the format's ``decode`` and ``read_claims`` read, and to the same effect.
    """

    @property
    def format(self) -> Format: ...  # noqa: D102

    @property
    def claims(self) -> Mapping[Path, Field]: ...  # noqa: D102

    def fits(self, data: Bytes) -> Flags:
        """Tell which rows, uint8[n, size], are built as the layout says: bool[n]."""
        ...

    @property
    def key_id(self) -> Field: ...  # noqa: D102

    def read_key_id(self, field: bytes) -> bytes:
        """Return the key id that stands in such a field. Raises Malformed."""
        ...

    def signatures(self, data: Bytes) -> Bytes:
        """Return the signature of each row that fits: uint8[n, 64]."""
        ...

    def messages(self, data: Bytes) -> Bytes:
        """Return what is signed of each row that fits: uint8[n, m]."""
        ...

    def times(self, data: Bytes, field: Field) -> Times:
        """Return a field that is a time, of each row that fits, in Unix microseconds: int64[n]."""
        ...


def octets(data: Bytes, *fields: Field) -> list[bytes]:
    """Return some fields' bytes of each row, one behind the other."""
    parts = [data[:, field.start : field.end] for field in fields]
    columns = np.ascontiguousarray(parts[0]) if len(parts) == 1 else np.concatenate(parts, axis=1)
    count, size = columns.shape
    # As values of `size` bytes without a type, of which NumPy makes bytes, all in one go.
    values: list[bytes] = columns.view(f"V{size}")[:, 0].tolist() if size else [b""] * count
    return values
