"""The fields of a message: numbers, texts and bytes one after another, each with its bound. Numbers are big-endian."""

from typing import Final

from onecode_server.errors import Malformed

NUMBER_BYTES: Final = 8
IDENTIFIER_BYTES: Final = 16
TIME_MAX: Final = 2**62
"""A bound on times (Unix microseconds) past the year 9999: sums of two of them stay within 64 bits."""


class FieldReader:
    """Reads the fields of ``data`` from ``at`` on. Every method raises Malformed where a field is cut off or over its
    bound; the text names the fault and quotes nothing."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise Malformed("a message is cut off")
        taken, self._at = self._data[self._at : end], end
        return taken

    def number(self, size: int = NUMBER_BYTES) -> int:
        """Return an unsigned number of ``size`` bytes."""
        return int.from_bytes(self.take(size))

    def time(self) -> int:
        """Return a time of 8 bytes (Unix microseconds), which may be before 1970."""
        time = int.from_bytes(self.take(NUMBER_BYTES), signed=True)
        if not -TIME_MAX < time < TIME_MAX:
            raise Malformed("a time of a message is out of range")
        return time

    def text(self, bytes_max: int) -> str:
        """Return a text of at most ``bytes_max`` bytes in UTF-8, with its length in 2 bytes before it."""
        try:
            return self._counted(2, bytes_max).decode()
        except UnicodeDecodeError:
            raise Malformed("a text of a message is not UTF-8") from None

    def content(self, bytes_max: int) -> bytes:
        """Return at most ``bytes_max`` bytes, with their length in 4 bytes before them."""
        return self._counted(4, bytes_max)

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(len(self._data) - self._at)

    def end(self) -> None:
        """Raise Malformed where anything is left."""
        if self._at != len(self._data):
            raise Malformed("a message is longer than its fields")

    def _counted(self, length_bytes: int, bytes_max: int) -> bytes:
        size = self.number(length_bytes)
        if size > bytes_max:
            raise Malformed("a field of a message is too long")
        return self.take(size)


def number(value: int, size: int = NUMBER_BYTES) -> bytes:
    """Return an unsigned number as ``size`` bytes. Raises Malformed, as every function here, where it is too large."""
    try:
        return value.to_bytes(size)
    except OverflowError:
        raise Malformed("a number of a message is out of range") from None


def time(value: int) -> bytes:
    """Return a time (Unix microseconds) as 8 bytes."""
    if not -TIME_MAX < value < TIME_MAX:
        raise Malformed("a time of a message is out of range")
    return value.to_bytes(NUMBER_BYTES, signed=True)


def text(value: str, bytes_max: int) -> bytes:
    """Return a text with its length."""
    try:
        return _counted(value.encode(), 2, bytes_max)
    except UnicodeEncodeError:
        raise Malformed("a text of a message is not Unicode") from None


def content(value: bytes, bytes_max: int) -> bytes:
    """Return bytes with their length."""
    return _counted(value, 4, bytes_max)


def exact(value: bytes, size: int) -> bytes:
    """Return ``value``, which must have ``size`` bytes."""
    if len(value) != size:
        raise Malformed("a field of a message has the wrong length")
    return value


def _counted(value: bytes, length_bytes: int, bytes_max: int) -> bytes:
    if len(value) > bytes_max:
        raise Malformed("a field of a message is too long")
    return len(value).to_bytes(length_bytes) + value
