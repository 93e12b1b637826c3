"""What tells who shows credentials, and which callers are of this machine."""

import ipaddress
from ipaddress import IPv6Address
from typing import Protocol
from urllib.parse import unquote

from onecode_server.model.identity import LOCAL, Identity
from onecode_server.rules.authorisation import NO_PARTNERS, Partners


class Authenticator(Protocol):
    """Tells who shows credentials."""

    @property
    def partners(self) -> Partners:
        """The hosts of partners, by the trust list in force."""
        ...

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return the identity. Raises Unauthenticated, and NotServing where that cannot be told yet."""
        ...


class OnlyLocal:
    """An authenticator for a listener that only this machine reaches: nobody has to show anything."""

    partners: Partners = NO_PARTNERS

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return LOCAL."""
        return LOCAL


def is_local_peer(peer: str) -> bool:
    """Return whether a peer, as gRPC writes it, calls from this machine."""
    kind, _, address = peer.partition(":")
    return kind == "unix" or is_local_host(unquote(address.rpartition(":")[0]).strip("[]"))


def is_local_host(host: str) -> bool:
    """Return whether an IP address is a loopback address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
