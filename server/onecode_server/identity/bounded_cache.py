"""A cache with a bound on its entries and their bytes, of which the least recently used gives way."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class BoundedCache(Generic[_Key, _Value]):
    """Keeps at most ``entries_max`` values, whose sizes add up to at most ``bytes_max``. Not thread-safe."""

    def __init__(self, entries_max: int, bytes_max: int) -> None:
        self._entries: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    @property
    def size(self) -> int:
        """The sum of the sizes, in bytes."""
        return self._bytes

    def get(self, key: _Key) -> _Value | None:
        """Return the value of a key, or None where it is not kept."""
        if (entry := self._entries.get(key)) is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: _Key, value: _Value, size: int) -> None:
        """Keep a value of ``size`` bytes, unless that alone is above the bound."""
        self.drop(key)
        if size > self._bytes_max:
            return
        self._entries[key] = value, size
        self._bytes += size
        while len(self._entries) > self._entries_max or self._bytes > self._bytes_max:
            _, (_, freed) = self._entries.popitem(last=False)
            self._bytes -= freed

    def drop(self, key: _Key) -> None:
        """Forget a key, whether it is kept or not."""
        if (entry := self._entries.pop(key, None)) is not None:
            self._bytes -= entry[1]

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._bytes = 0
