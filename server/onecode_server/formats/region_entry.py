"""One region's entry of the trust list: JSON in, a Region out, or one line that says what is wrong with it."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from onecode_server.errors import Malformed
from onecode_server.formats import claims, jwt, national
from onecode_server.formats.bounded_json import KEY_ID_BYTES_MAX
from onecode_server.model.region import NATIONAL, is_region_code
from onecode_server.model.status import Level
from onecode_server.model.trust_list import ClaimMap, Format, IssuerKey, KeyState, Path, Region, Role, Skipped

TRANSLATION: Final = "onecode"
"""The member in which JWT and PASETO translations say what they are. No region may map a claim of its own to it."""

_NAME_CHARACTERS_MAX, _PREFIX_BYTES_MAX = 100, 32
_PUBLIC_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}\Z")  # bytes.fromhex passes over spaces
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PATH_STEPS_MAX: Final = 6  # well under the depth that the decoders allow
_SECONDS_MAX: Final = 100 * 366 * 86_400
_E = TypeVar("_E", Format, Role, KeyState)
_REGION_MEMBERS: Final = {"code", "name", "format", "adopts_national", "claims", "levels", "prefix", "keys"}


def read(entry: Any, key_fault: Callable[[bytes], str | None], skipped: list[Skipped]) -> Region:
    """Return the region that ``entry`` describes, without the keys that are wrong: those are added to ``skipped``.

    Raises Malformed where the region itself is wrong.
    """
    _expect(isinstance(entry, dict), "is not an object")
    code, name = entry.get("code"), entry.get("name")
    _expect(isinstance(code, str) and is_region_code(code), "code is not six digits")
    _expect(_is_text(name) and 0 < len(name) <= _NAME_CHARACTERS_MAX, "name is not 1 to 100 characters")
    _expect(not (unknown := set(entry) - _REGION_MEMBERS), f"unknown member {min(unknown, default='')!r}")
    adopts = entry.get("adopts_national", False)
    _expect(isinstance(adopts, bool), "adopts_national is not true or false")
    if adopts:
        _expect(code != NATIONAL, "the national authority cannot adopt its own code")
        _expect(not entry.keys() & {"claims", "levels", "prefix", "keys"}, "an adopter has no code of its own")
        _expect(entry.get("format", "national") == "national", "an adopter's format is national")
        return Region(code, name, Format.NATIONAL, adopts_national=True)
    fmt = _member(Format, entry.get("format"), "format")
    if fmt is Format.OPAQUE:
        _expect(not entry.keys() & {"claims", "levels", "keys"}, "an opaque code has neither claims nor keys")
        return Region(code, name, fmt, prefix=_prefix(entry.get("prefix")))
    _expect("prefix" not in entry, "only opaque codes have a prefix")
    region = Region(code, name, fmt, claims=_claim_map(entry.get("claims"), fmt), levels=_levels(entry.get("levels")))
    return replace(region, keys=tuple(_keys(entry.get("keys", []), region, key_fault, skipped)))


def with_keys(region: Region, kept: Collection[IssuerKey]) -> Region:
    """Return ``region`` with those of its keys that were kept."""
    return replace(region, keys=tuple(key for key in region.keys if key in kept))


def key_id_bytes(text: str, fmt: Format) -> bytes:
    """Return a key id as the codes carry it: hex in the document for national codes, text for the others.

    Raises Malformed.
    """
    try:
        key_id = bytes.fromhex(text) if fmt is Format.NATIONAL else text.encode()
    except ValueError:
        raise Malformed("kid is not hex" if fmt is Format.NATIONAL else "kid is not text") from None
    _expect(0 < len(key_id) <= KEY_ID_BYTES_MAX, "kid is not 1 to 255 bytes")
    return key_id


def key_id_text(key_id: bytes, fmt: Format) -> str:
    """Return a key id as the document writes it."""
    return key_id.hex() if fmt is Format.NATIONAL else key_id.decode()


def key_name(region: str, fmt: Format, key_id: bytes) -> str:
    """Return how a key is named to people."""
    return f"region {region} key {key_id_text(key_id, fmt)}"


def _keys(
    entries: Any, region: Region, key_fault: Callable[[bytes], str | None], skipped: list[Skipped]
) -> list[IssuerKey]:
    _expect(isinstance(entries, list), "keys is not a list")
    keys = []
    for index, entry in enumerate(entries):
        try:
            keys.append(_key(entry, region, key_fault))
        except Malformed as fault:
            kid = entry.get("kid") if isinstance(entry, dict) else None
            name = kid if isinstance(kid, str) and kid.isprintable() and 0 < len(kid) <= KEY_ID_BYTES_MAX else index
            skipped.append(Skipped(f"region {region.code} key {name}", str(fault)))
    return keys


def _key(entry: Any, region: Region, key_fault: Callable[[bytes], str | None]) -> IssuerKey:
    _expect(isinstance(entry, dict), "is not an object")
    role = _member(Role, entry.get("role", "issuer"), "role")
    state = _member(KeyState, entry.get("state", "active"), "state")
    fmt = region.format
    if role is Role.GATEWAY:
        # The national authority translates into every format, so that its gateway keys say which one they are for.
        _expect(region.code == NATIONAL, "only the national authority has gateway keys")
        fmt = _member(Format, entry.get("format"), "format")
        _expect(fmt is not Format.OPAQUE, "opaque codes have no keys")
    else:
        _expect(entry.get("format", fmt) == fmt, "an issuer key has its region's format")
    kid, public = entry.get("kid"), entry.get("public_key")
    _expect(isinstance(kid, str), "kid is missing")
    _expect(isinstance(public, str) and _PUBLIC_KEY.match(public), "public_key is not 64 hex digits")
    public_key = bytes.fromhex(public)
    if fault := key_fault(public_key):
        raise Malformed(fault)
    retired_at = _time(entry, "retired_at")
    _expect((retired_at is not None) == (state is KeyState.RETIRED), "retired_at goes with the state retired")
    not_before, not_after = _time(entry, "not_before"), _time(entry, "not_after")
    _expect(not_before is None or not_after is None or not_before < not_after, "not_after is not after not_before")
    return IssuerKey(
        region.code, fmt, key_id_bytes(kid, fmt), public_key, role, not_before, not_after, state, retired_at
    )


def _claim_map(entry: Any, fmt: Format) -> ClaimMap:
    _expect(isinstance(entry, dict), "claims is not an object")
    names = {"subject", "level", "issued_at", "expiry", "valid_for_s", "code_age_max_s"}
    _expect(not (unknown := set(entry) - names), f"claims has an unknown member {min(unknown, default='')!r}")
    required = {name: _path(entry.get(name), name, fmt) for name in ("subject", "level", "issued_at")}
    expiry = _path(entry["expiry"], "expiry", fmt) if entry.get("expiry") is not None else None
    valid_for_s, code_age_max_s = _seconds(entry, "valid_for_s"), _seconds(entry, "code_age_max_s")
    _expect(expiry is not None or valid_for_s is not None, "claims has neither expiry nor valid_for_s")
    paths = [*required.values()] + ([expiry] if expiry else [])
    clash = any(one[: len(other)] == other for i, one in enumerate(paths) for j, other in enumerate(paths) if i != j)
    _expect(not clash, "two claims stand at the same place")
    return ClaimMap(**required, expiry=expiry, valid_for_s=valid_for_s, code_age_max_s=code_age_max_s)


def _path(value: Any, name: str, fmt: Format) -> Path:
    steps = value if isinstance(value, list) else [value]
    fits = all((_is_text(step) and step) or (fmt is Format.NATIONAL and _is_label(step)) for step in steps)
    _expect(0 < len(steps) <= _PATH_STEPS_MAX and fits, f"claim {name} is not a name, a CBOR label or a path of them")
    reserved = national.RESERVED if fmt is Format.NATIONAL else {TRANSLATION}
    _expect(steps[0] not in reserved, f"claim {name} stands where translations keep theirs")
    registered = (national.EXPIRY, national.NOT_BEFORE) if fmt is Format.NATIONAL else (jwt.EXPIRY, jwt.NOT_BEFORE)
    taken = steps[0] in registered and (name != "expiry" or steps != [registered[0]])
    _expect(not taken, f"claim {name} stands where the format has its own expiry or beginning")
    return tuple(steps)


def _is_text(value: Any) -> bool:
    """Tell whether ``value`` is text that can be written in UTF-8. JSON can spell lone surrogates, which cannot."""
    return isinstance(value, str) and not _SURROGATE.search(value)


def _is_label(value: Any) -> bool:
    """Tell whether ``value`` is an integer that CBOR writes without a tag (RFC 8949, section 3.1)."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**64) <= value < 2**64


def _levels(entry: Any) -> Mapping[str, Level]:
    _expect(isinstance(entry, dict) and 0 < len(entry) <= 1000, "levels is not an object of 1 to 1,000 words")
    fits = all(word and _is_text(word) and value in ("GREEN", "YELLOW", "RED") for word, value in entry.items())
    _expect(fits, "a level word does not map to GREEN, YELLOW or RED")
    return {word: Level[value] for word, value in entry.items()}


def _prefix(value: Any) -> bytes:
    fits = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    _expect(fits and 0 < len(value) <= _PREFIX_BYTES_MAX, "prefix is not 1 to 32 printable characters")
    _expect(not value.startswith("]"), "prefix begins with ], as what scanners add does")
    return bytes(value, "ascii")


def _seconds(entry: Mapping[str, Any], name: str) -> int | None:
    value = entry.get(name)
    fits = value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _SECONDS_MAX)
    _expect(fits, f"{name} is not a number of seconds up to a hundred years")
    return value


def _time(entry: Mapping[str, Any], name: str) -> int | None:
    value = entry.get(name)
    try:
        return None if value is None else claims.read_time(value)
    except Malformed as fault:
        raise Malformed(f"{name}: {fault}") from None


def _member(kind: type[_E], value: Any, name: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise Malformed(f"{name} is not one of {', '.join(kind)}") from None


def _expect(holds: object, otherwise: str) -> None:
    if not holds:
        raise Malformed(otherwise)
