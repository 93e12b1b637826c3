"""Whether the store can be written: noted at the first write that fails, until a write succeeds again."""

import errno
import logging
import os
import re
from typing import Final

from onecode_server.errors import StoreUnavailable

_log = logging.getLogger(__name__)
_NUMBERS: Final = {os.strerror(number): name for number, name in errno.errorcode.items()}


class WriteState:
    """``fault`` is the reason why the last writes failed, and None while writes succeed. ``is_lost`` tells whether the
    store must be opened anew: LMDB writes nothing more after it could not write a meta page."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.is_lost = False

    def failed(self, fault: BaseException) -> None:
        """Note a write that failed. The first one is logged."""
        name = fault_name(fault)
        if self.fault is None:
            _log.error("the store cannot be written: %s", fault, extra={"errno": name})
        self.fault = f"{name}: {fault}"
        self.is_lost = self.is_lost or name == "MDB_PANIC"

    def succeeded(self) -> None:
        """Note a write that succeeded, after one that had failed."""
        if self.fault is not None:
            _log.info("the store can be written again")
        self.fault = None


def fault_name(fault: BaseException) -> str:
    """Return the name of an error number, or LMDB's own (``MDB_MAP_FULL``), or else the name of the exception's class.

    Newer versions of LMDB's binding set the number on an error; all versions give its text.
    """
    number = getattr(fault, "errno", None) or getattr(fault, "code", None)
    if isinstance(number, int) and number in errno.errorcode:
        return errno.errorcode[number]
    if isinstance(fault, TimeoutError):
        return "ETIMEDOUT"
    if isinstance(fault, MemoryError):
        return "ENOMEM"
    if isinstance(fault, StoreUnavailable):  # the file is gone, cut or replaced
        return "ESTALE"
    text = str(fault)
    own = re.search("MDB_[A-Z_]+", text)
    return own[0] if own else _NUMBERS.get(text.rpartition(": ")[2], type(fault).__name__)
