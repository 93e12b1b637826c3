"""A country whose regions differ in all that a trust list can say of them, and the edits that make its next lists."""

import copy
import random
import secrets
from collections.abc import Callable
from typing import Any, Final

from onecode_server.crypto.signing import Signer
from onecode_server.model.trust_list import Format

from tests import formats
from tests.world import HOUR, NOON, REGIONS, SECOND, World

Document = dict[str, Any]

MORE_REGIONS: Final[dict[str, dict[str, Any]]] = {
    "120000": {
        "format": "national",
        "claims": {"subject": 2, "level": -70002, "issued_at": 6, "expiry": 4},
        "levels": {"0": "GREEN", "1": "YELLOW", "2": "RED"},
    },
    "130000": {
        "format": "national",
        "claims": {"subject": -70003, "level": -70004, "issued_at": 6, "expiry": -70005, "code_age_max_s": 14_400},
        "levels": {"绿": "GREEN", "黄": "YELLOW", "红": "RED", "green": "GREEN"},
    },
    "320000": {
        "format": "jwt",
        "claims": {"subject": "编号", "level": ["健康", "码"], "issued_at": "iat", "expiry": "exp"},
        "levels": {"绿码": "GREEN", "黄码": "YELLOW", "红码": "RED", "a,b": "YELLOW"},
    },
    "330000": {
        "format": "paseto",
        "claims": {"subject": ["p", "id"], "level": "颜色", "issued_at": "iat", "valid_for_s": 14_400},
        "levels": {"绿": "GREEN", "GREEN": "GREEN", "7": "YELLOW", "红": "RED"},
    },
}
TWINS: Final = {"140000": "130000", "340000": "420000", "350000": "440000"}
"""Regions whose codes are built as another's, and mean something else: their levels are the other's, turned round."""


def _turned(entry: dict[str, Any]) -> dict[str, Any]:
    levels = entry["levels"]
    return {**entry, "levels": dict(zip(levels, reversed(levels.values()), strict=True))}


MORE_REGIONS.update({twin: _turned(MORE_REGIONS.get(other) or REGIONS[other]) for twin, other in TWINS.items()})
KEYS: Final[dict[str, dict[str, Any]]] = {
    "own": {},
    "retired": {"state": "retired", "retired_at": (NOON - 2 * HOUR) / SECOND},
    "revoked": {"state": "revoked"},
    "window": {"not_before": (NOON - 4 * HOUR) / SECOND, "not_after": (NOON + 2 * HOUR) / SECOND},
    "future": {"not_before": (NOON + HOUR) / SECOND},
    "past": {"not_after": (NOON - HOUR) / SECOND},
    "绿": {},
}
"""Keys that each region has besides ``k1``, whose id all regions share: what their names say."""
SIGNED: Final = ("000000", "110000", "120000", "130000", "420000", "430000", "320000", "440000", "330000")
ISSUERS: Final = (*SIGNED, "000000", "420000", "440000", "130000")
"""Whose codes are made: each region's, and again of those whose codes are mostly read in columns."""
ADOPTERS: Final = ("540000", "630000")
HOSTS: Final = ("420000", "440000", "000000", "540000", "630000", "310000", "999999")
SUSPENDED: Final = (("440000", "420000"), ("440000", "000000"), ("540000", "110000"), ("420000", "440000"))
"""Pairs of host and home between which an exception is in effect."""


def founded(world: World) -> Document:
    """Add the other regions and keys to a world's document, and return a copy of it."""
    document: Document = world.document
    document["regions"] += [{"code": code, "name": code, "keys": [], **entry} for code, entry in MORE_REGIONS.items()]
    for code in (*SIGNED, *TWINS):
        entry = world.entry(code)
        kids = KEYS if code not in MORE_REGIONS else {"k1": {}, **KEYS}
        entry["keys"] += [_key(world, code, kid, Format(entry["format"]), state) for kid, state in kids.items()]
    return copy.deepcopy(document)


def format_of(region: str) -> Format:
    """Return the format of a region's codes, in the list with which a world begins."""
    return Format((MORE_REGIONS.get(region) or REGIONS[region])["format"])


def kid_of(region: str, kid: str) -> str:
    """Return how a region's key is named in its codes."""
    return kid if kid == "k1" or kid.startswith("gateway") else f"{kid}-{region[:2]}"


def _key(world: World, region: str, kid: str, fmt: Format, state: dict[str, Any]) -> dict[str, Any]:
    signer = world.signers[region, kid] = Signer(secrets.token_bytes(32))
    named = kid_of(region, kid)
    carried = named.encode().hex() if fmt == formats.NATIONAL else named
    return {"kid": carried, "public_key": signer.public_key.hex(), **state}


def edited(base: Document, chance: random.Random) -> Document:
    """Return a document in which one thing to five differ from ``base``."""
    document = copy.deepcopy(base)
    for _ in range(chance.randrange(1, 6)):
        chance.choice(_EDITS)(document, chance)
    return document


def _some(document: Document, chance: random.Random) -> Document:
    """Return the entry of a region that signs its codes."""
    entries = [entry for entry in document["regions"] if entry.get("keys")]
    return chance.choice(entries)


def _change_key(document: Document, chance: random.Random) -> None:
    for key in _some(document, chance)["keys"]:
        if chance.random() < 0.5:
            for name in ("state", "retired_at", "not_before", "not_after"):
                key.pop(name, None)
            states: tuple[Document, ...] = (
                {"state": "revoked"},
                {"state": "retired", "retired_at": (NOON - chance.choice((0, HOUR, 2 * HOUR))) / SECOND},
                {"not_after": NOON / SECOND},
                {"not_before": (NOON - HOUR) / SECOND},
                {},
            )
            key.update(chance.choice(states))


def _swap_kids(document: Document, chance: random.Random) -> None:
    one, other = chance.sample(_some(document, chance)["keys"][:6], 2)
    one["kid"], other["kid"] = other["kid"], one["kid"]


def _remap_levels(document: Document, chance: random.Random) -> None:
    levels = _some(document, chance)["levels"]
    meanings = [*levels.values()]
    chance.shuffle(meanings)
    levels |= dict(zip(levels, meanings, strict=True))


def _forget_word(document: Document, chance: random.Random) -> None:
    entry = _some(document, chance)
    words = [*entry["levels"]]
    entry["levels"] = {word: entry["levels"][word] for word in words if word != words[0]}


def _move_claim(document: Document, chance: random.Random) -> None:
    entry = _some(document, chance)
    claims = entry["claims"] = dict(entry["claims"])
    match chance.randrange(5):
        case 0:
            claims["subject"], claims["level"] = claims["level"], claims["subject"]
        case 1:
            claims["code_age_max_s"] = chance.choice((3599, 3600, 3601, 7200))
        case 2:
            claims["valid_for_s"] = chance.choice((3599, 7200, 86_400))
            claims.pop("expiry", None)
        case 3:
            claims.pop("code_age_max_s", None)
            claims.setdefault("expiry", claims["issued_at"] if chance.random() < 0.1 else "exp")
            if entry["format"] == "national":
                claims["expiry"] = 4
        case _:
            claims["subject"] = -70_001 if entry["format"] == "national" else "more"


def _lose_region(document: Document, chance: random.Random) -> None:
    lost = chance.choice((*ADOPTERS, "110000", "420000", "440000", "310000"))
    document["regions"] = [entry for entry in document["regions"] if entry["code"] != lost]


def _gain_host(document: Document, chance: random.Random) -> None:
    if all(entry["code"] != "999999" for entry in document["regions"]):
        document["regions"].append({"code": "999999", "name": "new", "adopts_national": True})


def _end_adoption(document: Document, chance: random.Random) -> None:
    code = chance.choice(ADOPTERS)
    document["regions"] = [entry for entry in document["regions"] if entry["code"] != code]
    document["regions"].append({"code": code, "name": code, "format": "opaque", "prefix": f"{code}:"})


_EDITS: Final[tuple[Callable[[Document, random.Random], None], ...]] = (
    *(_change_key, _change_key, _swap_kids, _remap_levels, _forget_word, _move_claim),
    *(_lose_region, _gain_host, _end_adoption),
)
