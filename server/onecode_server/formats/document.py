"""What the entries of a trust-list document are held to: types that JSON has more of, and names that are known."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeGuard

from onecode_server.errors import Malformed

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def expect(holds: object, otherwise: str) -> None:
    """Raise Malformed, which says ``otherwise``, where something does not hold."""
    if not holds:
        raise Malformed(otherwise)


def expect_members(entry: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Raise Malformed where ``entry`` has a member that is not known, and name the known one that is nearest to it."""
    for name in sorted(set(entry) - set(known)):
        near = difflib.get_close_matches(name, sorted(known), 1)
        raise Malformed(f"{what} has an unknown member {name!r}{f': {near[0]!r} is known' if near else ''}")


def is_text(value: Any) -> TypeGuard[str]:
    """Tell whether ``value`` is text that can be written in UTF-8. JSON can spell lone surrogates, which cannot."""
    return isinstance(value, str) and not _SURROGATE.search(value)


def is_integer(value: Any) -> TypeGuard[int]:
    """Tell whether ``value`` is an integer. JSON's true and false are none, but Python's are."""
    return isinstance(value, int) and not isinstance(value, bool)
