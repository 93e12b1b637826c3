"""Identities for tests against servers: an authority, a server's certificate, a key set, and channels of callers."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import grpc

from tests.certificates import Authority, Leaf, spiffe_id
from tests.integration.deployment import Server
from tests.tokens import TokenIssuer, jwks

SCANNER: Final = "region/420000/scanner"
OPERATOR: Final = "region/420000/operator"
NATION: Final = "national/operator"
PARTNER: Final = "partner/railway"
OPS: Final = "ops"
GATEWAY: Final = "gateway/gate-7"


class Identities:
    """Files of TLS in a directory, and callers who show what they issue."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.authority = Authority()
        self.tokens = TokenIssuer()
        self.cert, self.key = self.authority.server().write(directory, "server")
        self.client_ca, self.crl = directory / "ca.crt", directory / "ca.crl"
        self.token_keys = directory / "jwks.json"
        self.client_ca.write_bytes(self.authority.pem)
        self.crl.write_bytes(self.authority.crl())
        self.token_keys.write_bytes(jwks(self.tokens))
        self._leaves: dict[str, Leaf] = {}

    def flags(self, *more: object) -> tuple[object, ...]:
        """Return the flags of a server that accepts certificates and tokens."""
        return (
            *("--tls-cert", self.cert, "--tls-key", self.key),
            *("--tls-client-ca", self.client_ca, "--tls-crl", self.crl, "--token-keys", self.token_keys),
            *more,
        )

    def leaf(self, path: str) -> Leaf:
        """Return the certificate of a caller, the same one each time."""
        if path not in self._leaves:
            self._leaves[path] = self.authority.issue(spiffe_id(path))
        return self._leaves[path]

    def token(self, path: str, **claims: Any) -> str:
        """Return a token of a caller."""
        return self.tokens.token(path, time.time(), **claims)

    def channel(self, server: Server, leaf: Leaf | None = None, token: str = "") -> grpc.Channel:
        """Return a connection of its own, which shows a certificate, a token, or both."""
        shown = (None, None) if leaf is None else (leaf.key_pem, leaf.chain_pem)
        credentials = grpc.ssl_channel_credentials(self.authority.pem, *shown)
        if token:
            carried = grpc.access_token_call_credentials(token)
            credentials = grpc.composite_channel_credentials(credentials, carried)
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
        return server.keep(grpc.secure_channel(server.address, credentials, options))

    def context(self, leaf: Leaf) -> ssl.SSLContext:
        """Return what the pages for operations are asked with."""
        made = ssl.create_default_context(cadata=self.authority.pem.decode("ascii"))
        made.load_cert_chain(*leaf.write(self.directory, "page"))
        return made

    def of(self, server: Server, path: str) -> grpc.Channel:
        """Return a connection of a caller with a certificate."""
        return self.channel(server, self.leaf(path))

    def carried(self, server: Server, path: str) -> grpc.Channel:
        """Return a connection of a gateway that carries a caller's token."""
        return self.channel(server, self.leaf(GATEWAY), self.token(path))


def code_of(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    """Return how a call ended."""
    try:
        call()
    except grpc.RpcError as fault:
        return fault.code(), fault.details() or ""
    return grpc.StatusCode.OK, ""
