"""Checks of the entries of a trust-list document: the types of their values, and the names of their members."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeGuard

from onecode_server.errors import Malformed

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def expect(holds: object, otherwise: str) -> None:
    """Raise Malformed with the text ``otherwise`` if ``holds`` is false."""
    if not holds:
        raise Malformed(otherwise)


def expect_members(entry: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Raise Malformed if ``entry`` has an unknown member; its text suggests the known name that is most similar."""
    for name in sorted(set(entry) - set(known)):
        near = difflib.get_close_matches(name, sorted(known), 1)
        raise Malformed(f"{what} has an unknown member {name!r}{f': {near[0]!r} is known' if near else ''}")


def is_text(value: Any) -> TypeGuard[str]:
    """Return whether ``value`` is text that UTF-8 can encode. JSON can contain lone surrogates, which it cannot."""
    return isinstance(value, str) and not _SURROGATE.search(value)


def is_integer(value: Any) -> TypeGuard[int]:
    """Return whether ``value`` is an integer. Python's bool is an int; true and false are not integers in JSON."""
    return isinstance(value, int) and not isinstance(value, bool)
