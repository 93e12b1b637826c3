"""What a load shows of itself: nothing over plaintext, or a certificate or a token over TLS."""

import ssl
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.workload import HOST_REGION, onecode

CALLER: Final = ("--role", "scanner", "--region", HOST_REGION)
"""Who calls: a scanner of the region that is the host of all checks."""
NO_LIMITS: Final = ("--limits", "scanner=10000000/100000")
"""More units a second, and calls in flight, than a machine can make: the limits are not what is measured."""


class Shown(NamedTuple):
    """What a connection shows. ``tls`` None is plaintext; ``token`` is carried by each call."""

    tls: ssl.SSLContext | None = None
    token: str = ""


NOTHING: Final = Shown()


class Authority:
    """An authority for development in a directory, with a server, a caller and a caller's token."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def make(cls, directory: Path) -> "Authority":
        """Make it by the commands that a developer would use. The token is good for an hour."""
        made = cls(directory)
        onecode("certs", "init", str(directory))
        made.issue("server", "--server", "127.0.0.1", "--server", "localhost")
        made.issue("caller", *CALLER)
        onecode("certs", "token", str(directory), *CALLER, "--out", str(directory / "caller.token"))
        return made

    def issue(self, name: str, *of: str) -> None:
        """Issue a certificate: files of this name with .crt and .key."""
        onecode("certs", "issue", str(self.directory), *of, "--out", str(self.directory / name))

    def revoke(self, name: str) -> None:
        """Revoke the certificate of a caller."""
        onecode("certs", "revoke", str(self.directory), str(self.directory / f"{name}.crt"))

    def token(self) -> str:
        """Return the token of the caller."""
        return (self.directory / "caller.token").read_text().strip()

    def flags(self, *, certificates: bool, tokens: bool) -> list[str]:
        """Return the flags of a server that identifies its callers by certificates, by tokens, or by both."""
        at = self.directory
        flags = ["--tls-cert", f"{at}/server.crt", "--tls-key", f"{at}/server.key"]
        if certificates:
            flags += ["--tls-client-ca", f"{at}/ca.crt", "--tls-crl", f"{at}/ca.crl"]
        if tokens:
            flags += ["--token-keys", f"{at}/jwks.json"]
        return [*flags, *NO_LIMITS]

    def context(self, name: str = "") -> ssl.SSLContext:
        """Return what connections of TLS 1.3 are made with, by the certificate of a caller or by none."""
        context = ssl.create_default_context(cafile=str(self.directory / "ca.crt"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["h2"])
        if name:
            context.load_cert_chain(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        return context

    def server_context(self) -> ssl.SSLContext:
        """Return what a server makes connections of TLS 1.3 with, which asks for no certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.set_alpn_protocols(["h2"])
        context.load_cert_chain(self.directory / "server.crt", self.directory / "server.key")
        return context
