"""Which targets are this machine itself, and what keeps a connection to one of them from an environment's proxy.

A proxy is for what is elsewhere: asked for 127.0.0.1 it reaches itself, and for a Unix socket nothing. gRPC goes by
``http_proxy``, ``https_proxy`` and ``grpc_proxy`` all the same, and, by address, by ``GRPC_ADDRESS_HTTP_PROXY``.
"""

import ipaddress
import socket
from typing import Final

UNPROXIED: Final = (
    ("grpc.enable_http_proxy", 0),
    # Of addresses a list in the environment says which go through a proxy; an empty one in its place names none.
    ("grpc.address_http_proxy_enabled_addresses", ""),
)
"""Options of a gRPC channel that goes to its target and nowhere else."""

_NAMES: Final = ("localhost", "ip6-localhost", "ip6-loopback")
"""RFC 6761, section 6.3, and what Debian's hosts file calls ::1."""


def is_local(target: str) -> bool:
    """Tell whether a gRPC target (``HOST:PORT``, or a URI of gRPC's naming) can be nothing but this machine."""
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
    """Tell it of ``HOST`` or ``HOST:PORT``, where an IPv6 address with a port stands in brackets."""
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
    return address.is_loopback or address.is_unspecified  # whoever connects to 0.0.0.0 reaches this machine
