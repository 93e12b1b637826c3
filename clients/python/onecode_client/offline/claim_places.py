"""The ``claims`` of a region's entry: where each claim stands in its codes, and how times are written there."""

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

from onecode_client.offline.envelopes import NATIONAL
from onecode_client.offline.faults import Malformed
from onecode_client.offline.model import ClaimPlaces, Path
from onecode_client.offline.times import FORMS, LOCAL_FORMS

ISSUER: Final[Mapping[bool, str | int]] = {True: 1, False: "iss"}
"""The registered claim of the issuer (RFC 8392 and RFC 7519), by whether a code is national; likewise the others."""
EXPIRY: Final[Mapping[bool, str | int]] = {True: 4, False: "exp"}
NOT_BEFORE: Final[Mapping[bool, str | int]] = {True: 5, False: "nbf"}
REGION: Final = -65539
"""The label of an adopter's residence in a national code; in a translation, of its source region."""
SOURCE_LABELS: Final = {"region": REGION, "digest": -65540, "key_id": -65541, "issued_at": -65542, "target": -65543}
SOURCE_MEMBER: Final = "onecode"
"""The member of a JWT or PASETO in which a translation names its source."""

PATH_STEPS_MAX: Final = 6
INDEX_MAX: Final = 255
ISSUER_CHARACTERS_MAX: Final = 256
NAME_BYTES_MAX: Final = 4095
LIFETIME_MAX_S: Final = 100 * 366 * 86_400

_CLAIMS: Final = ("subject", "level", "issued_at", "expiry")
_MEMBERS: Final = {*_CLAIMS, "valid_for_s", "code_age_max_s", "time_format", "utc_offset", "issuer"}
_TIMES: Final = ("issued_at", "expiry", "registered")
_RESERVED: Final[Mapping[bool, set[Any]]] = {True: {1, 5, *SOURCE_LABELS.values()}, False: {SOURCE_MEMBER}}
_OFFSET: Final = re.compile(r"([+-])(0[0-9]|1[0-9]|2[0-3]):([0-5][0-9])\Z")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def read_claim_places(entry: Any, fmt: str, region: str) -> ClaimPlaces:
    """Return the places of a region's claims. Raises Malformed where a rule of trust lists is broken."""
    _expect(isinstance(entry, dict) and not entry.keys() - _MEMBERS)
    named = [name for name in _CLAIMS if name != "expiry" or entry.get(name) is not None]
    paths = {name: _path(entry.get(name), name, is_national=fmt == NATIONAL) for name in named}
    valid_for_s, code_age_max_s = _lifetime(entry.get("valid_for_s")), _lifetime(entry.get("code_age_max_s"))
    _expect("expiry" in paths or valid_for_s is not None)
    _expect_apart(paths, is_national=fmt == NATIONAL)
    issuer = entry.get("issuer", region if fmt == NATIONAL else None)
    _expect(issuer is None or (_is_text(issuer) and len(issuer) <= ISSUER_CHARACTERS_MAX))
    _expect(issuer is None or all(path[0] != ISSUER[fmt == NATIONAL] for path in paths.values()))
    forms = _time_forms(entry, has_expiry="expiry" in paths)
    offset_s = _offset(entry.get("utc_offset")) if any(form in LOCAL_FORMS for form in forms.values()) else None
    _expect(offset_s is not None or entry.get("utc_offset") is None)
    return ClaimPlaces(
        paths["subject"],
        paths["level"],
        paths["issued_at"],
        paths.get("expiry"),
        valid_for_s,
        code_age_max_s,
        issuer,
        forms,
        offset_s,
    )


def _path(value: Any, name: str, *, is_national: bool) -> Path:
    steps = value if isinstance(value, list) else [value]
    _expect(0 < len(steps) <= PATH_STEPS_MAX)
    for place, step in enumerate(steps):
        if isinstance(step, int) and not isinstance(step, bool):
            _expect(-(2**64) <= step < 2**64 if is_national else place > 0 and 0 <= step <= INDEX_MAX)
        else:
            _expect(_is_text(step))
    _expect(sum(len(step.encode()) for step in steps if isinstance(step, str)) <= NAME_BYTES_MAX)
    registered = (EXPIRY[is_national], NOT_BEFORE[is_national])
    if not (name == "issued_at" and steps == [registered[1]]):  # some regions issue codes for when they begin
        _expect(steps[0] not in _RESERVED[is_national])
        _expect(steps[0] not in registered or (name == "expiry" and steps == [registered[0]]))
    return tuple(steps)


def _expect_apart(paths: Mapping[str, Path], *, is_national: bool) -> None:
    """Raise Malformed where two claims share a place, or where the arrays of a JSON object would be too long."""
    for one, other in combinations(paths.values(), 2):
        differing = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
        _expect(differing)
        _expect(is_national or isinstance(differing[0][0], int) == isinstance(differing[0][1], int))
    last: dict[Path, int] = {}
    for path in () if is_national else paths.values():
        for place, step in enumerate(path):
            if isinstance(step, int):
                last[path[:place]] = max(step, last.get(path[:place], 0))
    _expect(sum(last.values()) <= INDEX_MAX)


def _time_forms(entry: Mapping[str, Any], *, has_expiry: bool) -> dict[str, str]:
    given = entry.get("time_format")
    forms = given if isinstance(given, dict) else {} if given is None else dict.fromkeys(_TIMES, given)
    _expect(not forms.keys() - set(_TIMES) and all(isinstance(form, str) and form in FORMS for form in forms.values()))
    _expect(has_expiry or not isinstance(given, dict) or "expiry" not in given)
    return dict(forms)


def _offset(value: Any) -> int:
    match = _OFFSET.match(value) if isinstance(value, str) else None
    if match is None:
        raise Malformed("utc_offset")
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return -seconds if match[1] == "-" else seconds


def _lifetime(value: Any) -> int | None:
    if value is None:
        return None
    _expect(isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LIFETIME_MAX_S)
    return int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and not _SURROGATE.search(value)


def _expect(holds: object) -> None:
    if not holds:
        raise Malformed("the claims break a rule of trust lists")
