"""Recognizes targets on this machine, and keeps connections to them from an environment's proxy.

A proxy is for other machines: given 127.0.0.1 it connects to itself, and it cannot reach a Unix socket. gRPC uses
``http_proxy``, ``https_proxy`` and ``grpc_proxy`` all the same, and, by address, ``GRPC_ADDRESS_HTTP_PROXY``.
"""

import ipaddress
import socket
from typing import Final

UNPROXIED: Final = (
    ("grpc.enable_http_proxy", 0),
    # The environment may list addresses that are reached through a proxy; an empty list replaces it.
    ("grpc.address_http_proxy_enabled_addresses", ""),
)
"""Options of a gRPC channel that connects to its target without a proxy."""

_NAMES: Final = ("localhost", "ip6-localhost", "ip6-loopback")
"""RFC 6761, section 6.3, and the names of ::1 in Debian's hosts file."""


def is_local(target: str) -> bool:
    """Tell whether a gRPC target (``HOST:PORT``, or a URI of gRPC's naming) can be this machine only."""
    scheme, has_scheme, rest = target.partition(":")
    match scheme.lower() if has_scheme else "":
        case "unix" | "unix-abstract":
            return True
        case "dns" | "passthrough":
            return _is_local_host(rest.rpartition("/")[2])
        case "ipv4" | "ipv6":
            return all(_is_local_host(address) for address in rest.split(","))
        case _:
            return _is_local_host(target)


def _is_local_host(address: str) -> bool:
    """Tell the same of ``HOST`` or ``HOST:PORT``, where an IPv6 address with a port is in brackets."""
    if address.startswith("["):
        host = address[1:].partition("]")[0]
    else:
        host = address if address.count(":") > 1 else address.partition(":")[0]
    host = host.lower().removesuffix(".")
    return host in _NAMES or host.endswith(".localhost") or _is_local_address(host)


def _is_local_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # 127.1, as resolvers read it
        except OSError:
            return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified  # a connection to 0.0.0.0 reaches this machine
