"""The native front alone: turned by the test's loop, answered by the test, with an echo where the listener would be."""

import asyncio
import ssl
import struct
import time
from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from onecode.v1 import recognition_pb2 as pb

from tests.unit.rpc.unix_relay import UnixRelay

SERVICE: Final = "/onecode.v1.RecognitionService/"
TOKEN: Final = "token-of-the-test"
OVERLOADED: Final = (8, "too much at once: 100 %", b"\x08\x08retry")
EXPIRED: Final = (4, "Deadline Exceeded", b"")
OVERDUE: Final = (4, "the request did not arrive", b"\x08\x04")
IDLE: Final = (14, "no message for too long", b"")
CROWDED: Final = (8, "too many calls of this caller", b"\x08\x08crowd")
LIMITS: Final[dict[str, Any]] = {
    "shares_port": False,
    "connections_max": 16,
    "queue_codes_max": 4096,
    "queue_age_s": 60.0,
    "idle_s": 900.0,
    "age_s": 3600.0,
    "age_ends_s": 600.0,
    "handshake_s": 10.0,
    "keepalive_s": 60.0,
    "keepalive_timeout_s": 20.0,
    "window_bytes": 128 * 1024,
    "calls_max": 100,
    "streams_max": 512,
    "stream_idle_s": 600.0,
    "request_s": 10.0,
    "held_bytes_max": 64 * 1024 * 1024,
    "identifies": False,
    "credentials_max": 16,
}
_WITHIN_S: Final = 20
Asking = tuple[int, bytes, bytes, bool, int]
"""A credential that is asked about, as ``Front.take_asking`` returns it."""


class Driver:
    """Turns a front, and keeps the work that it takes until the test answers it."""

    def __init__(self, upstream: str, hosts: Sequence[str], **limits: Any) -> None:
        from onecode_server.rpc._front import Front

        self.front = Front(
            hosts,
            0,
            upstream,
            TOKEN,
            OVERLOADED,
            EXPIRED,
            OVERDUE,
            IDLE,
            CROWDED,
            **{"tls": None, "latency_buckets_s": [0.001, 0.1, 10.0]} | LIMITS | limits,
        )
        self.target = f"127.0.0.1:{self.front.port}"
        self.works: list[tuple[int, str, list[str], list[bytes]]] = []
        self.ended: list[int] = []
        self.asked: list[Asking] = []
        self.identify: Callable[[Asking], None] = self.asked.append
        self.takes = self.answers = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.front.fileno(), self.turn)

    def turn(self) -> None:
        """Do what is to be done now, and answer what is to be answered."""
        waiting = self.front.turn()
        for asked in self.front.take_asking():
            self.identify(asked)
        if waiting and self.takes:
            self.take()
        for ticket in self.front.take_ended():
            self.ended.append(ticket)
            if any(work[0] == ticket for work in self.works):
                self.works = [work for work in self.works if work[0] != ticket]
                self.front.forget(ticket)
        if self.front.has_work:
            self._loop.call_soon(self.turn)

    def take(self) -> None:
        self.works.extend(self.front.take(512))
        while batch := self.front.take_batch():
            self.works.append((batch[0], "batch", [batch[1]], self.front.read_batch(batch[0]) or []))
        has_answered = self.answers and bool(self.works)
        while self.answers and self.works:
            self.answer(*self.works.pop(0))
        # As ``NativeCalls`` does: codes that had come already have room now, and no socket tells of them.
        if has_answered or self.front.has_work:
            self._loop.call_soon(self.turn)

    def answer(self, ticket: int, kind: str, hosts: Sequence[str], codes: Sequence[bytes]) -> None:
        """Answer each code with a verdict that repeats it, and its host, as far as they are known."""
        if kind in ("single", "stream"):
            response = pb.VerifyResponse if kind == "single" else pb.StreamVerifyResponse
            tail = response(trust_list_version=7).SerializeToString()
            pieces = [
                response(
                    verdict=pb.Verdict(home_region=host, exception_id=code.decode(errors="replace"))
                ).SerializeToString()
                for host, code in zip(hosts, codes, strict=True)
            ]
            self.front.answer(ticket, pieces, array("q", range(len(pieces))), tail)
        elif kind == "batch":
            verdicts = [pb.Verdict(home_region=hosts[0], exception_id=code.decode(errors="replace")) for code in codes]
            self.front.answer_whole(ticket, pb.BatchVerifyResponse(verdicts=verdicts).SerializeToString())
        else:
            try:
                number = pb.StreamVerifyRequest.FromString(codes[0]).request_id
            except DecodeError:
                self.front.fail(ticket, (3, "no message", b""))
                return
            answered = pb.StreamVerifyResponse(request_id=number, verdict=pb.Verdict(exception_id="odd"))
            self.front.answer_whole(ticket, answered.SerializeToString())

    def answer_all(self) -> None:
        """Answer what was kept, the last first."""
        self.take()
        while self.works:
            self.answer(*self.works.pop())
        self.turn()

    def close(self) -> None:
        self._loop.remove_reader(self.front.fileno())
        self.front.close()


async def until(is_so: Callable[[], Any]) -> None:
    """Return once something is so."""
    ends_s = time.monotonic() + _WITHIN_S
    while not is_so():
        assert time.monotonic() < ends_s, "it did not become so"
        await asyncio.sleep(0.005)


async def _echo(_: Any, context: Any) -> None:
    """Send back what comes: messages, then metadata and peer as trailers. ``x-fail`` asks for a failure."""
    metadata = dict(context.invocation_metadata() or ())
    await context.send_initial_metadata((("x-first", "yes"),))
    while (message := await context.read()) is not grpc.aio.EOF:
        await context.write(message)
    kept = [(key, value) for key, value in metadata.items() if key.startswith("x-")]
    context.set_trailing_metadata((*kept, ("x-echo-bin", b"\x00\xff")))
    if "x-fail" in metadata:
        await context.abort(grpc.StatusCode.DATA_LOSS, "as asked: 号", (("x-more", "1"),))


class _Echo(grpc.GenericRpcHandler):
    def service(self, details: Any) -> Any:
        return grpc.stream_stream_rpc_method_handler(_echo)


@asynccontextmanager
async def driven(
    *,
    has_upstream: bool = True,
    relay: UnixRelay | None = None,
    behind: tuple[tuple[str, int], ...] = (),
    hosts: Sequence[str] = ("127.0.0.1",),
    **limits: Any,
) -> AsyncIterator[Driver]:
    """Start a front, with an echo behind it, whose server has the options ``behind``. ``relay`` is put in between."""
    with TemporaryDirectory(prefix="front-") as folder:
        path = Path(folder) / "inner"
        options = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), *behind)
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers((_Echo(),))
        if has_upstream:
            server.add_insecure_port(f"unix:{path}")
        await server.start()
        driver = Driver(str(await relay.start(path) if relay else path), hosts, **limits)
        try:
            yield driver
        finally:
            driver.close()
            if relay:
                await relay.close()
            await server.stop(0)


def channel(
    driver: Driver, target: str = "", credentials: grpc.ChannelCredentials | None = None, **options: Any
) -> grpc.aio.Channel:
    """Return a channel of its own. ``target`` is one of the front's addresses, if there are several. With
    ``credentials`` it is in TLS."""
    given = {
        "grpc.use_local_subchannel_pool": 1,
        "grpc.max_receive_message_length": -1,
        "grpc.enable_retries": 0,
    } | {key.replace("__", "."): value for key, value in options.items()}
    if credentials is not None:
        return grpc.aio.secure_channel(target or driver.target, credentials, tuple(given.items()))
    return grpc.aio.insecure_channel(target or driver.target, tuple(given.items()))


def bytes_call(of: grpc.aio.Channel, method: str) -> Any:
    """Return a method that takes and returns bytes as they are."""
    return of.stream_stream(SERVICE + method if "/" not in method else method)


class Wire:
    """A connection of frames, for callers that no library would be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def open(cls, driver: Driver, tls: ssl.SSLContext | None = None) -> "Wire":
        name = None if tls is None else "localhost"
        return cls(*await asyncio.open_connection("127.0.0.1", driver.front.port, ssl=tls, server_hostname=name))

    def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))

    async def __aiter__(self) -> AsyncIterator[tuple[int, int, int, bytes]]:
        """Yield type, flags, stream and payload of each frame."""
        while True:
            head = await asyncio.wait_for(self._reader.readexactly(9), _WITHIN_S)
            payload = await self._reader.readexactly(int.from_bytes(head[:3]))
            yield head[3], head[4], int.from_bytes(head[5:]), payload

    async def frames(self) -> list[tuple[int, int, int, bytes]]:
        """Return all frames until the front hangs up."""
        found = []
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            async for one in self:
                found.append(one)  # noqa: PERF401 - those before the end count
        return found

    async def frame(self, kind: int) -> tuple[int, int, bytes]:
        """Return flags, stream and payload of the next frame of a kind."""
        return await anext((flags, stream, payload) async for of, flags, stream, payload in self if of == kind)

    def close(self) -> None:
        self.writer.close()


def window_update(stream: int, size: int) -> bytes:
    """Return a WINDOW_UPDATE."""
    return struct.pack(">HBBBII", 0, 4, 8, 0, stream, size)
