"""The parts of which the expressions of alerts consist. Each selector has ``<scope>``; windows are as ``<5m>``."""

from typing import Final

SERVER: Final = "job, instance"
"""The labels of one server: those of a rule about a server, without the labels of the metric."""
DAY_S: Final = "86400"


def selector(metric: str, matchers: str = "") -> str:
    """Return the selector of a metric, with further matchers of labels where there are any."""
    return f"{metric}{{<scope>{',' if matchers else ''}{matchers}}}"


def rate(metric: str, window: str, matchers: str = "", by: str = SERVER) -> str:
    """Return the increase of a counter a second within a window."""
    return f"sum by ({by}) (rate({selector(metric, matchers)}[{window}]))"


def increase(metric: str, window: str, matchers: str = "", by: str = SERVER) -> str:
    """Return the increase of a counter within a window."""
    return f"sum by ({by}) (increase({selector(metric, matchers)}[{window}]))"


def highest(metric: str, matchers: str = "", by: str = SERVER) -> str:
    """Return the highest value of a gauge."""
    return f"max by ({by}) ({selector(metric, matchers)})"


def lowest(metric: str, matchers: str = "", by: str = SERVER) -> str:
    """Return the lowest value of a gauge."""
    return f"min by ({by}) ({selector(metric, matchers)})"


def known(gauge: str) -> str:
    """Return the last number of a gauge within five minutes. One NaN among numbers would end an alert's wait."""
    return f"last_over_time(({selector(gauge)} >= 0)[<5m>:<1m>])"


def of_the_past(function: str, by: str, day: str, week: str) -> str:
    """Return the highest (``max``) or lowest (``min``) of two values by the same labels, or the only one that is there:
    of a day ago, and of a week ago, which young servers do not have."""
    return (
        f"{function} by ({by}) (\n"
        f"  {day}\n"
        # With a label more, so that the union takes both.
        f'  or label_replace({week}, "past", "week", "job", ".*")\n'
        f")"
    )


def jump(metric: str, floor: int, by: str, matchers: str = "") -> str:
    """Return a condition: within a quarter of an hour a counter rose by ``floor`` or more, and five times as fast as on
    the day that ended an hour ago or on the one a week before, whichever was slower.

    By the first alone, a fault that goes on would be usual after a day; by both, it is after a week. The floor keeps a
    few from being a jump where there were none. ``unless`` lets a server of less than an hour, which has no past, fire
    by the floor alone.
    """
    of_a_day = f"sum by ({by}) (rate({selector(metric, matchers)}[<1d>] offset %s))"
    return (
        f"{increase(metric, '<15m>', matchers, by)} >= {floor}\n"
        f"unless\n"
        f"{rate(metric, '<15m>', matchers, by)}\n"
        f"  <= 5 * {of_the_past('min', by, of_a_day % '<1h>', of_a_day % '<7d>')}"
    )
