"""The limits of callers, by role."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from onecode_server.model.identity import Role

UNITS_MAX: Final = 10_000_000
"""Above the codes that any worker checks in a second."""
CALLS_MAX: Final = 100_000
_FORM: Final = "expected ROLE=UNITS/CALLS, with commas between several"


class Limit(NamedTuple):
    """The limits of each caller with a role, in each worker: ``units_per_s`` codes, records and other calls a second
    (those of one second may come at once), and ``calls`` in flight."""

    units_per_s: int
    calls: int


DEFAULTS: Final[Mapping[Role, Limit]] = {
    # All scanners of a region may share one identity: a region of 100 million people, each scanned twice a day, has
    # 2,300 scans a second, and ten times as many in its rush hours.
    Role.SCANNER: Limit(100_000, 4_096),
    Role.PARTNER: Limit(20_000, 1_024),
    # A region of 100 million people that publishes each twice a day has 2,300 records a second.
    Role.REGIONAL_OPERATOR: Limit(50_000, 256),
    Role.NATIONAL_OPERATOR: Limit(50_000, 256),
    Role.OPS: Limit(100, 64),
    Role.GATEWAY: Limit(100, 64),
}
"""Callers without an identity have no limits of their own: they are one caller, or all are."""


class Limits:
    """The limits of all roles; a role that is not in ``by_role`` has none."""

    __slots__ = ("by_role",)

    def __init__(self, by_role: Mapping[Role, Limit] = DEFAULTS) -> None:
        self.by_role = MappingProxyType(dict(by_role))

    def __str__(self) -> str:
        """Return the limits as they are read."""
        return ",".join(f"{role.value}={limit.units_per_s}/{limit.calls}" for role, limit in self.by_role.items())

    def __eq__(self, other: object) -> bool:
        """Return whether all limits are equal."""
        return isinstance(other, Limits) and self.by_role == other.by_role

    def __hash__(self) -> int:
        """Return the hash of the text."""
        return hash(str(self))


def read(text: str) -> Limits:
    """Return the default limits with those of ``text`` in place of some. Raises ValueError."""
    limits = dict(DEFAULTS)
    for one in filter(None, text.split(",")):
        name, equals, numbers = one.strip().partition("=")
        units, slash, calls = numbers.partition("/")
        if not equals or not slash:
            raise ValueError(_FORM)
        role = next((role for role in DEFAULTS if role.value == name), None)
        if role is None:
            raise ValueError(f"expected one of the roles {', '.join(role.value for role in DEFAULTS)}")
        limits[role] = Limit(_whole(units, UNITS_MAX), _whole(calls, CALLS_MAX))
    return Limits(limits)


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > len(str(most)) or not 1 <= int(text) <= most:
        raise ValueError(f"expected a whole number from 1 to {most:,} in a limit")
    return int(text)
