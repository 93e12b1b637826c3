"""Identities for tests against servers: an authority, a server's certificate, a key set, and channels of callers."""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2_grpc

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

    def put_leaf(self, path: str, leaf: Leaf) -> Leaf:
        """Have ``leaf`` return this certificate for a path from now on."""
        self._leaves[path] = leaf
        return leaf

    def token(self, path: str, **claims: Any) -> str:
        """Return a token of a caller."""
        return self.tokens.token(path, time.time(), **claims)

    def revoke(self, *paths: str) -> None:
        """Publish a list in which the certificates of these callers are."""
        self.crl.write_bytes(self.authority.crl(*map(self.leaf, paths)))

    def faults(self, server: Server) -> dict[str, str]:
        """Return the faults of files that a server reports."""
        faults: dict[str, str] = self.ops_reads(server).healthz()[1]["access"]["faults"]
        return faults

    def channel(
        self, server: Server, leaf: Leaf | None = None, token: str = "", *, authorization: str = ""
    ) -> grpc.Channel:
        """Return a connection of its own, which shows a certificate, a token, or both; ``authorization``, whatever it
        is, in the place of a token."""
        shown = (None, None) if leaf is None else (leaf.key_pem, leaf.chain_pem)
        credentials = grpc.ssl_channel_credentials(self.authority.pem, *shown)
        if value := f"Bearer {token}" if token else authorization:
            carried = grpc.metadata_call_credentials(_Authorization(value))
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

    def ops_reads(self, server: Server, **claims: Any) -> Server:
        """Have the pages of a server be read by ops, with a token, and return the server."""
        server.page_headers = {"Authorization": f"Bearer {self.token(OPS, **claims)}"}
        return server


class _Authorization(grpc.AuthMetadataPlugin):
    def __init__(self, value: str) -> None:
        self._metadata = (("authorization", value),)

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        callback(self._metadata, None)


class Refused(NamedTuple):
    """How a call ended: the name of its status, the reason of its ErrorInfo, its text, and when to retry in seconds."""

    status: str
    reason: str
    text: str
    retry_s: float | None = None


OK: Final = Refused("OK", "", "")


def refusal_of(call: Callable[[], Any]) -> Refused:
    """Return how a call ended, with what its details say."""
    try:
        call()
    except grpc.RpcError as fault:
        return read_refusal(fault)
    return OK


def read_refusal(fault: Any) -> Refused:
    """Return what a failed call says."""
    trailers = dict(fault.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    retry_s = None
    for detail in status.details:
        detail.Unpack(info)
        if detail.Unpack(retry):
            retry_s = retry.retry_delay.ToTimedelta().total_seconds()
    return Refused(fault.code().name, info.reason, fault.details() or "", retry_s)


def health_stub(channel: grpc.Channel) -> Any:
    """Return a stub of the health service; the type that it comes with has no calls."""
    return health_pb2_grpc.HealthStub(channel)


def code_of(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    """Return how a call ended."""
    try:
        call()
    except grpc.RpcError as fault:
        return fault.code(), fault.details() or ""
    return grpc.StatusCode.OK, ""
