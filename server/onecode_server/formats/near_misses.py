"""Names that a person takes for each other and a computer does not: to be told of in an error, and never to be taken.

Key ids and level words are compared byte for byte. What differs in case, in white space, in the form of Unicode or in
letters that look alike is another name, and most often a mistake.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

SHOWN_MAX: Final = 3
"""Of the names that are near: who is off by more than one letter of many keys needs the list, not a line."""

_LOOK_ALIKE: Final = str.maketrans(
    "аеорсухіјѕһԁԛԝкмтвн" + "οανικρτυβ" + "0і1i|" + "‐‑‒–—−",
    "aeopcyxljshdqwkmtbh" + "oavlkptyb" + "ollll" + "------",
)
"""Small letters of Cyrillic and Greek, digits and dashes, by what they look like. Capitals are made small before."""


def near_misses(name: str, known: Iterable[str]) -> list[tuple[str, str]]:
    """Return those of ``known`` that a person could take for ``name``, and what each of them differs in."""
    ways = (
        ("its Unicode form", _composed),
        ("white space or characters that cannot be seen", _visible),
        ("case or width", _folded),
        ("characters that look alike", _skeleton),
    )
    found = []
    for other in known:
        how = next((how for how, form in ways if form(other) == form(name)), None)
        if how is not None and other != name:
            found.append((other, how))
    return found[:SHOWN_MAX]


def told(name: str, known: Iterable[str]) -> str:
    """Return what to say of the names that are near ``name`` after a line that it is unknown; empty for none."""
    near = near_misses(name, known)
    return "".join(f"; {other!a} is there and differs in {how}" for other, how in near)


def oddity(name: str) -> str | None:
    """Say what of ``name`` cannot be seen where it is shown, or None."""
    if name != name.strip():
        return "it begins or ends with white space"
    if not name.isprintable() or _visible(name) != _composed(name).replace(" ", ""):
        return "it has characters that cannot be seen"
    return None if name == _composed(name) else "its letters and accents are apart (not Unicode NFC)"


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _visible(text: str) -> str:
    return "".join(c for c in _composed(text) if unicodedata.category(c)[0] not in "ZC")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", _visible(text)).casefold()


def _skeleton(text: str) -> str:
    return _folded(text).translate(_LOOK_ALIKE)
