"""What a store has that is no status record, as the items that a log can begin with: each as the store holds it."""

from enum import IntEnum
from typing import Final, NamedTuple, assert_never

from onecode_server.errors import Malformed, StoredDamaged
from onecode_server.model import audit
from onecode_server.stores import layout


class ItemKind(IntEnum):
    """The kind of an item, in the order in which a log begins with them."""

    LIST = 1
    ENTRY = 2
    REPORT = 3
    REQUEST = 4


class StoredItem(NamedTuple):
    """An item by its key: the highest trust list (no key), an audit entry (its number), a report (its id), or the
    result of a request id. ``data`` is what the store has under the key, byte by byte."""

    kind: ItemKind
    key: bytes
    data: bytes


_KEY_BYTES_MAX: Final = 511  # LMDB's own bound


def expect_readable(item: StoredItem) -> None:
    """Raise Malformed where an item cannot be read, or lies under another key than its own."""
    kind, key, data = item
    try:
        match kind:
            case ItemKind.LIST:
                layout.unpack_list(data)
                is_own = not key
            case ItemKind.ENTRY:
                is_own = layout.number(audit.unpack(data).number) == key
            case ItemKind.REPORT:
                is_own = layout.unpack_exception(data).id.encode() == key
            case ItemKind.REQUEST:
                layout.unpack_answered(data)
                is_own = 0 < len(key) <= _KEY_BYTES_MAX
            case _:
                assert_never(kind)
    except (StoredDamaged, AttributeError, TypeError, OverflowError, RecursionError):
        raise Malformed("an item of a store cannot be read") from None
    if not is_own:
        raise Malformed("an item of a store lies under another key")
