"""Requests that are larger than any good one, cut to what an answer needs as they are read.

A message may have 4 MiB, for batches. What waits to be checked or committed must not be of that size: a code of more
than 4,096 bytes is MALFORMED by its length alone, and a name that is longer than names may be is nobody's. The message
is written anew, since a parsed one keeps all of its bytes, and fields that nobody knows.
"""

from typing import Any, Final

from google.protobuf.message import Message

from onecode_server.model.scanned import SCAN_BYTES_MAX, enough

REQUEST_BYTES_MAX: Final = SCAN_BYTES_MAX + 1024
"""Of one request that is no batch: a code as scanned, or the reason of an exception, and what is beside it."""
TEXT_CHARS_MAX: Final = 2048
"""What is longer is longer than any text may be: the longest is a reason of 1,024 bytes."""


def cut(request: Any) -> Any:
    """Return what matters of a request that has more than REQUEST_BYTES_MAX; a batch as it is."""
    kept = type(request)()
    return kept if _copy(request, kept) else request


def _copy(read: Any, kept: Any) -> bool:
    """Copy fields, each as long as it may be and a little more; tell whether none is repeated."""
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
