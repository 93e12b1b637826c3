"""The entries of a trust list, read by the server's rules: an entry that breaks one is left out, and no code of it is
authentic."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from nacl.bindings import crypto_core_ed25519_is_valid_point

from onecode.v1 import status_pb2
from onecode_client.offline.claim_places import read_claim_places
from onecode_client.offline.envelopes import JWT, NATIONAL, OPAQUE, PASETO
from onecode_client.offline.faults import Malformed
from onecode_client.offline.model import NATIONAL_AUTHORITY, Key, Region
from onecode_client.offline.times import read_time

KEY_ID_BYTES_MAX: Final = 255
PREFIX_BYTES_MAX: Final = 32
LEVEL_WORDS_MAX: Final = 1000
NAME_CHARACTERS_MAX: Final = 100
WORD_BYTES_MAX: Final = 4095
"""A longer word, or name of a claim, has no room in a code."""

_MEMBERS: Final = {"code", "name", "format", "adopts_national", "claims", "levels", "prefix", "keys"}
_SIX_DIGITS: Final = re.compile(r"[0-9]{6}\Z")
_PUBLIC_KEY: Final = re.compile(r"[0-9A-Fa-f]{64}\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def is_region_code(value: Any) -> bool:
    """Tell whether a value is six digits (GB/T 2260)."""
    return isinstance(value, str) and _SIX_DIGITS.match(value) is not None


def read_region(entry: Any) -> Region:
    """Return the region of an entry, without keys that are faulty. Raises Malformed."""
    _expect(isinstance(entry, dict) and is_region_code(entry.get("code")) and not entry.keys() - _MEMBERS)
    name = entry.get("name")
    _expect(isinstance(name, str) and 0 < len(name) <= NAME_CHARACTERS_MAX and not _SURROGATE.search(name))
    code, adopts, fmt = entry["code"], entry.get("adopts_national", False), entry.get("format")
    _expect(isinstance(adopts, bool))
    if adopts:
        _expect(code != NATIONAL_AUTHORITY and not entry.keys() & {"claims", "levels", "prefix", "keys"})
        _expect("format" not in entry or fmt == NATIONAL)
        return Region(code, NATIONAL, is_adopter=True)
    if fmt == OPAQUE:
        _expect(not entry.keys() & {"claims", "levels", "keys"})
        return Region(code, OPAQUE, prefix=_prefix(entry.get("prefix")))
    _expect(fmt in (NATIONAL, JWT, PASETO) and "prefix" not in entry)
    claims = read_claim_places(entry.get("claims"), fmt, code)
    region = Region(code, fmt, claims=claims, levels=_levels(entry.get("levels")))
    return replace(region, keys=tuple(_keys(entry.get("keys", []), region)))


def _keys(entries: Any, region: Region) -> list[Key]:
    _expect(isinstance(entries, list))
    keys = []
    for entry in entries:
        try:
            keys.append(_key(entry, region))
        except Malformed:
            continue  # a code that it signed has an unknown key
    return keys


def _key(entry: Any, region: Region) -> Key:
    _expect(isinstance(entry, dict))
    role, state, fmt = entry.get("role", "issuer"), entry.get("state", "active"), region.format
    _expect(role in ("issuer", "gateway") and state in ("active", "retired", "revoked"))
    if role == "gateway":
        fmt = entry.get("format")
        _expect(region.code == NATIONAL_AUTHORITY and fmt in (NATIONAL, JWT, PASETO))
    _expect(entry.get("format", fmt) == fmt)
    public_key = entry.get("public_key")
    _expect(isinstance(public_key, str) and _PUBLIC_KEY.match(public_key))
    point = bytes.fromhex(str(public_key))
    _expect(crypto_core_ed25519_is_valid_point(point))
    times = {name: _time(entry.get(name)) for name in ("retired_at", "not_before", "not_after")}
    _expect((times["retired_at"] is not None) == (state == "retired"))
    begins, ends = times["not_before"], times["not_after"]
    _expect(begins is None or ends is None or begins < ends)
    key_id = _key_id(entry.get("kid"), fmt)
    return Key(region.code, fmt, key_id, point, role == "gateway", state, **times)


def _key_id(value: Any, fmt: str) -> bytes:
    _expect(isinstance(value, str))
    try:
        key_id = bytes.fromhex(value) if fmt == NATIONAL else str(value).encode()
    except ValueError:
        raise Malformed("kid") from None
    _expect(0 < len(key_id) <= KEY_ID_BYTES_MAX)
    return key_id


def _time(value: Any) -> int | None:
    return None if value is None else read_time(value)


def _levels(entry: Any) -> Mapping[str, status_pb2.Level.ValueType]:
    _expect(isinstance(entry, dict) and 0 < len(entry) <= LEVEL_WORDS_MAX)
    for word, value in entry.items():
        _expect(word and not _SURROGATE.search(word) and value in ("GREEN", "YELLOW", "RED"))
        _expect(len(word.encode()) <= WORD_BYTES_MAX)
    return {word: status_pb2.Level.Value(f"LEVEL_{value}") for word, value in entry.items()}


def _prefix(value: Any) -> bytes:
    _expect(isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value)
    _expect(0 < len(value) <= PREFIX_BYTES_MAX and not value.startswith("]"))
    return str(value).encode()


def _expect(holds: object) -> None:
    if not holds:
        raise Malformed("the entry breaks a rule of trust lists")
