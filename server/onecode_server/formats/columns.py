"""Columns of codes that are built alike: what a layout of any format is, and how fields are cut out of its rows.

Arrays are NumPy's; ``n`` is how many codes there are, a row is one of them.
"""

from collections.abc import Mapping, Sequence
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
    """What a field's bytes are: text in UTF-8, bytes, a time as text, a whole number that differs from code to code, a
    number or one of JSON's own words (true, false, null) that a layout fixes, or something that only the general path
    reads."""

    TEXT = 0
    BYTES = 1
    TIME = 2
    NUMBER = 3
    LITERAL = 4
    OTHER = 5


class Field(NamedTuple):
    """Where a value stands: bytes ``start`` to ``end`` of a row."""

    kind: Kind
    start: int
    end: int


NUMBER_DIGITS_MAX: Final = 19
"""Of a NUMBER: so it is below 2^64, the greatest number that is a subject."""
TIME_DIGITS_MAX: Final = 11
"""Of a NUMBER that is a time, in seconds: so it is before the year 9999, where times end."""

Shape = tuple[int, ...]
"""What codes of a format must have in common to be decoded together: their length first, then where parts begin."""


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

    def text(self, field: Field, octets: bytes) -> str:
        """Return what a field says in a row, as text; what is no string as its JSON text. ``octets`` are its bytes.

        For TEXT, NUMBER and LITERAL only.
        """
        ...

    def is_time(self, field: Field) -> bool:
        """Tell whether ``times`` can read a field."""
        ...

    def times(self, data: Bytes, field: Field) -> Times:
        """Return a field that is a time, of each row that fits, in Unix microseconds: int64[n]."""
        ...


class Layouts(Protocol):
    """What the module of a format's layouts offers."""

    def shape(self, code: bytes) -> Shape | None:
        """Return the shape of a code that starts with the format's prefix, None where it cannot be a code."""
        ...

    def decode(self, codes: Sequence[bytes], shape: Shape) -> tuple[Bytes, Flags]:
        """Return the rows of codes of one shape, uint8[n, m], m a multiple of eight, and which are good: bool[n]."""
        ...

    def learn(self, code: bytes) -> Layout:
        """Return the layout of a code. Raises Malformed where it is none, ValueError where it has no layout.

        Only bytes that the signature covers may differ from one layout of a shape to the next, so that nobody but the
        holder of a key can make codes of which there is more to learn.
        """
        ...

    def key_id_field(self, code: bytes) -> bytes | None:
        """Return the part of a code in which the key id is spelled, as a row has it at ``Layout.key_id``; None where
        that is the key id itself."""
        ...


def octets(data: Bytes, field: Field) -> list[bytes]:
    """Return a field's bytes of each row."""
    columns = np.ascontiguousarray(data[:, field.start : field.end])
    count, size = columns.shape
    # As values of `size` bytes without a type, of which NumPy makes bytes, all in one go.
    values: list[bytes] = columns.view(f"V{size}")[:, 0].tolist() if size else [b""] * count
    return values


def padded(size: int) -> int:
    """Return the next multiple of eight, since rows are compared eight bytes at once."""
    return size + -size % 8
