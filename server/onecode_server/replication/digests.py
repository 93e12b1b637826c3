"""The running digest of a partition: a chain over all changes of the state, and over nothing else.

A message that changes nothing (a repeated chunk, a refused step) leaves it as it is.
"""

from collections.abc import Iterable
from hashlib import blake2b

from onecode_server.model.partition_state import DIGEST_BYTES
from onecode_server.model.status import Token
from onecode_server.stores import layout
from onecode_server.stores.protocol import TokenKey
from onecode_server.stores.stored_items import StoredItem


def chained(digest: bytes, changes: Iterable[bytes]) -> bytes:
    """Return the digest (32 bytes, BLAKE2b of RFC 7693) after the changes of one message, which follow ``digest``."""
    content = b"".join(changes)
    return blake2b(digest + content, digest_size=DIGEST_BYTES).digest() if content else digest


def of_records(subject: bytes, packed: bytes) -> bytes:
    """Return the change of a subject's records to ``packed``. A subject has fewer than 2^16 bytes of records: some 14
    of each publisher and scope."""
    return b"r" + subject + len(packed).to_bytes(4) + packed


def of_token(key: TokenKey, token: Token) -> bytes:
    """Return the change of a token."""
    return b"t" + layout.token_key(key) + layout.pack_token(token)


def of_origin(content: bytes, subjects: int, tokens: int) -> bytes:
    """Return the change of a status partition by the store with which its log began."""
    return b"o" + content + subjects.to_bytes(8) + tokens.to_bytes(8)


def of_item(item: StoredItem) -> bytes:
    """Return the change of decisions by an item of the store with which the log began."""
    kind, key, data = item
    return b"g" + bytes((kind, *len(key).to_bytes(2))) + key + len(data).to_bytes(4) + data


def of_entry(audit_head: bytes, more: bytes = b"") -> bytes:
    """Return the change of decisions: the audit record has a new head (32 bytes), and ``more`` was written that no
    audit entry has."""
    return b"e" + audit_head + len(more).to_bytes(4) + more
