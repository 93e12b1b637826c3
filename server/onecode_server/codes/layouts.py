"""The interface of a format's layouts: codes of one shape are columns of bytes, and a layout gives each field's place.

Arrays are NumPy's; ``n`` is the number of codes, each of which is a row.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from onecode_server.model.trust_list import Format, Path

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]
Cut = Callable[[bytes], Sequence[Any]]
"""Returns parts of a row, bytes and then times: see ``Layout.cutter``."""

Envelope = Callable[[bytes], Sequence[Any]]
"""Returns the four parts of a row that are not claims: see ``Layout.envelope``."""

FIELDS_MAX: Final = 16
"""The bound on claims of a code that is read by columns; our codes have five or six."""
SECOND_US: Final = 1_000_000


class Kind(Enum):
    """The kind of a field's bytes: text in UTF-8, bytes, a time as text, a whole number that differs from code to code,
    a number or one of JSON's own words (true, false, null) that a layout fixes, or a value that only the general path
    reads."""

    TEXT = 0
    BYTES = 1
    TIME = 2
    NUMBER = 3
    LITERAL = 4
    OTHER = 5


class Field(NamedTuple):
    """The place of a value: bytes ``start`` to ``end`` of a row."""

    kind: Kind
    start: int
    end: int

    @property
    def place(self) -> tuple[int, int]:
        """Its start and its end."""
        return self.start, self.end


NUMBER_DIGITS_MAX: Final = 19
"""The bound on digits of a NUMBER: so it is below 2^64, the bound on numbers that are subjects."""
TIME_DIGITS_MAX: Final = 11
"""The bound on digits of a NUMBER that is a time in seconds: so it is before the end of the year 9999, where times
end."""

Shape = tuple[int, ...]
"""The properties that codes of a format must share to be decoded together: their length, then the offsets of their
parts."""


class Layout(Protocol):
    """The structure of codes of one shape, learned from one of them. ``claims`` has the place of each claim by its
    path.

    A code that fits a layout is one that the format's ``decode`` and ``read_claims`` read with the same results.
    """

    @property
    def format(self) -> Format: ...  # noqa: D102

    @property
    def claims(self) -> Mapping[Path, Field]: ...  # noqa: D102

    def fits(self, data: Bytes) -> Flags:
        """Tell which rows, uint8[n, size], have this layout: bool[n]."""
        ...

    @property
    def key_id(self) -> Field: ...  # noqa: D102

    def read_key_id(self, field: bytes) -> bytes:
        """Return the key id in a field of ``key_id``. Raises Malformed."""
        ...

    def row(self, code: bytes) -> bytes | None:
        """Return the row of one code, or None where it does not have this layout: any bytes may be asked about."""
        ...

    @property
    def envelope(self) -> Envelope:
        """The function that returns the field of ``key_id``, the signed message, the signature and the claims' bytes of
        one row that fits."""
        ...

    def cutter(self, parts: Sequence[Sequence[Field]], times: Sequence[Field]) -> Cut:
        """Return the function that cuts one row that fits: for each of ``parts`` the bytes of its fields, joined, and
        then the times in some fields, in Unix microseconds. It raises Malformed where one of these is none."""
        ...

    def signatures(self, data: Bytes) -> Bytes:
        """Return the signature of each row that fits: uint8[n, 64]."""
        ...

    def messages(self, data: Bytes) -> Bytes:
        """Return the signed message of each row that fits: uint8[n, m]."""
        ...

    def text(self, field: Field, octets: bytes) -> str:
        """Return the value of a field as text; a value that is no string as its JSON text. ``octets`` are the field's
        bytes.

        For TEXT, NUMBER and LITERAL only.
        """
        ...

    def is_time(self, field: Field) -> bool:
        """Tell whether ``times`` can read a field."""
        ...

    def times(self, data: Bytes, field: Field) -> Times:
        """Return the times in a field of each row that fits, in Unix microseconds: int64[n]."""
        ...


class Layouts(Protocol):
    """The members of the module of a format's layouts."""

    def shape(self, code: bytes) -> Shape | None:
        """Return the shape of a code that starts with the format's prefix, None where it cannot be a code."""
        ...

    def decode(self, codes: Sequence[bytes], shape: Shape) -> tuple[Bytes, Flags]:
        """Return the rows of codes of one shape, uint8[n, m], m a multiple of eight, and which rows are valid:
        bool[n]."""
        ...

    def learn(self, code: bytes) -> Layout:
        """Return the layout of a code. Raises Malformed where it is no code, ValueError where it has no layout.

        The layouts of a shape may differ only in bytes that the signature covers, so that only the holder of a key can
        make codes with new layouts.
        """
        ...

    @property
    def key_id_field(self) -> Callable[[bytes], bytes] | None:
        """The function that returns the encoded part of a code that contains the key id, as a row has it at
        ``Layout.key_id``; None where the row has the key id itself."""
        ...


def octets(data: Bytes, field: Field) -> list[bytes]:
    """Return the bytes of a field in each row."""
    columns = np.ascontiguousarray(data[:, field.start : field.end])
    count, size = columns.shape
    # As NumPy's untyped values of ``size`` bytes, which are converted to bytes objects all at once.
    values: list[bytes] = columns.view(f"V{size}")[:, 0].tolist() if size else [b""] * count
    return values


def padded(size: int) -> int:
    """Return the next multiple of eight, since rows are compared eight bytes at once."""
    return size + -size % 8
