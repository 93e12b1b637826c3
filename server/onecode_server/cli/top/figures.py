"""Numbers for people, in few characters. A number that is not known is a dash."""

import math
from typing import Final

UNKNOWN: Final = "–"
_UNITS: Final = ((86_400 * 2, 86_400, "d"), (3600 * 2, 3600, "h"), (60 * 2, 60, "min"), (1, 1, "s"))
"""From how many seconds on a unit is used, its seconds, and its name."""
_BYTES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float | None) -> str:
    """Return a time in one unit; below a second in milliseconds."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    sign, size = ("-", -seconds) if seconds < 0 else ("", seconds)
    if size >= 1e12:  # thirty thousand years: no clock
        return UNKNOWN
    for least, unit, name in _UNITS:
        if size >= least:
            return f"{sign}{size / unit:,.{0 if size / unit >= 10 else 1}f} {name}"
    return f"{sign}{size * 1e3:.{0 if size >= 0.01 or not size else 1}f} ms"


def count(value: float | None) -> str:
    """Return a number with one decimal where it is small."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if abs(value) >= 1e9:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.1f}"


def share(part: float, whole: float) -> str:
    """Return a part in percent of what there is."""
    return f"{100 * part / whole:.1f}%" if whole > 0 and math.isfinite(whole) else UNKNOWN


def size(value: float | None) -> str:
    """Return bytes in a unit of which there are at least one."""
    if value is None or not 0 <= value < math.inf:
        return UNKNOWN
    for unit in _BYTES:
        if value < 1024 or unit == _BYTES[-1]:
            break
        value /= 1024
    return f"{value:,.{0 if value >= 10 or unit == 'B' else 1}f} {unit}"
