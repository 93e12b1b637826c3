"""Cuts requests that are larger than any valid one as they are read.

A message may have 4 MiB, for batches, but a request that waits to be checked or committed must be smaller: a code of
more than 4,096 bytes is MALFORMED by its length alone, and a name above the length limit is invalid. The message is
written anew, since a parsed message keeps all of its bytes and its unknown fields.
"""

from collections.abc import Callable
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from onecode_server.errors import InvalidRequest
from onecode_server.model.scanned import SCAN_BYTES_MAX, enough

REQUEST_BYTES_MAX: Final = SCAN_BYTES_MAX + 1024
"""The bound on a request that is no batch: a scanned code, or the reason of an exception, and the other fields."""
TEXT_CHARS_MAX: Final = 2048
"""The bound on a text that is copied. The longest valid text is a reason of 1,024 bytes."""


def read(message: bytes, deserialize: Callable[[bytes], Any]) -> Any:
    """Return the bytes of a request as its message, cut to its bounds. Raises InvalidRequest."""
    try:
        request = deserialize(message)
    except DecodeError:
        raise InvalidRequest("REQUEST_MALFORMED", "the request is not this method's message") from None
    return request if len(message) <= REQUEST_BYTES_MAX else cut(request)


def cut(request: Any) -> Any:
    """Return a request above REQUEST_BYTES_MAX cut to its bounds; a batch is returned unchanged."""
    kept = type(request)()
    return kept if _copy(request, kept) else request


def _copy(read: Any, kept: Any) -> bool:
    """Copy fields, each cut a little above its longest valid length; tell whether no field is repeated."""
    for field, value in read.ListFields():
        match value:
            case bytes():
                setattr(kept, field.name, enough(value))
            case str():
                setattr(kept, field.name, value[:TEXT_CHARS_MAX])
            case Message():
                part = getattr(kept, field.name)
                part.SetInParent()
                if not _copy(value, part):
                    return False
            case int() | float():
                setattr(kept, field.name, value)
            case _:
                return False
    return True
