"""Describes the type of a decoded value in words that may be shown and logged, without the value itself."""

from typing import Any, Final
from uuid import UUID

_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "true or false",
    int: "an integer",
    float: "a number with a fraction",
    str: "text",
    bytes: "bytes",
    list: "an array",
    dict: "an object",
    UUID: "a tagged UUID",
}


def kind_of(value: Any) -> str:
    """Return the kind of a decoded value: one of a dozen phrases."""
    if isinstance(value, str | bytes) and not value:
        return "empty text" if isinstance(value, str) else "no bytes"
    return _KINDS.get(type(value), "something that no claim is")


def size_of(value: Any) -> str:
    """Return the kind of a value with its length, where it has one. It is for an operator to see, not for a log."""
    match value:
        case str():
            return f"text of {len(value)} characters"
        case bytes():
            return f"{len(value)} bytes"
    return kind_of(value)


def expected(what: str, value: Any) -> str:
    """Return a line that says what was expected and what kind of value was found."""
    return f"expected {what}, found {kind_of(value)}"
