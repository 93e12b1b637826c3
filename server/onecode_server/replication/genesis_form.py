"""The form of the messages with which a log begins that began with a store."""

from typing import Final

from onecode_server.errors import Malformed
from onecode_server.model.partition_state import DIGEST_BYTES
from onecode_server.replication import fields
from onecode_server.replication.fields import FieldReader
from onecode_server.replication.messages import DECISION_BYTES_MAX, Genesis, Origin
from onecode_server.stores.stored_items import ItemKind, StoredItem, expect_readable

ITEMS_MAX: Final = 4096
"""The items of one part: some 16 KiB of the shortest, so that their number never matters beside their bytes."""
ITEM_BYTES: Final = 7
"""The bytes of an item beside its key and its data."""
_KEY_BYTES_MAX: Final = 511
_KINDS: Final = {int(kind): kind for kind in ItemKind}


def encode_origin(origin: Origin) -> bytes:
    """Return the bytes of a status partition's beginning. Raises Malformed."""
    return fields.number(origin.subjects) + fields.number(origin.tokens) + fields.exact(origin.content, DIGEST_BYTES)


def decode_origin(reader: FieldReader, machine: bytes) -> Origin:
    """Return the beginning of a status partition. Raises Malformed."""
    return Origin(machine, reader.number(), reader.number(), reader.take(DIGEST_BYTES))


def encode_part(part: Genesis) -> bytes:
    """Return the bytes of a part of the beginning of decisions. Raises Malformed."""
    if len(part.items) > ITEMS_MAX:
        raise Malformed("a part of a store has too many items")
    items = (
        bytes((kind,)) + fields.number(len(key), 2) + key + fields.content(data, DECISION_BYTES_MAX)
        for kind, key, data in part.items
    )
    return fields.number(part.number) + fields.number(len(part.items), 2) + b"".join(items)


def decode_part(reader: FieldReader, machine: bytes) -> Genesis:
    """Return a part of the beginning of decisions, whose items can all be read. Raises Malformed."""
    number, count = reader.number(), reader.number(2)
    if count > ITEMS_MAX:
        raise Malformed("a part of a store has too many items")
    return Genesis(machine, number, tuple(_read_item(reader) for _ in range(count)))


def _read_item(reader: FieldReader) -> StoredItem:
    kind = _KINDS.get(reader.number(1))
    if kind is None:
        raise Malformed("an item of a store is of an unknown kind")
    size = reader.number(2)
    if size > _KEY_BYTES_MAX:
        raise Malformed("a key of a store is too long")
    item = StoredItem(kind, reader.take(size), reader.content(DECISION_BYTES_MAX))
    expect_readable(item)
    return item
