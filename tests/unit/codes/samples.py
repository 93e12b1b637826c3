"""Claims of each signed format and where they stand, the entries of a small trust list, and the list itself."""

import json
from typing import Any

from nacl.signing import SigningKey

from onecode_server.codes.national import codec as national
from onecode_server.crypto.signing import public_key_fault
from onecode_server.model.trust_list import ClaimMap, Format, TrustList
from onecode_server.trust import document as trust_list

from tests import formats

ISSUED_AT = 1_700_000_000
EXPIRY = 4_000_000_000  # other people's libraries refuse what has expired
Tree = dict[Any, Any]
"""Claims as a format carries them: by name in JSON, by label in CBOR."""
CLAIMS: dict[Format, Tree] = {
    formats.NATIONAL: {1: "420000", 4: EXPIRY, 6: ISSUED_AT, -65537: bytes(16), -65538: "GREEN"},
    formats.JWT: {"sub": "420106190001011234", "level": "green", "iat": ISSUED_AT, "exp": EXPIRY},
    formats.PASETO: {
        "sub": "1",
        "level": "绿码",
        "iat": "2023-11-14T22:13:20+00:00",
        "exp": "2096-10-02T07:06:40+00:00",
    },
}
PLACES = {
    formats.NATIONAL: national.CLAIMS,
    formats.JWT: ClaimMap(subject=("sub",), level=("level",), issued_at=("iat",), expiry=("exp",)),
    formats.PASETO: ClaimMap(subject=("sub",), level=("level",), issued_at=("iat",), expiry=("exp",)),
}

Entry = dict[str, Any]
"""A region of the trust list as JSON has it."""
_JSON_PLACES: dict[str, Any] = {"subject": "sub", "level": ["health", "code"], "issued_at": "iat", "expiry": "exp"}
_LABELS: dict[str, Any] = {"subject": -65537, "level": -65538, "issued_at": 6, "expiry": 4}
_SAME_WORDS = {"GREEN": "GREEN"}
_WORDS = {"绿": "GREEN", "红": "RED"}
NATION: Entry = {"code": "000000", "name": "Nation", "format": "national", "claims": _LABELS, "levels": _SAME_WORDS}
HUBEI: Entry = {"code": "420000", "name": "Hubei", "format": "jwt", "claims": _JSON_PLACES, "levels": _WORDS}
GUANGDONG: Entry = {"code": "440000", "name": "Guangdong", "format": "paseto", "claims": _JSON_PLACES, "levels": _WORDS}
SHANGHAI: Entry = {"code": "310000", "name": "Shanghai", "format": "opaque", "prefix": "SH-"}
TIBET: Entry = {"code": "540000", "name": "Tibet", "adopts_national": True}
DOCUMENT: dict[str, Any] = {
    "version": 7,
    "issued_at": "2024-01-01T00:00:00Z",
    "next_update": "2024-02-01T00:00:00Z",
    "regions": [NATION, HUBEI, GUANGDONG, SHANGHAI, TIBET],
}


def public_key(number: int) -> str:
    """The public key of a key of ours, as the trust list writes it."""
    return bytes(SigningKey(number.to_bytes(32)).verify_key).hex()


def parse(**changes: object) -> TrustList:
    """The list that the document makes with these changes."""
    return trust_list.parse(json.dumps(DOCUMENT | changes).encode(), public_key_fault)


def with_keys(keys: dict[str, list[Any]]) -> TrustList:
    """The list whose regions have these keys, by their codes."""
    regions = [
        entry | ({"keys": keys[entry["code"]]} if entry["code"] in keys else {}) for entry in DOCUMENT["regions"]
    ]
    return parse(regions=regions)
