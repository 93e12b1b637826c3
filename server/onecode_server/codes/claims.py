"""Reads and writes claims at the places that a region's trust-list entry names.

The claim names, the level words and the forms of time are the region's own and are not translated.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

from onecode_server.codes import claim_values, times
from onecode_server.codes.codec import CODECS
from onecode_server.codes.kinds import expected
from onecode_server.errors import ClaimFault, ClaimMissing, Malformed
from onecode_server.model.trust_list import ClaimMap, Format, Path, Region
from onecode_server.rules import validity

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
    """Return the claims in ``tree`` at the places that ``where`` names.

    A code ends at the earliest of these times: its ``expiry`` claim, or ``valid_for_s`` after its issue where it has no
    such claim; the format's registered expiry (RFC 7519, section 4.1.4: MUST be processed); ``code_age_max_s`` after
    its issue. ``carries_pseudonym`` is set for codes that the national authority signs.

    Raises ClaimMissing, and ClaimFault for a claim of the wrong kind or range, or an expiry not after the issue.
    """
    issued_at = read_issued_at(tree, where)
    own = read_expiry(tree, where)
    registered = own if where.expiry == (CODECS[fmt].EXPIRY,) else read_registered_expiry(tree, where, fmt)
    ends = [end for end in (own, registered) if end is not None]
    if own is None and where.valid_for_s is None:
        raise _missing(tree, where.expiry or (), "expiry")
    expires_at = validity.expiry(issued_at, ends, where.lifetimes(has_expiry=own is not None))
    if expires_at <= issued_at:
        raise ClaimFault("expiry", "the code expires before it is issued")
    subject = read_subject(tree, where, carries_pseudonym=carries_pseudonym)
    return LocalClaims(subject, read_level(tree, where), issued_at, expires_at, read_not_before(tree, where, fmt))


def write(
    where: ClaimMap, fmt: Format, subject: str | bytes, word: str, issued_at: int, expires_at: int
) -> dict[Any, Any]:
    """Return a tree with these claims at the places that ``where`` names, which ``read`` reads.

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
        _put(tree, path, value, has_arrays=not codec.DATA_MODEL.has_labels)
    return tree


def at(tree: Any, path: Path | None) -> Any:
    """Return the value at ``path``, or a sentinel that differs from every value.

    An integer is a label in a map, and an index in an array.
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
    """Return the value at ``path``. Raises ClaimMissing, which names ``claim``, where there is none."""
    value = at(tree, path)
    if value is _MISSING:
        raise _missing(tree, path, claim)
    return value


def stands_at(tree: Any, path: Path | None) -> bool:
    """Tell whether there is a value at ``path``."""
    return at(tree, path) is not _MISSING


def place_of(path: Path) -> str:
    """Return a path as text for people."""
    return "/".join(map(str, path))


def of(region: Region) -> ClaimMap:
    """Return the places of a region's claims. Raises Malformed for a region that has no signed code of its own."""
    if region.claims is None:
        raise Malformed("the region has no claims")
    return region.claims


def read_issued_at(tree: Tree, where: ClaimMap) -> int:
    """Return the time of issue of a code, in Unix microseconds. Raises ClaimFault."""
    value, forms = required(tree, where.issued_at, "issued_at"), where.times
    return read_claim("issued_at", where.issued_at, times.read_time, value, forms.issued_at, forms.utc_offset_s)


def read_expiry(tree: Tree, where: ClaimMap) -> int | None:
    """Return the region's own expiry in Unix microseconds, or None where there is none. Raises ClaimFault."""
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
    """Return the subject of a code: see ``claim_values.read_subject``. Raises ClaimFault."""
    value = required(tree, where.subject, "subject")
    reader = claim_values.read_subject
    return read_claim("subject", where.subject, reader, value, carries_pseudonym=carries_pseudonym)


def read_level(tree: Tree, where: ClaimMap) -> str:
    """Return a region's level word: see ``claim_values.read_level``. Raises ClaimFault."""
    return read_claim("level", where.level, claim_values.read_level, required(tree, where.level, "level"))


def read_claim(claim: str, path: Path, reader: Callable[_P, _T], *args: _P.args, **how: _P.kwargs) -> _T:
    """Return what ``reader`` makes of a claim's value. Raises ClaimFault, which names the claim."""
    try:
        return reader(*args, **how)
    except Malformed as fault:
        raise ClaimFault(claim, str(fault), place_of(path)) from None


def _read_registered(claim: str, name: str | int, tree: Tree, where: ClaimMap) -> int | None:
    """Return one of the format's registered times; where the region maps a claim to that place, in the form of that
    claim."""
    value, forms = tree.get(name, _MISSING), where.times
    if value is _MISSING:
        return None
    mapped = {where.expiry: forms.expiry, where.issued_at: forms.issued_at}
    form = mapped.get((name,), forms.registered)
    return read_claim(claim, (name,), times.read_time, value, form, forms.utc_offset_s)


def _missing(tree: Any, path: Path, claim: str) -> ClaimMissing:
    """Return a fault that tells where the path to a claim ends. It shows names of the trust list, and of the code only
    the kind of a value."""
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
