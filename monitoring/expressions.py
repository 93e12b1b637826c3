"""What stands in the placeholders of an expression, for each place where it is evaluated."""

import re
from dataclasses import dataclass
from typing import Final

_WINDOW: Final = re.compile(r"<(\d+)([smhd])>")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Fillings:
    """``scope`` are matchers of labels, ``job`` is the one of the job alone, ``rate`` a duration, ``region`` a regular
    expression of regions. Windows of rules are divided by ``divide``."""

    scope: str
    rate: str = "5m"
    region: str = ".+"
    divide: int = 1
    job: str = 'job=~".+"'


def fill(expression: str, fillings: Fillings) -> str:
    """Return an expression without placeholders. Raises ValueError where one is unknown, or a window below a second."""
    text = expression.replace("<scope>", fillings.scope).replace("<job>", fillings.job)
    text = text.replace("<rate>", fillings.rate).replace("<region>", fillings.region)
    text = _WINDOW.sub(lambda found: window(found[0], fillings.divide), text)
    if left := re.search(r"<\w+>", text):
        raise ValueError(f"nothing is known to stand for {left[0]} in {expression}")
    return text


def window(placeholder: str, divide: int = 1) -> str:
    """Return ``<1h>`` as Prometheus writes it, divided. Raises ValueError where it is none, or less than a second."""
    found = _WINDOW.fullmatch(placeholder)
    if found is None:
        raise ValueError(f"{placeholder!r} is no window such as <5m>")
    whole_s = int(found[1]) * _SECONDS[found[2]]
    if whole_s % divide:
        raise ValueError(f"{placeholder} cannot be divided by {divide}")
    return f"{found[1]}{found[2]}" if divide == 1 else f"{whole_s // divide}s"
