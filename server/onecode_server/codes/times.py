"""Times in codes and documents: seconds or milliseconds since 1970, RFC 3339 text, or a region's local time.

The type of a value tells how to read it as a time, except for two settings of the region: the unit of a number and the
offset of local time. So a region's form adds to what is read, and takes nothing away.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from onecode_server.codes.kinds import expected
from onecode_server.errors import Malformed
from onecode_server.model.trust_list import TimeForm

MICROSECONDS: Final = 1_000_000
TIME_MAX: Final = 253_402_300_800 * MICROSECONDS
"""The end of the year 9999, where RFC 3339 and protobuf's Timestamp end too."""

MILLISECOND_FORMS: Final = (TimeForm.MILLISECONDS, TimeForm.MILLISECONDS_TEXT)
DIGIT_FORMS: Final = (TimeForm.SECONDS_TEXT, TimeForm.MILLISECONDS_TEXT)
LOCAL_FORMS: Final = (TimeForm.LOCAL, TimeForm.LOCAL_T)

_CHARACTERS_MAX: Final = 64


def read_time(value: Any, form: TimeForm | None = None, utc_offset_s: int | None = None) -> int:
    """Return a time in Unix microseconds: a number since 1970 (whole or not), or RFC 3339 text.

    Beyond RFC 3339, text may have an offset without its colon (``+0800``), as many regions' libraries write it. A leap
    second is refused, since Unix time has none. A ``form`` of milliseconds is the unit of numbers; a form of digits
    also accepts a number's text, and a local one text without an offset, which is ``utc_offset_s`` seconds east of UTC.
    Raises Malformed for anything else, and for times before 1970 or after 9999.
    """
    unit_us = 1000 if form in MILLISECOND_FORMS else MICROSECONDS
    if isinstance(value, str):
        if form in DIGIT_FORMS and (digits := _DIGITS.match(value)):
            return _in_range(int(digits[1]) * unit_us + int((digits[2] or "")[:6].ljust(6, "0")) * unit_us // 10**6)
        return _in_range(_microseconds(_read_text(value, form, utc_offset_s)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(expected(name_of(form), value))
    # Compared before it is multiplied: an infinity or an integer of a thousand digits is refused here.
    if not 0 <= value < TIME_MAX // unit_us:
        is_milliseconds = unit_us == MICROSECONDS and TIME_MAX // MICROSECONDS <= value < TIME_MAX // 1000
        raise Malformed(f"{_OUT_OF_RANGE}{': milliseconds, where seconds are expected?' if is_milliseconds else ''}")
    return round(value * unit_us)


def write_time(
    time: int, form: TimeForm | None, utc_offset_s: int | None = None, *, as_text: bool = False
) -> int | float | str:
    """Return ``time`` (Unix microseconds) in a region's form, which ``read_time`` reads.

    Where there is no form, ``as_text`` tells whether the format's registered times are RFC 3339 text.
    """
    form = form or (TimeForm.RFC_3339 if as_text else TimeForm.SECONDS)
    if form is TimeForm.RFC_3339:
        return datetime.fromtimestamp(time / MICROSECONDS, UTC).isoformat()
    if form in LOCAL_FORMS:
        local = _EPOCH + timedelta(seconds=utc_offset_s or 0, microseconds=time)
        return local.replace(tzinfo=None).isoformat("T" if form is TimeForm.LOCAL_T else " ")
    unit_us = 1000 if form in MILLISECOND_FORMS else MICROSECONDS
    whole, rest = divmod(time, unit_us)
    if form in DIGIT_FORMS:
        return f"{whole}.{rest * (MICROSECONDS // unit_us):06d}" if rest else str(whole)
    return time / unit_us if rest else whole


def name_of(form: TimeForm | None) -> str:
    """Return a description of the values that are read as a time in this form."""
    unit = "milliseconds" if form in MILLISECOND_FORMS else "seconds"
    digits = ", as a number or in digits," if form in DIGIT_FORMS else ""
    local = "a local time such as 2026-11-25 08:00:00, " if form in LOCAL_FORMS else ""
    return f"{local}{unit} since 1970{digits} or RFC 3339 text"


def _read_text(text: str, form: TimeForm | None, utc_offset_s: int | None) -> datetime:
    match = _RFC_3339.match(text) if len(text) <= _CHARACTERS_MAX else None
    is_local = match is not None and match["offset"] is None
    if match is None or (is_local and form not in LOCAL_FORMS):
        kind = "a time without an offset" if is_local else "digits" if _DIGITS.match(text) else "text"
        raise Malformed(f"expected {name_of(form)}, found {kind}")
    try:
        time = datetime.fromisoformat(text.upper())
    except ValueError:  # no such day, hour or offset
        raise Malformed(f"expected {name_of(form)}, found a day or an offset that there is not") from None
    return time.replace(tzinfo=timezone(timedelta(seconds=utc_offset_s or 0))) if is_local else time


def _microseconds(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND  # a float of seconds is not exact for such late times


def _in_range(time: int) -> int:
    if not 0 <= time < TIME_MAX:
        raise Malformed(_OUT_OF_RANGE)
    return time


_OUT_OF_RANGE: Final = "time is out of range, the years 1970 to 9999"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DIGITS: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?\Z")
# Section 5.6, with the range of hours, which Python's versions treat differently; fromisoformat checks days of months.
_RFC_3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"(?P<offset>[Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?\Z"
)
