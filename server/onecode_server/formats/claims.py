"""Claims: reading them where a region's trust-list entry says they stand, and writing them there.

The claim names, the level words and the kinds of time are the region's own and stay as they are.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from onecode_server.errors import ClaimMissing, Malformed
from onecode_server.formats import CODECS
from onecode_server.model.region import is_region_code
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX
from onecode_server.model.trust_list import ClaimMap, Format, Path, Region

MICROSECONDS: Final = 1_000_000
TIME_MAX: Final = 253_402_300_800 * MICROSECONDS
"""The end of the year 9999, where RFC 3339 and protobuf's Timestamp end too."""

Tree = Mapping[Any, Any]
"""Decoded claims: names or CBOR labels to values."""

LEVEL_CHARACTERS_MAX: Final = 128
"""Of the JSON text of a level that is not a string. No region's word is longer."""

_TIME_CHARACTERS_MAX: Final = 64
_MISSING: Final = object()


class LocalClaims(NamedTuple):
    """A region's claims in its own terms. ``subject`` is bytes where the code carries the pseudonym itself. Times are
    Unix microseconds."""

    subject: str | bytes
    level_word: str
    issued_at: int
    expires_at: int
    not_before: int | None


def read(tree: Tree, where: ClaimMap, fmt: Format) -> LocalClaims:
    """Return the claims that stand in ``tree`` at the places that ``where`` names.

    The earliest of these ends a code: its ``expiry`` claim, or ``valid_for_s`` after its issue where it has none; the
    format's registered expiry (RFC 7519, section 4.1.4: MUST be processed); ``code_age_max_s`` after its issue.

    Raises ClaimMissing, and Malformed for a claim of the wrong type or range, or an expiry that is not after the issue.
    """
    codec = CODECS[fmt]
    issued_at = read_time(required(tree, where.issued_at))
    ends = [read_time(end) for end in (at(tree, where.expiry), tree.get(codec.EXPIRY, _MISSING)) if end is not _MISSING]
    if at(tree, where.expiry) is _MISSING:
        if where.valid_for_s is None:
            raise ClaimMissing("expiry is missing")
        ends.append(issued_at + where.valid_for_s * MICROSECONDS)
    if where.code_age_max_s is not None:
        ends.append(issued_at + where.code_age_max_s * MICROSECONDS)
    if min(ends) <= issued_at:
        raise Malformed("expires before it is issued")
    not_before = tree.get(codec.NOT_BEFORE, _MISSING)
    return LocalClaims(
        read_subject(required(tree, where.subject), fmt),
        read_level(required(tree, where.level)),
        issued_at,
        min(ends),
        None if not_before is _MISSING else read_time(not_before),
    )


def write(
    where: ClaimMap, fmt: Format, subject: str | bytes, word: str, issued_at: int, expires_at: int
) -> dict[Any, Any]:
    """Return the tree in which these claims stand at the places that ``where`` names: what ``read`` reads back.

    A region that carries no expiry of its own gets the format's registered one.
    """
    tree: dict[Any, Any] = {}
    places = (
        (where.subject, subject),
        (where.level, word),
        (where.issued_at, write_time(issued_at, fmt)),
        (where.expiry or (CODECS[fmt].EXPIRY,), write_time(expires_at, fmt)),
    )
    for path, value in places:
        _put(tree, path, value)
    return tree


def at(tree: Any, path: Path | None) -> Any:
    """Return what stands at ``path``, or a sentinel that is nothing else's value."""
    for step in path or (_MISSING,):
        if not isinstance(tree, dict) or step not in tree:
            return _MISSING
        tree = tree[step]
    return tree


def required(tree: Any, path: Path) -> Any:
    """Return what stands at ``path``. Raises ClaimMissing where nothing does."""
    value = at(tree, path)
    if value is _MISSING:
        raise ClaimMissing(f"{'/'.join(map(str, path))} is missing")
    return value


def of(region: Region) -> ClaimMap:
    """Return where a region's claims stand. Raises Malformed for a region that has no signed code of its own."""
    if region.claims is None:
        raise Malformed("the region has no claims")
    return region.claims


def read_region(value: Any) -> str:
    """Return a claim that names a region. Raises Malformed."""
    if not isinstance(value, str) or not is_region_code(value):
        raise Malformed("region has the wrong type")
    return value


def read_time(value: Any) -> int:
    """Return a claim's time in Unix microseconds: seconds since 1970 (whole or not), or RFC 3339 text.

    One liberty more is taken with text than RFC 3339 takes: an offset without its colon (``+0800``), as many regions'
    libraries write it. A leap second is refused, since Unix time has none. Raises Malformed for anything else, and for
    times before 1970 or after 9999.
    """
    if isinstance(value, str):
        if len(value) > _TIME_CHARACTERS_MAX or not _RFC_3339.match(value):
            raise Malformed("time is not RFC 3339")
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError:  # no such day, hour or offset
            raise Malformed("time is not RFC 3339") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Malformed("time has no offset")
        time = (value - _EPOCH) // _MICROSECOND  # a float of seconds is not exact so far out
        if not 0 <= time < TIME_MAX:
            raise Malformed("time is out of range")
        return time
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed("time has the wrong type")
    # Compared before it is multiplied: neither an infinity nor an integer of a thousand digits gets further.
    if not 0 <= value < TIME_MAX // MICROSECONDS:
        raise Malformed("time is out of range")
    return round(value * MICROSECONDS)


def write_time(time: int, fmt: Format) -> int | float | str:
    """Return ``time`` (Unix microseconds) as the format's registered claims write it."""
    if CODECS[fmt].TIMES_ARE_TEXT:  # RFC 3339
        return datetime.fromtimestamp(time / MICROSECONDS, UTC).isoformat()
    whole, rest = divmod(time, MICROSECONDS)
    return time / MICROSECONDS if rest else whole


def read_subject(value: Any, fmt: Format) -> str | bytes:
    """Return a region's local identifier, or the pseudonym (16 bytes) that a national code carries.

    A number counts as its decimal text. Raises Malformed.
    """
    if isinstance(value, bytes) and fmt is Format.NATIONAL and len(value) == SUBJECT_BYTES:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64:
        value = str(value)
    if not isinstance(value, str):
        raise Malformed("subject has the wrong type")
    try:
        if not value or len(value[: LOCAL_ID_BYTES_MAX + 1].encode()) > LOCAL_ID_BYTES_MAX:
            raise Malformed("subject has the wrong length")
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell
        raise Malformed("subject is not text") from None
    return value


def read_level(value: Any) -> str:
    """Return a region's level word: text as it is, anything else by its JSON text. Raises Malformed."""
    if isinstance(value, str):
        return value
    if _characters(value) > LEVEL_CHARACTERS_MAX:
        raise Malformed("level is too long")
    try:
        return _JSON.encode(value)
    except (TypeError, ValueError):  # bytes, a date, an infinity
        raise Malformed("level has the wrong type") from None


def _characters(value: Any) -> int:
    """Return, from above, how long the JSON text of ``value`` is, without making it."""
    if isinstance(value, dict):
        return 2 + sum(2 + _characters(name) + _characters(member) for name, member in value.items())
    if isinstance(value, list):
        return 2 + sum(1 + _characters(member) for member in value)
    if isinstance(value, str):
        return 2 + 6 * len(value)
    return 2 + value.bit_length() // 3 if isinstance(value, int) else 24


def _put(tree: dict[Any, Any], path: Path, value: Any) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
    tree[path[-1]] = value


_JSON: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Section 5.6, with the hours, which Python's versions do not agree upon; days of months are fromisoformat's to know.
_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])\Z"
)
