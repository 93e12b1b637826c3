"""What tells who shows credentials, and which callers are of this machine."""

import functools
import ipaddress
from ipaddress import IPv6Address
from typing import Final, Protocol
from urllib.parse import unquote

from onecode_server.identity.known import FOR_EVER, Known
from onecode_server.model.identity import LOCAL, Identity
from onecode_server.rules.authorisation import NO_PARTNERS, Partners

PEERS_KEPT: Final = 8_192
"""As many as a worker has connections at most, some 200 bytes each: all calls of a connection have the same peer, and
to read its address takes 2 us."""


class Identifier(Protocol):
    """Tells who shows credentials."""

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return the identity. Raises Unauthenticated, and NotServing where that cannot be told yet."""
        ...


class Authenticator(Identifier, Protocol):
    """Tells who calls, and for which hosts partners may do so."""

    @property
    def partners(self) -> Partners:
        """The hosts of partners, by the trust list in force."""
        ...

    def recall(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity | None:
        """Return who shows credentials where that is known without a look at them, else None."""
        ...

    def remembers(self, certificate: bytes | None, authorization: str | None) -> bool:
        """Return whether the same were an identity's when they were last looked at."""
        ...


class CachedAuthenticator(Authenticator, Protocol):
    """Tells who calls, and how long that may be kept."""

    @property
    def identifies(self) -> bool:
        """Whether it depends on the caller what may be done: else everybody may do all."""
        ...

    @property
    def generation(self) -> int:
        """A number that rises when callers must be identified again."""
        ...

    def known(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Known:
        """Return the identity, and its end in Unix microseconds. Raises as ``identify``."""
        ...


class OnlyLocal:
    """An authenticator for a listener that only this machine reaches: nobody has to show anything."""

    partners: Partners = NO_PARTNERS
    identifies = False
    generation = 0

    def known(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Known:
        """Return LOCAL, for ever."""
        return Known(LOCAL, FOR_EVER)

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return LOCAL."""
        return LOCAL

    def recall(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity | None:
        """Return LOCAL."""
        return LOCAL

    def remembers(self, certificate: bytes | None, authorization: str | None) -> bool:
        """Return True: nobody is a stranger."""
        return True


@functools.lru_cache(PEERS_KEPT)
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
