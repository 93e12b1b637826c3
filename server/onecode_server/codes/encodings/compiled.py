"""Loads the text decoders in C, which exist where onecode was installed with a C compiler."""

from importlib.util import find_spec
from typing import Any, Final


def _load() -> Any:
    if find_spec("onecode_server.codes.encodings._columns") is None:
        return None
    from onecode_server.codes.encodings import _columns  # noqa: PLC0415 - it may not be there

    return _columns


kernel: Final = _load()
"""The extension, or None."""
