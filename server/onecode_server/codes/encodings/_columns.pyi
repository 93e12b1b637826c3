"""The extension that ``kernel/build.py`` makes; ``kernel/onecode_columns.h`` says what it does."""

from typing import Any

ffi: Any
lib: Any
