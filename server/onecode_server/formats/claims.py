"""Claims: reading them where a region's trust-list entry says they stand, and writing them there.

The claim names, the level words and the kinds of time are the region's own and stay as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from onecode_server.errors import ClaimFault, ClaimMissing, Malformed
from onecode_server.formats import CODECS, claim_values, times
from onecode_server.formats.kinds import expected
from onecode_server.model.trust_list import ClaimMap, Format, Path, Region

Tree = Mapping[Any, Any]
"""Decoded claims: names or CBOR labels to values."""

_MISSING: Final = object()
_P = ParamSpec("_P")
_T = TypeVar("_T")


class LocalClaims(NamedTuple):
    """A region's claims in its own terms. ``subject`` is bytes where the code carries the pseudonym itself. Times are
    Unix microseconds."""

    subject: str | bytes
    level_word: str
    issued_at: int
    expires_at: int
    not_before: int | None


def read(tree: Tree, where: ClaimMap, fmt: Format, *, carries_pseudonym: bool = False) -> LocalClaims:
    """Return the claims that stand in ``tree`` at the places that ``where`` names.

    The earliest of these ends a code: its ``expiry`` claim, or ``valid_for_s`` after its issue where it has none; the
    format's registered expiry (RFC 7519, section 4.1.4: MUST be processed); ``code_age_max_s`` after its issue.
    ``carries_pseudonym`` is for what the national authority signs.

    Raises ClaimMissing, and ClaimFault for a claim of the wrong kind or range, or an expiry not after the issue.
    """
    issued_at = read_issued_at(tree, where)
    own = read_expiry(tree, where)
    registered = own if where.expiry == (CODECS[fmt].EXPIRY,) else read_registered_expiry(tree, where, fmt)
    ends = [end for end in (own, registered) if end is not None]
    if own is None:
        if where.valid_for_s is None:
            raise _missing(tree, where.expiry or (), "expiry")
        ends.append(issued_at + where.valid_for_s * times.MICROSECONDS)
    if where.code_age_max_s is not None:
        ends.append(issued_at + where.code_age_max_s * times.MICROSECONDS)
    if min(ends) <= issued_at:
        raise ClaimFault("expiry", "the code expires before it is issued")
    subject = read_subject(tree, where, carries_pseudonym=carries_pseudonym)
    return LocalClaims(subject, read_level(tree, where), issued_at, min(ends), read_not_before(tree, where, fmt))


def write(
    where: ClaimMap, fmt: Format, subject: str | bytes, word: str, issued_at: int, expires_at: int
) -> dict[Any, Any]:
    """Return the tree in which these claims stand at the places that ``where`` names: what ``read`` reads back.

    A region that carries no expiry of its own gets the format's registered one. In JSON an integer step makes an array,
    padded with null up to it; in CBOR it is a map's label.
    """
    codec, forms = CODECS[fmt], where.times
    expiry_form = forms.expiry if where.expiry else forms.registered

    def text_of(time: int, form: Any) -> Any:
        return times.write_time(time, form, forms.utc_offset_s, as_text=codec.TIMES_ARE_TEXT)

    tree: dict[Any, Any] = {}
    places = (
        (where.subject, subject),
        (where.level, word),
        (where.issued_at, text_of(issued_at, forms.issued_at)),
        (where.expiry or (codec.EXPIRY,), text_of(expires_at, expiry_form)),
    )
    for path, value in places:
        _put(tree, path, value, has_arrays=fmt is not Format.NATIONAL)
    return tree


def lasts_at_most(where: ClaimMap) -> int | None:
    """Return after how many microseconds a code ends that ``write`` makes, whatever its expiry says, or None."""
    bounds = (where.code_age_max_s, where.valid_for_s if where.expiry is None else None)
    return min((bound * times.MICROSECONDS for bound in bounds if bound is not None), default=None)


def at(tree: Any, path: Path | None) -> Any:
    """Return what stands at ``path``, or a sentinel that is nothing else's value.

    An integer is a label where a map stands, and an index where an array does.
    """
    for step in path or (_MISSING,):
        if isinstance(tree, dict):
            if step not in tree:
                return _MISSING
        elif not isinstance(tree, list) or not isinstance(step, int) or not 0 <= step < len(tree):
            return _MISSING
        tree = tree[step]
    return tree


def required(tree: Any, path: Path, claim: str) -> Any:
    """Return what stands at ``path``. Raises ClaimMissing, which names ``claim``, where nothing does."""
    value = at(tree, path)
    if value is _MISSING:
        raise _missing(tree, path, claim)
    return value


def stands_at(tree: Any, path: Path | None) -> bool:
    """Tell whether something stands at ``path``."""
    return at(tree, path) is not _MISSING


def place_of(path: Path) -> str:
    """Return how a path is shown to people."""
    return "/".join(map(str, path))


def of(region: Region) -> ClaimMap:
    """Return where a region's claims stand. Raises Malformed for a region that has no signed code of its own."""
    if region.claims is None:
        raise Malformed("the region has no claims")
    return region.claims


def read_issued_at(tree: Tree, where: ClaimMap) -> int:
    """Return when a code was issued, in Unix microseconds. Raises ClaimFault."""
    value, forms = required(tree, where.issued_at, "issued_at"), where.times
    return read_claim("issued_at", where.issued_at, times.read_time, value, forms.issued_at, forms.utc_offset_s)


def read_expiry(tree: Tree, where: ClaimMap) -> int | None:
    """Return the region's own expiry in Unix microseconds, or None where it is not there. Raises ClaimFault."""
    value, path, forms = at(tree, where.expiry), where.expiry, where.times
    if path is None or value is _MISSING:
        return None
    return read_claim("expiry", path, times.read_time, value, forms.expiry, forms.utc_offset_s)


def read_registered_expiry(tree: Tree, where: ClaimMap, fmt: Format) -> int | None:
    """Return the format's registered expiry in Unix microseconds, or None where there is none. Raises ClaimFault."""
    return _read_registered("expiry", CODECS[fmt].EXPIRY, tree, where)


def read_not_before(tree: Tree, where: ClaimMap, fmt: Format) -> int | None:
    """Return the format's registered beginning in Unix microseconds, or None where there is none. Raises ClaimFault."""
    return _read_registered("not_before", CODECS[fmt].NOT_BEFORE, tree, where)


def read_subject(tree: Tree, where: ClaimMap, *, carries_pseudonym: bool) -> str | bytes:
    """Return whom a code speaks of: see ``claim_values.read_subject``. Raises ClaimFault."""
    value = required(tree, where.subject, "subject")
    reader = claim_values.read_subject
    return read_claim("subject", where.subject, reader, value, carries_pseudonym=carries_pseudonym)


def read_level(tree: Tree, where: ClaimMap) -> str:
    """Return a region's level word: see ``claim_values.read_level``. Raises ClaimFault."""
    return read_claim("level", where.level, claim_values.read_level, required(tree, where.level, "level"))


def read_claim(claim: str, path: Path, reader: Callable[_P, _T], *args: _P.args, **how: _P.kwargs) -> _T:
    """Return what ``reader`` makes of a claim's value. Raises ClaimFault, which says which claim it is."""
    try:
        return reader(*args, **how)
    except Malformed as fault:
        raise ClaimFault(claim, str(fault), place_of(path)) from None


def _read_registered(claim: str, name: str | int, tree: Tree, where: ClaimMap) -> int | None:
    """Return one of the format's registered times; where a claim of the region stands there, in that claim's form."""
    value, forms = tree.get(name, _MISSING), where.times
    if value is _MISSING:
        return None
    mapped = {where.expiry: forms.expiry, where.issued_at: forms.issued_at}
    form = mapped.get((name,), forms.registered)
    return read_claim(claim, (name,), times.read_time, value, form, forms.utc_offset_s)


def _missing(tree: Any, path: Path, claim: str) -> ClaimMissing:
    """Say where the way to a claim ends: its names are the trust list's, and of the code a kind is shown."""
    for length in range(1, len(path)):
        inner = at(tree, path[:length])
        if inner is _MISSING:
            return ClaimMissing(claim, f"`{place_of(path[:length])}` is missing", place_of(path))
        if not isinstance(inner, dict | list):
            why = f"`{place_of(path[:length])}`: {expected('an object or an array', inner)}"
            return ClaimMissing(claim, why, place_of(path))
    return ClaimMissing(claim, "is missing", place_of(path))


def _put(tree: Any, path: Path, value: Any, *, has_arrays: bool) -> None:
    step = path[0]
    if isinstance(tree, list) and isinstance(step, int):
        tree.extend([None] * (step + 1 - len(tree)))
    if len(path) == 1:
        tree[step] = value
        return
    inner = at(tree, (step,))
    if inner is _MISSING or inner is None:
        inner = tree[step] = [] if has_arrays and isinstance(path[1], int) else {}
    _put(inner, path[1:], value, has_arrays=has_arrays)
