"""Identities: who a caller is, by the SPIFFE id of a certificate or token, or by the listener that the call came by."""

from enum import Enum
from typing import NamedTuple


class Role(Enum):
    """What kind of caller it is. The value is the label of metrics, and the word of messages."""

    SCANNER = "scanner"
    REGIONAL_OPERATOR = "regional_operator"
    NATIONAL_OPERATOR = "national_operator"
    PARTNER = "partner"
    OPS = "ops"
    GATEWAY = "gateway"
    """A proxy that ends its callers' TLS. Their tokens have the rights, it has none but health."""
    LOCAL = "local"
    """A caller without an identity, on loopback or a Unix socket while nothing else can reach them: it may do all."""
    ANONYMOUS = "anonymous"
    """A caller without an identity who may check and translate, where the settings say so."""

    # Each member is one object. An enumeration's own hash, of the name and in Python, is a tenth of a check of rights.
    __hash__ = object.__hash__


class Identity(NamedTuple):
    """A caller. ``region`` is the six digits of a scanner's or an operator's region, ``name`` that of a partner or a
    gateway. ``gateway`` is the name of the gateway that has carried the caller's token, if one has."""

    role: Role
    region: str = ""
    name: str = ""
    gateway: str = ""

    def __str__(self) -> str:
        """Return the path of the SPIFFE id, for messages and the audit record, and the gateway behind it."""
        match self.role:
            case Role.SCANNER:
                path = f"region/{self.region}/scanner"
            case Role.REGIONAL_OPERATOR:
                path = f"region/{self.region}/operator"
            case Role.NATIONAL_OPERATOR:
                path = "national/operator"
            case Role.PARTNER | Role.GATEWAY:
                path = f"{self.role.value}/{self.name}"
            case _:
                path = self.role.value
        return f"{path} via gateway/{self.gateway}" if self.gateway else path


LOCAL = Identity(Role.LOCAL)
ANONYMOUS = Identity(Role.ANONYMOUS)
