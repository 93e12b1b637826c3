"""The ``claims`` of a region's entry: the path of each claim, the forms of its times, and the issuer.

``docs/regions.md`` describes the members. A claim map that no code could match is refused here, so that it is never
signed.
"""

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

from onecode_server.codes.codec import CODECS
from onecode_server.codes.data_models import INDEX_MAX
from onecode_server.codes.times import LOCAL_FORMS
from onecode_server.errors import Malformed
from onecode_server.model.code import CODE_BYTES_MAX
from onecode_server.model.trust_list import ClaimMap, Format, Path, TimeForm, TimeForms
from onecode_server.trust.json_document import expect, expect_members, is_integer, is_text

ISSUER_CHARACTERS_MAX: Final = 256

_PLACES: Final = ("subject", "level", "issued_at", "expiry")
_MEMBERS: Final = (*_PLACES, "valid_for_s", "code_age_max_s", "time_format", "utc_offset", "issuer")
_TIMES: Final = ("issued_at", "expiry", "registered")
_PATH_STEPS_MAX: Final = 6  # well under the depth that the decoders allow
_SECONDS_MAX: Final = 100 * 366 * 86_400
_OFFSET: Final = re.compile(r"([+-])(0[0-9]|1[0-9]|2[0-3]):([0-5][0-9])\Z")


def read(entry: Any, fmt: Format, code: str) -> ClaimMap:
    """Return the claim map of the region with this code. Raises Malformed."""
    expect(isinstance(entry, dict), "claims is not an object")
    expect_members(entry, _MEMBERS, "claims")
    required = {name: _path(entry.get(name), name, fmt) for name in _PLACES[:3]}
    expiry = _path(entry["expiry"], "expiry", fmt) if entry.get("expiry") is not None else None
    valid_for_s, code_age_max_s = _seconds(entry, "valid_for_s"), _seconds(entry, "code_age_max_s")
    expect(expiry is not None or valid_for_s is not None, "claims has neither expiry nor valid_for_s")
    paths = required | ({"expiry": expiry} if expiry else {})
    _expect_places_apart(paths, fmt)
    _expect_short_arrays(paths, fmt)
    issuer = _issuer(entry, fmt, code)
    named = issuer is not None and [name for name, path in paths.items() if path[0] == CODECS[fmt].ISSUER]
    expect(not named, f"claim {named and named[0]} stands where the issuer does")
    return ClaimMap(
        **required,
        expiry=expiry,
        valid_for_s=valid_for_s,
        code_age_max_s=code_age_max_s,
        issuer=issuer,
        times=_times(entry, has_expiry=expiry is not None),
    )


def _path(value: Any, name: str, fmt: Format) -> Path:
    steps = value if isinstance(value, list) else [value]
    codec = CODECS[fmt]
    model = codec.DATA_MODEL
    fits = 0 < len(steps) <= _PATH_STEPS_MAX and all(
        (is_text(step) and step) or (is_integer(step) and model.is_integer_step(step, place))
        for place, step in enumerate(steps)
    )
    expect(fits, f"claim {name} is not {model.steps} or a path of 1 to {_PATH_STEPS_MAX} of them")
    size = sum(len(step.encode()) for step in steps if isinstance(step, str))
    expect(size < CODE_BYTES_MAX, f"claim {name} has a longer name than any code has room for")
    is_beginning = name == "issued_at" and steps == [codec.NOT_BEFORE]
    expect(is_beginning or steps[0] not in model.reserved, f"claim {name} stands where translations keep theirs")
    taken = steps[0] in (codec.EXPIRY, codec.NOT_BEFORE) and (name != "expiry" or steps != [codec.EXPIRY])
    expect(is_beginning or not taken, f"claim {name} stands where the format has its own expiry or beginning")
    return tuple(steps)


def _expect_places_apart(paths: Mapping[str, Path], fmt: Format) -> None:
    """Raise Malformed if one place would have to hold two claims, or be both an object and an array."""
    for (name, one), (other_name, other) in combinations(paths.items(), 2):
        shared = next((at for at, steps in enumerate(zip(one, other, strict=False)) if steps[0] != steps[1]), None)
        which = f"{name} and {other_name}"
        expect(shared is not None, f"two claims stand at the same place, or one inside of the other: {which}")
        differ = shared is not None and isinstance(one[shared], int) != isinstance(other[shared], int)
        clash = differ and not CODECS[fmt].DATA_MODEL.has_labels
        expect(not clash, f"the same place would be an object for one claim and an array for another: {which}")


def _expect_short_arrays(paths: Mapping[str, Path], fmt: Format) -> None:
    """Raise Malformed if the arrays of a translation, padded with null, could exceed the length of a code."""
    last: dict[Path, int] = {}
    for path in () if CODECS[fmt].DATA_MODEL.has_labels else paths.values():
        for at, step in enumerate(path):
            if isinstance(step, int):
                last[path[:at]] = max(step, last.get(path[:at], 0))
    fits = sum(last.values()) <= INDEX_MAX
    expect(
        fits, f"the indexes of claims in different arrays are above {INDEX_MAX} together, for which no code has room"
    )


def _times(entry: Mapping[str, Any], *, has_expiry: bool) -> TimeForms:
    given = entry.get("time_format")
    forms = given if isinstance(given, dict) else {} if given is None else dict.fromkeys(_TIMES, given)
    expect_members(forms, _TIMES, "time_format")
    known = {name: _form(form, name) for name, form in forms.items()}
    is_idle = not has_expiry and isinstance(given, dict) and "expiry" in given
    expect(not is_idle, "time_format has a member expiry, and claims has none")
    is_local = any(form in LOCAL_FORMS for form in known.values())
    expect(not is_local or entry.get("utc_offset") is not None, "time_format local needs a utc_offset such as +08:00")
    expect(is_local or entry.get("utc_offset") is None, "utc_offset is for a local time_format, and there is none")
    return TimeForms(**known, utc_offset_s=_offset(entry["utc_offset"]) if is_local else None)


def _form(value: Any, name: str) -> TimeForm:
    try:
        return TimeForm(value)
    except ValueError:
        raise Malformed(f"time_format of {name} is not one of {', '.join(TimeForm)}") from None


def _offset(value: Any) -> int:
    match = _OFFSET.match(value) if isinstance(value, str) else None
    if match is None:
        raise Malformed("utc_offset is not of the form +08:00")
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return -seconds if match[1] == "-" else seconds


def _issuer(entry: Mapping[str, Any], fmt: Format, code: str) -> str | None:
    """Return the required issuer of a code, or None. Where the format's codes name their region there, it is that
    region's code unless the entry names another."""
    if "issuer" not in entry:
        return code if CODECS[fmt].ISSUER_IS_REGION else None
    issuer = entry["issuer"]
    fits = issuer is None or (is_text(issuer) and 0 < len(issuer) <= ISSUER_CHARACTERS_MAX)
    expect(fits, f"issuer is neither text of 1 to {ISSUER_CHARACTERS_MAX} characters nor null")
    return None if issuer is None else str(issuer)


def _seconds(entry: Mapping[str, Any], name: str) -> int | None:
    value = entry.get(name)
    expect(value is None or (is_integer(value) and 0 < value <= _SECONDS_MAX), f"{name} is not 1 s to a hundred years")
    return value
