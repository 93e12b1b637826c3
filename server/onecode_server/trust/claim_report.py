"""The claims of a code one by one, for an operator: the path of each claim, its kind, and its fault if it has one.

Each claim is read by the functions that the check uses. An identifier is never shown, only its kind and its length.
"""

from collections.abc import Callable
from typing import NamedTuple

from onecode_server.codes import claims
from onecode_server.codes.codec import CODECS
from onecode_server.codes.kinds import kind_of, size_of
from onecode_server.errors import ClaimFault
from onecode_server.model.status import Level
from onecode_server.model.trust_list import Format, Path, Region
from onecode_server.trust import near_misses
from onecode_server.trust.document import rfc3339


class ClaimSeen(NamedTuple):
    """One claim: its name in the claim map, its path, and a text with its value and kind, or with its fault."""

    claim: str
    place: str
    text: str
    is_fault: bool


def report(tree: claims.Tree, region: Region, fmt: Format, *, carries_pseudonym: bool) -> list[ClaimSeen]:
    """Return the claims of a code by a region's claim map, in the order in which they are read."""
    return _Report(tree, region, fmt, carries_pseudonym=carries_pseudonym).seen


class _Report:
    def __init__(self, tree: claims.Tree, region: Region, fmt: Format, *, carries_pseudonym: bool) -> None:
        self._tree, self._region = tree, region
        self.seen: list[ClaimSeen] = []
        codec, where = CODECS[fmt], claims.of(region)
        self._add("issued_at", where.issued_at, lambda: self._time(claims.read_issued_at(tree, where), where.issued_at))
        if where.expiry is not None and (where.valid_for_s is None or claims.stands_at(tree, where.expiry)):
            self._add("expiry", where.expiry, self._expiry)
        for claim, name, read in (
            ("expiry", codec.EXPIRY, claims.read_registered_expiry),
            ("not_before", codec.NOT_BEFORE, claims.read_not_before),
        ):
            path: Path = (name,)
            if name in tree and path != where.expiry:
                self._add(claim, path, lambda read=read, path=path: self._time(read(tree, where, fmt), path))  # type: ignore[misc]
        self._add("subject", where.subject, lambda: self._subject(carries_pseudonym=carries_pseudonym))
        self._add("level", where.level, self._level)

    def _add(self, claim: str, path: Path, read: Callable[[], str]) -> None:
        try:
            self.seen.append(ClaimSeen(claim, claims.place_of(path), read(), is_fault=False))
        except ClaimFault as fault:
            self.seen.append(ClaimSeen(claim, claims.place_of(path), fault.why, is_fault=True))

    def _time(self, time: int | None, path: Path) -> str:
        kind = kind_of(claims.at(self._tree, path))
        return kind if time is None else f"{rfc3339(time)}, from {kind}"

    def _expiry(self) -> str:
        where = claims.of(self._region)
        path = where.expiry or ()
        claims.required(self._tree, path, "expiry")
        return self._time(claims.read_expiry(self._tree, where), path)

    def _subject(self, *, carries_pseudonym: bool) -> str:
        where = claims.of(self._region)
        subject = claims.read_subject(self._tree, where, carries_pseudonym=carries_pseudonym)
        what = "a pseudonym" if isinstance(subject, bytes) else "an identifier"
        return f"{what}, from {size_of(claims.at(self._tree, where.subject))}; not shown"

    def _level(self) -> str:
        word, levels = claims.read_level(self._tree, claims.of(self._region)), self._region.levels
        level = levels.get(word, Level.UNSPECIFIED)
        if level is Level.UNSPECIFIED:
            return f"{word!a} is no word of the region's levels: UNSPECIFIED{near_misses.hint(word, levels)}"
        return f"{word!r} is {level.name}"
