"""The text decoders in C, where there was a compiler when onecode was installed."""

from importlib.util import find_spec
from typing import Any, Final


def _load() -> Any:
    if find_spec("onecode_server.formats._columns") is None:
        return None
    from onecode_server.formats import _columns  # noqa: PLC0415 - it may not have been built

    return _columns


kernel: Final = _load()
"""The extension, or None."""
