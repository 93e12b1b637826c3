"""A trust list means without a server what it means to the server: the same regions, claims, words, prefixes and keys,
also where entries break rules, of which documents are made at random."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from onecode_client.offline import TrustListUnusable
from onecode_client.offline import model as offline
from onecode_client.offline.signed_list import read_signed_list
from onecode_server.codes.encodings import base64url
from onecode_server.crypto.signing import public_key_fault
from onecode_server.errors import TrustListRefused
from onecode_server.model import trust_list as server
from onecode_server.trust import document

from tests.world import World

DOCUMENTS = 400
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 4, 5, 256, 2**64, 1.5, "", " ", "x", "\ud800", "x" * 5000, [], {}, [1], {"a": 1}),
    *("000000", "420000", "national", "jwt", "paseto", "opaque", "active", "retired", "revoked", "gateway", "issuer"),
    *("iss", "exp", "nbf", "iat", "sub", "onecode", ["who", "id"], ["who", 3], ["a", 200], ["b", 200], [0]),
    *("ms", "s_text", "local", {"expiry": "ms"}, {"issued_at": "rfc3339"}, "+08:00", "+24:00", ["exp", 1]),
    *("SH", "SH-1", "NC1:", "]x", "2026-01-01T00:00:00Z", 1_800_000_000, "ab", "AB" * 32, "00" * 32, "GREEN"),
    *(-65539, -70001, [-70001, "l"]),
)
NAMES = (
    *("code", "name", "format", "adopts_national", "claims", "levels", "prefix", "keys", "kid", "public_key", "state"),
    *("retired_at", "not_before", "not_after", "role", "subject", "level", "issued_at", "expiry", "valid_for_s"),
    *("code_age_max_s", "time_format", "utc_offset", "issuer", "unheard_of"),
)


async def test_documents_with_odd_members_are_read_alike(world: World) -> None:
    base = world.document | {"version": 7, "issued_at": 1_800_000_000, "next_update": 1_800_086_400}
    chance = random.Random("documents")
    refused = skipped = 0
    for _ in range(DOCUMENTS):
        changed = _changed(base, chance)
        signed = _signed(changed, world.root.sign)
        try:
            expected = document.parse(document.take_apart(signed).payload, public_key_fault)
        except TrustListRefused:
            refused += 1
            with pytest.raises(TrustListUnusable):
                read_signed_list(signed, world.root.public_key)
            continue
        skipped += bool(expected.skipped)
        assert _offline(read_signed_list(signed, world.root.public_key)) == _servers(expected), json.dumps(changed)
    assert refused > 3
    assert skipped > DOCUMENTS // 3


def _signed(content: dict[str, Any], sign: Callable[[bytes], bytes]) -> bytes:
    """Return a signed list in ASCII, where a lone surrogate can be written as an escape."""
    header = base64url.encode(b'{"alg":"EdDSA","typ":"onecode-trust-list+jws"}')
    message = header + b"." + base64url.encode(json.dumps(content).encode())
    return message + b"." + base64url.encode(sign(message))


def _changed(base: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a copy in which one place to three differ."""
    changed = copy.deepcopy(base)
    for _ in range(chance.randint(1, 3)):
        place: Any = changed if chance.random() < 0.15 else chance.choice(changed["regions"] or [changed])
        for _ in range(chance.randrange(4)):
            members = place.values() if isinstance(place, dict) else place if isinstance(place, list) else ()
            inner = [one for one in members if isinstance(one, dict | list)]
            place = chance.choice(inner) if inner else place
        if isinstance(place, dict | list):
            _change(place, chance)
        if not isinstance(changed.get("regions"), list):
            break
    return changed


def _change(place: Any, chance: random.Random) -> None:
    value = copy.deepcopy(chance.choice(ODD))
    if isinstance(place, list):
        if place and chance.random() < 0.7:
            at = chance.randrange(len(place))
            place[at] = chance.choice((value, copy.deepcopy(chance.choice(place))))
        else:
            place.append(value)
    elif place and chance.random() < 0.25:
        del place[chance.choice(list(place))]
    else:
        place[chance.choice((*place, *place, *NAMES))] = value


def _offline(trust: offline.TrustList) -> Any:
    regions = {
        code: (
            *(one.format, one.is_adopter, one.prefix, {word: int(level) for word, level in one.levels.items()}),
            one.claims and _claims(one.claims),
        )
        for code, one in trust.regions.items()
    }
    keys = {
        name: [(key.region, key.public_key, key.is_gateway, *_window(key)) for key in found]
        for name, found in trust.candidates.items()
    }
    return trust.version, trust.issued_at, trust.next_update, trust.digest, regions, keys


def _claims(one: offline.ClaimPlaces) -> Any:
    forms = tuple(one.time_forms.get(name) for name in ("issued_at", "expiry", "registered"))
    lifetimes = (one.valid_for_s, one.code_age_max_s)
    return one.subject, one.level, one.issued_at, one.expiry, lifetimes, one.issuer, forms, one.utc_offset_s


def _servers(trust: server.TrustList) -> Any:
    regions = {
        code: (
            *(one.format, one.adopts_national, one.prefix, {word: int(level) for word, level in one.levels.items()}),
            one.claims and _servers_claims(one.claims),
        )
        for code, one in trust.regions.items()
    }
    keys = {
        name: [(key.region, key.public_key, key.role is server.Role.GATEWAY, *_window(key)) for key in found]
        for name, found in trust.candidates.items()
    }
    return trust.version, trust.issued_at, trust.next_update, trust.digest.hex(), regions, keys


def _servers_claims(one: server.ClaimMap) -> Any:
    *forms, offset_s = one.times
    lifetimes = (one.valid_for_s, one.code_age_max_s)
    return one.subject, one.level, one.issued_at, one.expiry, lifetimes, one.issuer, tuple(forms), offset_s


def _window(key: Any) -> Any:
    return str(key.state), key.retired_at, key.not_before, key.not_after
