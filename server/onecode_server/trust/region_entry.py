"""One region's entry of the trust list: parsed from JSON to a Region, or refused with one line that names the fault."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from onecode_server.codes.codec import CODECS, FORMATS
from onecode_server.codes.encodings.bounded_json import KEY_ID_BYTES_MAX
from onecode_server.codes.national import codec as national
from onecode_server.codes.times import read_time
from onecode_server.errors import Malformed
from onecode_server.model.code import CODE_BYTES_MAX
from onecode_server.model.region import NATIONAL, is_region_code
from onecode_server.model.status import Level
from onecode_server.model.trust_list import OPAQUE, Format, IssuerKey, KeyState, Region, Role, Skipped
from onecode_server.trust import claim_map
from onecode_server.trust.json_document import expect, expect_members, is_text

_NAME_CHARACTERS_MAX, _PREFIX_BYTES_MAX = 100, 32
_PUBLIC_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}\Z")  # bytes.fromhex alone would ignore spaces
_E = TypeVar("_E", Role, KeyState)
_REGION_MEMBERS: Final = {"code", "name", "format", "adopts_national", "claims", "levels", "prefix", "keys"}


def read(entry: Any, key_fault: Callable[[bytes], str | None], skipped: list[Skipped]) -> Region:
    """Return the region that ``entry`` describes, without faulty keys, which are added to ``skipped``.

    Raises Malformed if the region itself is faulty.
    """
    expect(isinstance(entry, dict), "is not an object")
    code, name = entry.get("code"), entry.get("name")
    expect(isinstance(code, str) and is_region_code(code), "code is not six digits")
    expect(is_text(name) and 0 < len(name) <= _NAME_CHARACTERS_MAX, "name is not 1 to 100 characters")
    expect_members(entry, _REGION_MEMBERS, "the region")
    adopts = entry.get("adopts_national", False)
    expect(isinstance(adopts, bool), "adopts_national is not true or false")
    if adopts:
        expect(code != NATIONAL, "the national authority cannot adopt its own code")
        expect(not entry.keys() & {"claims", "levels", "prefix", "keys"}, "an adopter has no code of its own")
        expect(entry.get("format", national.FORMAT) == national.FORMAT, "an adopter's format is national")
        return Region(code, name, national.FORMAT, adopts_national=True)
    fmt = _format(entry.get("format"))
    if fmt == OPAQUE:
        expect(not entry.keys() & {"claims", "levels", "keys"}, "an opaque code has neither claims nor keys")
        return Region(code, name, fmt, prefix=_prefix(entry.get("prefix")))
    expect("prefix" not in entry, "only opaque codes have a prefix")
    where = claim_map.read(entry.get("claims"), fmt, code)
    region = Region(code, name, fmt, claims=where, levels=_levels(entry.get("levels")))
    return replace(region, keys=tuple(_keys(entry.get("keys", []), region, key_fault, skipped)))


def with_keys(region: Region, kept: Collection[IssuerKey]) -> Region:
    """Return ``region`` with only those of its keys that are in ``kept``."""
    return replace(region, keys=tuple(key for key in region.keys if key in kept))


def key_id_bytes(text: str, fmt: Format) -> bytes:
    """Return a key id as the codes carry it; the document has hex or text, as the format's data model says.

    Raises Malformed.
    """
    key_id = CODECS[fmt].DATA_MODEL.key_id_bytes(text)
    expect(0 < len(key_id) <= KEY_ID_BYTES_MAX, "kid is not 1 to 255 bytes")
    return key_id


def key_id_text(key_id: bytes, fmt: Format) -> str:
    """Return a key id as the document writes it."""
    return CODECS[fmt].DATA_MODEL.key_id_text(key_id)


def key_name(region: str, fmt: Format, key_id: bytes) -> str:
    """Return the name of a key in messages to people."""
    return f"region {region} key {key_id_text(key_id, fmt)}"


def _keys(
    entries: Any, region: Region, key_fault: Callable[[bytes], str | None], skipped: list[Skipped]
) -> list[IssuerKey]:
    expect(isinstance(entries, list), "keys is not a list")
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
    expect(isinstance(entry, dict), "is not an object")
    role = _member(Role, entry.get("role", "issuer"), "role")
    state = _member(KeyState, entry.get("state", "active"), "state")
    fmt = region.format
    if role is Role.GATEWAY:
        # The national authority translates into every format, so each of its gateway keys names its format.
        expect(region.code == NATIONAL, "only the national authority has gateway keys")
        fmt = _format(entry.get("format"))
        expect(fmt != OPAQUE, "opaque codes have no keys")
    else:
        expect(entry.get("format", fmt) == fmt, "an issuer key has its region's format")
    kid, public = entry.get("kid"), entry.get("public_key")
    expect(isinstance(kid, str), "kid is missing")
    expect(isinstance(public, str) and _PUBLIC_KEY.match(public), "public_key is not 64 hex digits")
    public_key = bytes.fromhex(public)
    if fault := key_fault(public_key):
        raise Malformed(fault)
    retired_at = _time(entry, "retired_at")
    expect((retired_at is not None) == (state is KeyState.RETIRED), "retired_at goes with the state retired")
    not_before, not_after = _time(entry, "not_before"), _time(entry, "not_after")
    expect(not_before is None or not_after is None or not_before < not_after, "not_after is not after not_before")
    return IssuerKey(
        region.code, fmt, key_id_bytes(kid, fmt), public_key, role, not_before, not_after, state, retired_at
    )


def _levels(entry: Any) -> Mapping[str, Level]:
    expect(isinstance(entry, dict) and 0 < len(entry) <= 1000, "levels is not an object of 1 to 1,000 words")
    fits = all(word and is_text(word) and value in ("GREEN", "YELLOW", "RED") for word, value in entry.items())
    expect(fits, "a level word does not map to GREEN, YELLOW or RED")
    is_short = all(len(word.encode()) < CODE_BYTES_MAX for word in entry)
    expect(is_short, "a level word is longer than any code has room for")
    return {word: Level[value] for word, value in entry.items()}


def _prefix(value: Any) -> bytes:
    fits = isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value
    expect(fits and 0 < len(value) <= _PREFIX_BYTES_MAX, "prefix is not 1 to 32 printable characters")
    expect(not value.startswith("]"), "prefix begins with ], as what scanners add does")
    return bytes(value, "ascii")


def _time(entry: Mapping[str, Any], name: str) -> int | None:
    value = entry.get(name)
    try:
        return None if value is None else read_time(value)
    except Malformed as fault:
        raise Malformed(f"{name}: {fault}") from None


def _format(value: Any) -> Format:
    expect(value in FORMATS, f"format is not one of {', '.join(FORMATS)}")
    return Format(value)


def _member(kind: type[_E], value: Any, name: str) -> _E:
    try:
        return kind(value)
    except ValueError:
        raise Malformed(f"{name} is not one of {', '.join(kind)}") from None
