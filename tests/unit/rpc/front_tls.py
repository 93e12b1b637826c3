"""Certificates for tests of the front's TLS, and callers who show them."""

import asyncio
import contextlib
import ssl
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import grpc

from tests.certificates import Authority, Leaf, spiffe_id
from tests.unit.rpc.front_driver import Driver, until

if TYPE_CHECKING:
    from onecode_server.rpc._front import Tls

SCANNER = spiffe_id("region/420000/scanner")


class Pki:
    """An authority of callers and the front, and the front's certificate."""

    def __init__(self, **server: Any) -> None:
        self.authority = Authority()
        self.server = self.authority.server(**server)

    def caller(self, **more: Any) -> Leaf:
        """Return a caller's certificate."""
        return self.authority.issue(more.pop("uri", SCANNER), **more)

    def tls(self, *revoked: Leaf, server: Leaf | None = None, demands: bool = True, **more: Any) -> "Tls":
        """Return what a front is made with. Some certificates may be revoked."""
        from onecode_server.rpc._front import Tls

        server = server or self.server
        given: dict[str, Any] = {
            "client_ca": self.authority.pem,
            "crl": self.authority.crl(*revoked) if revoked else None,
            "demands_certificate": demands,
        }
        return Tls(server.chain_pem, server.key_pem, **given | more)

    def credentials(self, caller: Leaf | None) -> grpc.ChannelCredentials:
        """Return what a channel is made with."""
        if caller is None:
            return grpc.ssl_channel_credentials(self.authority.pem)
        return grpc.ssl_channel_credentials(self.authority.pem, caller.key_pem, caller.chain_pem)

    def context(self, caller: Leaf | None = None, alpn: tuple[str, ...] = ("h2",)) -> ssl.SSLContext:
        """Return what a connection of Python's own TLS is made with."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.load_verify_locations(cadata=self.authority.pem.decode())
        if caller is not None:
            with TemporaryDirectory(prefix="front-tls-") as folder:
                made.load_cert_chain(*caller.write(Path(folder)))
        if alpn:
            made.set_alpn_protocols(list(alpn))
        return made


class Records:
    """A connection whose records the test sends itself, in what pieces and when it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        self._reader, self.writer = reader, writer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.received = bytearray()

    @classmethod
    async def open(cls, port: int, context: ssl.SSLContext) -> "Records":
        return cls(*await asyncio.open_connection("127.0.0.1", port), context)

    def say_hello(self) -> bytes:
        """Return the ClientHello."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._session.do_handshake()
        return self._outgoing.read()

    async def finish(self) -> bytes:
        """Read the front's part of the handshake, and return the end of the caller's."""
        while True:
            await self.read()
            with contextlib.suppress(ssl.SSLWantReadError):
                self._session.do_handshake()
                return self._outgoing.read()

    def records(self, plain: bytes) -> bytes:
        """Return the records of some bytes."""
        self._session.write(plain)
        return self._outgoing.read()

    def goodbye(self) -> bytes:
        """Return a close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self._session.unwrap()
        return self._outgoing.read()

    async def read(self) -> bytes:
        """Read something, and return what is in the records that have come."""
        new = await asyncio.wait_for(self._reader.read(65536), 20)
        if not new:
            raise ConnectionResetError
        self.received += new
        self._incoming.write(new)
        plain = b""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while self._session.version() and (piece := self._session.read(65536)):
                plain += piece
        return plain

    def count(self) -> int:
        """Return the number of records that have come, and forget them."""
        count = 0
        while len(self.received) >= 5:
            del self.received[: 5 + int.from_bytes(self.received[3:5])]
            count += 1
        return count


async def refusals(driver: Driver) -> Counter[str]:
    """Return what was refused since the last look, once no connection is open."""
    refused: Counter[str] = Counter()

    def is_over() -> bool:
        counts = driver.front.counts()
        refused.update(counts.refused)
        return counts.connections == 0

    await until(is_over)
    return refused
