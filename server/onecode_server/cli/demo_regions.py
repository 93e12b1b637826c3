"""The regions of ``init --demo``: all 34 of GB/T 2260, each with a code of its own.

The assignment of formats to regions is invented; that names, words and formats differ between them is not.
"""

from typing import Any, Final

from onecode_server.model.region import PROVINCES

_COLOURS: Final = {"green": "GREEN", "yellow": "YELLOW", "red": "RED"}
_CHINESE: Final = {"绿码": "GREEN", "黄码": "YELLOW", "红码": "RED"}
_NUMBERS: Final = {"0": "GREEN", "1": "YELLOW", "2": "RED"}
_RISK: Final = {"low": "GREEN", "medium": "YELLOW", "high": "RED"}

_STYLES: Final[dict[str, dict[str, Any]]] = {
    "jwt, registered names": {
        "format": "jwt",
        "claims": {"subject": "sub", "level": "color", "issued_at": "iat", "expiry": "exp"},
        "levels": _COLOURS,
    },
    "jwt, nested": {
        "format": "jwt",
        "claims": {
            "subject": ["holder", "id"],
            "level": ["health", "code"],
            "issued_at": "iat",
            "valid_for_s": 86_400,
            "code_age_max_s": 7 * 86_400,
        },
        "levels": _CHINESE,
    },
    "jwt, risk": {
        "format": "jwt",
        "claims": {"subject": "user_no", "level": "risk", "issued_at": "made_at", "expiry": "valid_until"},
        "levels": _RISK,
    },
    "paseto, colours": {
        "format": "paseto",
        "claims": {"subject": "sub", "level": "status", "issued_at": "iat", "expiry": "exp"},
        "levels": _COLOURS,
    },
    "paseto, Chinese": {
        "format": "paseto",
        "claims": {"subject": ["data", "zjhm"], "level": ["data", "mzt"], "issued_at": "iat", "expiry": "exp"},
        "levels": _CHINESE,
    },
    "national layout": {
        "format": "national",
        "claims": {"subject": -65537, "level": -65538, "issued_at": 6, "expiry": 4},
        "levels": {"GREEN": "GREEN", "YELLOW": "YELLOW", "RED": "RED"},
    },
    "national layout, own labels": {
        "format": "national",
        "claims": {"subject": 2, "level": -70001, "issued_at": 6, "expiry": 4},
        "levels": _NUMBERS,
    },
    "opaque": {"format": "opaque"},
    "adopter": {"adopts_national": True},
}

_STYLE_OF: Final = {
    "110000": "national layout",
    "120000": "national layout",
    "130000": "jwt, registered names",
    "140000": "jwt, registered names",
    "150000": "national layout, own labels",
    "210000": "jwt, risk",
    "220000": "jwt, risk",
    "230000": "national layout, own labels",
    "310000": "opaque",
    "320000": "jwt, registered names",
    "330000": "jwt, nested",
    "340000": "paseto, colours",
    "350000": "paseto, colours",
    "360000": "jwt, nested",
    "370000": "national layout",
    "410000": "jwt, risk",
    "420000": "jwt, nested",
    "430000": "paseto, Chinese",
    "440000": "paseto, Chinese",
    "450000": "paseto, colours",
    "460000": "opaque",
    "500000": "national layout",
    "510000": "paseto, Chinese",
    "520000": "jwt, registered names",
    "530000": "paseto, colours",
    "540000": "adopter",
    "610000": "national layout, own labels",
    "620000": "jwt, nested",
    "630000": "adopter",
    "640000": "adopter",
    "650000": "jwt, risk",
    "710000": "paseto, colours",
    "810000": "opaque",
    "820000": "adopter",
}


def entries() -> list[dict[str, Any]]:
    """Return the trust-list entries of all 34 regions, without keys."""
    return [{"code": code, "name": name, **_style(code)} for code, name in PROVINCES.items()]


def _style(code: str) -> dict[str, Any]:
    style = dict(_STYLES[_STYLE_OF[code]])
    return style | ({"prefix": f"H{code[:2]}-"} if style.get("format") == "opaque" else {})
