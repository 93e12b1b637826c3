"""Attacks on a server whose callers must show something: handshakes, tokens and certificates that are worth nothing."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from itertools import count as numbers
from pathlib import Path

from onecode.v1 import recognition_pb2 as pb

from benchmarks.attacks.connection import Connection, Lost, call_headers, field, message
from benchmarks.attacks.floods import VERIFY
from benchmarks.attacks.target import Target, again
from benchmarks.shown import CALLER, Authority
from benchmarks.workload import HOST_REGION

AT_ONCE = 500
"""Connections that an attack has at most: what is due meanwhile is not made up for."""
PATIENCE_S = 2.0
REVOKED = "revoked"
HELD_S = 0.05
"""How long a caller whose certificate is revoked stays, with a call."""


async def handshakes(target: Target) -> None:
    """100 connections a second by TLS, with a certificate, each dropped after its handshake"""
    context = target.issuer.context("caller")

    async def once() -> None:
        (await Connection.open(target.address, tls=context)).close()

    await _paced(target, 100, once)


async def client_hellos(target: Target) -> None:
    """500 connections a second that send the same recorded ClientHello, and leave when they are answered"""
    hello, (host, _, port) = client_hello(target.issuer.context()), target.address.rpartition(":")

    async def once() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(hello)
            await reader.read(1)
        finally:
            writer.transport.abort()

    await _paced(target, 500, once)


async def half_handshakes(target: Target) -> None:
    """50 new connections a second whose handshakes stop half way, 500 at a time"""
    hello, (host, _, port) = client_hello(target.issuer.context()), target.address.rpartition(":")
    held: list[asyncio.StreamWriter] = []
    number = numbers()
    try:
        async for count in target.paced(50):
            for _ in range(count):
                with suppress(OSError):
                    _, writer = await asyncio.open_connection(host, int(port))
                    # Each second one is answered, and says no more; the others do not finish their first message.
                    writer.write(hello if next(number) % 2 else hello[: len(hello) // 2])
                    held.append(writer)
            while len(held) > AT_ONCE:
                held.pop(0).transport.abort()
    finally:
        for writer in held:
            writer.transport.abort()


async def bad_tokens(target: Target) -> None:
    """1,000 calls a second, each with another token whose signature is wrong"""
    context, number = target.issuer.context(), numbers()
    head, _, signature = target.issuer.token().rpartition(".")
    body = message(pb.VerifyRequest(code=target.codes[0], host_region=HOST_REGION).SerializeToString())

    def headers() -> bytes:
        token = f"{head}.{next(number):08d}{signature[8:]}"
        return call_headers(VERIFY) + field(b"authorization", b"Bearer " + token.encode())

    async def once() -> None:
        with closing(await Connection.open(target.address, tls=context)) as connection:
            async for count in target.paced(1_000 / 4):
                for _ in range(min(count, 90 - connection.streams)):
                    await connection.send(await connection.begin(headers()), body, ends=True)

    await asyncio.gather(*(again(once) for _ in range(4)))


async def revoked(target: Target) -> None:
    """100 connections a second with a certificate that is revoked, each with a call"""
    context = target.issuer.context(REVOKED)
    body = message(pb.VerifyRequest(code=target.codes[0], host_region=HOST_REGION).SerializeToString())

    async def once() -> None:
        with closing(await Connection.open(target.address, tls=context)) as connection:
            await connection.send(await connection.begin(call_headers(VERIFY)), body, ends=True)
            await asyncio.sleep(HELD_S)

    await _paced(target, 100, once)


def make_authority(directory: Path) -> Authority:
    """Return an authority that has revoked a certificate too."""
    made = Authority.make(directory)
    made.issue(REVOKED, *CALLER)
    made.revoke(REVOKED)
    return made


def client_hello(context: ssl.SSLContext) -> bytes:
    """Return the first message of a handshake. A server has to sign its answer whoever repeats it."""
    outgoing = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


async def _paced(target: Target, per_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do it so often, whatever becomes of those before, of which AT_ONCE may be under way."""

    async def once() -> None:
        with suppress(Lost, OSError, TimeoutError):
            await asyncio.wait_for(work(), PATIENCE_S)

    running = set[asyncio.Task[None]]()
    try:
        async for count in target.paced(per_s):
            for _ in range(min(count, AT_ONCE - len(running))):
                task = asyncio.ensure_future(once())
                running.add(task)
                task.add_done_callback(running.discard)
    finally:
        for task in running:
            task.cancel()
