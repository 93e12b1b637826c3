"""Names that a person could confuse, for error messages only: a similar name is never accepted in place of another.

Key ids and level words are compared byte for byte. A name that differs only in case, in white space, in its Unicode
form or in letters that look alike is another name, and most often a mistake.
"""

import unicodedata
from collections.abc import Iterable
from typing import Final

SHOWN_MAX: Final = 3
"""The most similar names that are shown: a person with more of them needs the whole list, not one line."""

_LOOK_ALIKE: Final = str.maketrans(
    "аеорсухіјѕһԁԛԝкмтвн" + "οανικρτυβ" + "0і1i|" + "‐‑‒–—−",
    "aeopcyxljshdqwkmtbh" + "oavlkptyb" + "ollll" + "------",
)
"""Small letters of Cyrillic and Greek, digits and dashes, mapped to Latin letters and signs that look alike. Capitals
are converted to small letters before."""


def near_misses(name: str, known: Iterable[str]) -> list[tuple[str, str]]:
    """Return the names in ``known`` that a person could take for ``name``, each with the kind of difference."""
    ways = (
        ("its Unicode form", _composed),
        ("white space or invisible characters", _visible),
        ("case or width", _folded),
        ("characters that look alike", _skeleton),
    )
    found = []
    for other in known:
        how = next((how for how, form in ways if form(other) == form(name)), None)
        if how is not None and other != name:
            found.append((other, how))
    return found[:SHOWN_MAX]


def hint(name: str, known: Iterable[str]) -> str:
    """Return text on the known names similar to ``name``, for the end of an error message; empty if there are none."""
    near = near_misses(name, known)
    return "".join(f"; {other!a} is known and differs in {how}" for other, how in near)


def peculiarity(name: str) -> str | None:
    """Return a description of the invisible peculiarity of ``name``, or None."""
    if name != name.strip():
        return "it begins or ends with white space"
    if not name.isprintable() or _visible(name) != _composed(name).replace(" ", ""):
        return "it has invisible characters"
    return None if name == _composed(name) else "its accents are separate characters (not Unicode NFC)"


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _visible(text: str) -> str:
    return "".join(c for c in _composed(text) if unicodedata.category(c)[0] not in "ZC")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", _visible(text)).casefold()


def _skeleton(text: str) -> str:
    return _folded(text).translate(_LOOK_ALIKE)
