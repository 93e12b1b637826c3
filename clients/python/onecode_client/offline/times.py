"""Times in codes and trust lists, in all the forms in which regions write them. They are read as Unix microseconds."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from onecode_client.offline.faults import Malformed

SECOND: Final = 1_000_000
TIME_MAX: Final = 253_402_300_800 * SECOND
"""The end of the year 9999, where RFC 3339 ends."""
FORMS: Final = ("s", "ms", "s_text", "ms_text", "rfc3339", "local", "local_t")
"""The forms of time that a trust list may name for a region's claims."""
LOCAL_FORMS: Final = ("local", "local_t")

_DIGITS: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?\Z")
_DATE_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
    r"(?P<offset>[Zz]|[+-](?:[01]\d|2[0-3]):?[0-5]\d)?\Z",
    re.ASCII,
)
_TEXT_CHARACTERS_MAX: Final = 64
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


def read_time(value: Any, form: str | None = None, utc_offset_s: int | None = None) -> int:
    """Return a time in Unix microseconds: a number since 1970, or RFC 3339 text (section 5.6), whose offset may lack
    its colon.

    ``form`` is the region's: of milliseconds, of digits in text, or of local time, which is ``utc_offset_s`` seconds
    east of UTC. Raises Malformed for anything else, and for times before 1970 or after 9999.
    """
    unit = 1000 if form in ("ms", "ms_text") else SECOND
    if isinstance(value, str):
        if form in ("s_text", "ms_text") and (digits := _DIGITS.match(value)):
            fraction = int((digits[2] or "")[:6].ljust(6, "0"))
            time = int(digits[1]) * unit + fraction * unit // 10**6
        else:
            time = _from_text(value, form, utc_offset_s)
        if not 0 <= time < TIME_MAX:
            raise Malformed("a time is out of range")
        return time
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed("not a time")
    if not 0 <= value < TIME_MAX // unit:  # before it is multiplied: an integer may have a thousand digits
        raise Malformed("a time is out of range")
    return round(value * unit)


def _from_text(text: str, form: str | None, utc_offset_s: int | None) -> int:
    match = _DATE_TIME.match(text) if len(text) <= _TEXT_CHARACTERS_MAX else None
    if match is None or (match["offset"] is None and form not in LOCAL_FORMS):
        raise Malformed("not a time")
    try:
        time = datetime.fromisoformat(text.upper())
    except ValueError:  # no such day
        raise Malformed("not a time") from None
    if match["offset"] is None:
        time = time.replace(tzinfo=timezone(timedelta(seconds=utc_offset_s or 0)))
    return (time - _EPOCH) // timedelta(microseconds=1)
