"""The claims of a code whose signature is good: its home, its level and its times."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client.offline.claim_places import EXPIRY, ISSUER, NOT_BEFORE, REGION, SOURCE_LABELS, SOURCE_MEMBER
from onecode_client.offline.envelopes import NATIONAL
from onecode_client.offline.faults import Malformed, key_not_valid, malformed, unknown_issuer
from onecode_client.offline.model import NATIONAL_AUTHORITY, ClaimPlaces, Key, Path, TrustList
from onecode_client.offline.region_entries import is_region_code
from onecode_client.offline.text_encodings import from_base64url
from onecode_client.offline.times import SECOND, read_time

IDENTIFIER_BYTES_MAX: Final = 256
PSEUDONYM_BYTES: Final = 16
DIGEST_BYTES: Final = 32
LEVEL_CHARACTERS_MAX: Final = 128
"""The bound on the JSON text of a level that is not text."""
_ABSENT: Final = object()
Tree = Mapping[Any, Any]


class Source(NamedTuple):
    """What a translation was made from; ``key_id`` is empty for an opaque code."""

    region: str
    key_id: bytes
    issued_at: int
    target: str


class Claims(NamedTuple):
    """What a code claims. Times are Unix microseconds."""

    home: str
    level: status_pb2.Level.ValueType
    issued_at: int
    expires_at: int
    not_before: int | None
    source: Source | None


def interpret(key: Key, tree: Tree, trust: TrustList) -> Claims:
    """Return the claims in ``tree``, which ``key`` signed. Raises Malformed, and Finding where no entry of the list
    stands behind them."""
    is_national = key.format == NATIONAL
    if key.is_gateway:
        _expect_issuer(tree, key.region if is_national else None, is_national)
        source = _source(tree, is_national)
        region = trust.regions.get(source.target)
        if region is None or source.region not in trust.regions:
            raise key_not_valid(pb.REASON_SOURCE_KEY_NOT_VALID)
        if region.format != key.format or region.claims is None:
            raise Malformed("the target of a translation has no such codes")
        home = source.region
    else:
        source, region, home = None, trust.regions[key.region], key.region
        if region.claims is None:
            raise Malformed("the region has no claims")
        _expect_issuer(tree, region.claims.issuer, is_national)
    places = region.claims
    # Read in the server's order: the first fault is the reason.
    issued_at, expires_at = _window(tree, places, is_national)
    carries_pseudonym = key.region == NATIONAL_AUTHORITY
    subject = _subject(_required(tree, places.subject), carries_pseudonym=carries_pseudonym)
    word = _level_word(_required(tree, places.level))
    not_before = _registered(NOT_BEFORE[is_national], tree, places)
    if source is not None:
        _expect_pseudonym(subject)
    elif home == NATIONAL_AUTHORITY and is_national and REGION in tree:
        home = _residence(tree[REGION], trust)
    level = region.levels.get(word, status_pb2.LEVEL_UNSPECIFIED)
    return Claims(home, level, issued_at, expires_at, not_before, source)


def _window(tree: Tree, places: ClaimPlaces, is_national: bool) -> tuple[int, int]:
    """Return the times of issue and of the end, the earliest of expiries and lifetimes (RFC 7519, section 4.1.4)."""
    issued_at = _time(_required(tree, places.issued_at), places, "issued_at")
    value = _at(tree, places.expiry) if places.expiry else _ABSENT
    own = None if value is _ABSENT else _time(value, places, "expiry")
    ends = [end for end in (own, _registered(EXPIRY[is_national], tree, places)) if end is not None]
    if own is None and places.valid_for_s is None:
        raise malformed(pb.REASON_CLAIM_MISSING)
    lifetimes_s = (places.code_age_max_s, places.valid_for_s if own is None else None)
    ends += [issued_at + lasts_s * SECOND for lasts_s in lifetimes_s if lasts_s is not None]
    if min(ends) <= issued_at:
        raise Malformed("the code expires before it is issued")
    return issued_at, min(ends)


def _registered(name: str | int, tree: Tree, places: ClaimPlaces) -> int | None:
    """Return one of the format's own times; where the region has a claim there, in the form of that claim."""
    value = tree.get(name, _ABSENT)
    if value is _ABSENT:
        return None
    is_issue = places.issued_at == (name,)
    return _time(value, places, "issued_at" if is_issue else "expiry" if places.expiry == (name,) else "registered")


def _time(value: Any, places: ClaimPlaces, name: str) -> int:
    return read_time(value, places.time_forms.get(name), places.utc_offset_s)


def _at(tree: Any, path: Path) -> Any:
    for step in path:
        if isinstance(tree, dict):
            tree = tree.get(step, _ABSENT)
        elif isinstance(tree, list) and isinstance(step, int) and 0 <= step < len(tree):
            tree = tree[step]
        else:
            return _ABSENT
    return tree


def _required(tree: Tree, path: Path) -> Any:
    value = _at(tree, path)
    if value is _ABSENT:
        raise malformed(pb.REASON_CLAIM_MISSING)
    return value


def _expect_issuer(tree: Tree, issuer: str | None, is_national: bool) -> None:
    if issuer is not None and _required(tree, (ISSUER[is_national],)) != issuer:
        raise unknown_issuer(pb.REASON_ISSUER_MISMATCH)


def _residence(value: Any, trust: TrustList) -> str:
    """Return the home of a bearer of the national code: it vouches for residents of adopters only."""
    if not is_region_code(value):
        raise Malformed("not a region")
    residence = trust.regions.get(value)
    if residence is None or not residence.is_adopter:
        raise unknown_issuer(pb.REASON_RESIDENCE_NOT_ADOPTER)
    return residence.code


def _source(tree: Tree, is_national: bool) -> Source:
    named = tree if is_national else tree.get(SOURCE_MEMBER, _ABSENT)
    names: Mapping[str, str | int] = SOURCE_LABELS if is_national else {name: name for name in SOURCE_LABELS}
    if not isinstance(named, Mapping) or any(name not in named for name in names.values()):
        raise malformed(pb.REASON_CLAIM_MISSING)
    members = {name: named[at] for name, at in names.items()}
    if not is_national:
        members |= {name: _from_text(members[name]) for name in ("key_id", "digest")}
    key_id, digest = members["key_id"], members["digest"]
    if not is_region_code(members["region"]) or not is_region_code(members["target"]):
        raise Malformed("the source or target of a translation is not a region")
    if not isinstance(key_id, bytes) or not isinstance(digest, bytes) or len(digest) != DIGEST_BYTES:
        raise Malformed("the key or digest of a translation's source is wrong")
    return Source(members["region"], key_id, read_time(members["issued_at"]), members["target"])


def _subject(value: Any, *, carries_pseudonym: bool) -> str | bytes:
    """Return an identifier as text, or the pseudonym that a code of the national authority carries."""
    if isinstance(value, bytes):
        fits = len(value) == PSEUDONYM_BYTES if carries_pseudonym else 0 < len(value) <= IDENTIFIER_BYTES_MAX // 2
        if not fits:
            raise Malformed("the subject has another length")
        return value if carries_pseudonym else value.hex()
    is_number = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64
    text = str(value) if is_number or isinstance(value, UUID) else value
    if not isinstance(text, str):
        raise Malformed("the subject is no identifier")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell
        raise Malformed("the subject is not text") from None
    if not 0 < size <= IDENTIFIER_BYTES_MAX:
        raise Malformed("the subject has another length")
    return text


def _expect_pseudonym(subject: str | bytes) -> None:
    if len(subject if isinstance(subject, bytes) else _from_text(subject)) != PSEUDONYM_BYTES:
        raise Malformed("the subject of a translation is not a pseudonym")


def _level_word(value: Any) -> str:
    """Return a level's word: text as it is, anything else as its JSON text."""
    if isinstance(value, str):
        return value
    if _characters(value) > LEVEL_CHARACTERS_MAX:
        raise Malformed("the level is too long")
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):  # bytes, or an infinity
        raise Malformed("the level is nothing that JSON can write") from None


def _characters(value: Any) -> int:
    """Return a bound on the length of a value's JSON text, as the server reckons it."""
    match value:
        case dict():
            return 2 + sum(2 + _characters(name) + _characters(one) for name, one in value.items())
        case list():
            return 2 + sum(1 + _characters(one) for one in value)
        case str():
            return 2 + 6 * len(value)
        case int():
            return 2 + value.bit_length() // 3
    return 24


def _from_text(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Malformed("not base64url text")
    return from_base64url(value.encode(errors="replace"))
