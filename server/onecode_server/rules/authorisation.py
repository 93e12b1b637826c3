"""Authorisation: one table of who may do what, and for whose region."""

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Final

from onecode_server.errors import NotPermitted
from onecode_server.model.identity import Identity, Role
from onecode_server.model.region import NATIONAL


class Right(Enum):
    """What a caller may do. The value completes the sentence "may not …"."""

    CHECK = "check codes"
    TRANSLATE = "translate codes"
    PUBLISH = "publish status records"
    READ_STATUS = "read status records"
    REPORT = "report exceptions"
    ACKNOWLEDGE = "acknowledge exceptions"
    WITHDRAW = "withdraw exceptions"
    READ_REPORTS = "list exceptions"
    READ_TRUST_LIST = "read the trust list"
    REFLECT = "read the descriptions of the services"
    READ_HEALTH = "read the health of the server"
    READ_METRICS = "read the metrics"

    __hash__ = object.__hash__  # as of Role


class Whose(Enum):
    """For which regions a right counts."""

    OWN = "own"
    LISTED = "listed"
    """Those that the partner's entry in the trust list has, and all where it has no entry or no list."""
    ALL = "all"


_OWN, _LISTED, _ALL, _NATION = Whose.OWN, Whose.LISTED, Whose.ALL, Role.NATIONAL_OPERATOR

_EVERYBODYS: Final = dict.fromkeys((Right.READ_TRUST_LIST, Right.REFLECT, Right.READ_HEALTH), Whose.ALL)
"""What needs an identity, and no role."""

TABLE: Final[Mapping[Role, Mapping[Right, Whose]]] = {
    Role.SCANNER: {**_EVERYBODYS, Right.CHECK: Whose.OWN, Right.TRANSLATE: Whose.OWN},
    Role.PARTNER: {**_EVERYBODYS, Right.CHECK: Whose.LISTED, Right.TRANSLATE: Whose.LISTED},
    Role.REGIONAL_OPERATOR: {
        **_EVERYBODYS,
        Right.PUBLISH: Whose.OWN,
        Right.READ_STATUS: Whose.OWN,
        Right.REPORT: Whose.OWN,
        Right.WITHDRAW: Whose.OWN,
        Right.READ_REPORTS: Whose.OWN,
    },
    Role.NATIONAL_OPERATOR: {
        **_EVERYBODYS,
        Right.PUBLISH: Whose.OWN,
        Right.READ_STATUS: Whose.ALL,
        Right.ACKNOWLEDGE: Whose.ALL,
        Right.WITHDRAW: Whose.ALL,
        Right.READ_REPORTS: Whose.ALL,
    },
    Role.OPS: {**_EVERYBODYS, Right.READ_REPORTS: Whose.ALL, Right.READ_METRICS: Whose.ALL},
    Role.GATEWAY: {Right.READ_HEALTH: Whose.ALL},
    Role.LOCAL: dict.fromkeys(Right, Whose.ALL),
    Role.ANONYMOUS: {**_EVERYBODYS, Right.CHECK: Whose.ALL, Right.TRANSLATE: Whose.ALL},
}
"""The region of a check and of a translation is the host; of a record its publisher; of a report its host; of a list of
reports the host or the home that it is narrowed to. A right that is not in a role's row is nobody's."""

Partners = Mapping[str, Collection[str]]
"""The hosts of partners, by their names. A partner that is not in it has all."""
NO_PARTNERS: Final[Partners] = {}


def regions(identity: Identity, right: Right, partners: Partners = NO_PARTNERS) -> Collection[str] | None:
    """Return the regions for which ``identity`` has ``right``: None for all of them."""
    # Called at each call: members are compared by names of this module, since an enumeration looks its own up slowly.
    whose = TABLE[identity.role].get(right)
    if whose is _OWN:
        return (NATIONAL if identity.role is _NATION else identity.region,)
    if whose is _ALL:
        return None
    if whose is _LISTED:
        return partners.get(identity.name)
    return ()


def has(identity: Identity, right: Right, of: Collection[str]) -> bool:
    """Return whether ``identity`` has ``right`` for one of the regions ``of`` by its role and region alone. It is the
    answer for most calls; false for the national operator's own and for partners, whom ``expect_for`` decides about."""
    whose = TABLE[identity.role].get(right)
    return whose is _ALL or (whose is _OWN and identity.region in of and identity.role is not _NATION)


def expect(identity: Identity, right: Right) -> None:
    """Raise NotPermitted where ``identity`` has ``right`` for no region."""
    if right not in TABLE[identity.role]:
        raise NotPermitted(f"{identity} may not {right.value}")


def expect_for(identity: Identity, right: Right, *of: str, partners: Partners = NO_PARTNERS) -> None:
    """Raise NotPermitted where ``identity`` has ``right`` for none of the regions ``of``. ``partners`` counts where a
    partner may have the right."""
    own = regions(identity, right, partners)
    if own is None:
        return
    for region in of:
        if region in own:
            return
    expect(identity, right)
    raise NotPermitted(f"{identity} may {right.value} for {_listed(own)}")


def _listed(regions: Collection[str]) -> str:
    return f"{', '.join(sorted(regions))} only" if regions else "no region"
