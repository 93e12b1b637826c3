"""Calls of strangers: any number of them keeps no known caller waiting, and each has its turn."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode_server.errors import Overloaded, Unauthenticated
from onecode_server.model.identity import Identity, Role
from onecode_server.rpc import strangers
from onecode_server.rpc.admission import Admission
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Callers, Credentials, authorization_of
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.instrumented import InstrumentedServer
from onecode_server.rpc.strangers import PLACES, WAITING_MAX, Strangers
from onecode_server.telemetry.metrics import Metrics

SCANNER = Identity(Role.SCANNER, "420000")
METHOD = "/test.Service/Verify"
FOR_EVER_S = 3600.0


class GoodTokens(OnlyLocal):
    """An authenticator that takes each token that begins with ``good``, and recalls those that it has seen."""

    def __init__(self) -> None:
        self.seen: set[str | None] = set()
        self.looks = 0

    def identify(self, _: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        self.looks += 1
        if not authorization or not authorization.startswith("good"):
            raise Unauthenticated("TOKEN_SIGNATURE", "the token's signature is not valid")
        self.seen.add(authorization)
        return SCANNER

    def recall(self, _: bytes | None, authorization: str | None, *, is_local: bool) -> Identity | None:
        return SCANNER if authorization in self.seen else None

    def remembers(self, _: bytes | None, authorization: str | None) -> bool:
        return False


def token_of(context: Any) -> Credentials:
    return None, authorization_of(context), False


async def answer(request: bytes, _: Any) -> bytes:
    return request


class Serving:
    """A server of ours, and channels to it."""

    def __init__(self, port: int, authenticator: GoodTokens, admission: Admission) -> None:
        self.authenticator, self.strangers = authenticator, admission.strangers
        self._address = f"127.0.0.1:{port}"
        self._channels: list[grpc.aio.Channel] = []

    def caller(self) -> "Caller":
        """Return a caller with a connection of its own."""
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
        self._channels.append(grpc.aio.insecure_channel(self._address, options))
        return Caller(self._channels[-1])

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


class Caller:
    """Calls over one connection."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._verify: Any = channel.unary_unary(METHOD)

    async def call(self, token: str) -> grpc.StatusCode:
        """Return how a call ended."""
        try:
            await self._verify(b"code", metadata=(("authorization", token),), timeout=60)
        except grpc.aio.AioRpcError as fault:
            return fault.code()
        return grpc.StatusCode.OK

    def bad(self, count: int) -> list[asyncio.Task[grpc.StatusCode]]:
        """Begin so many calls with bad tokens, each with another one."""
        return [asyncio.create_task(self.call(f"bad {number}")) for number in range(count)]


@asynccontextmanager
async def serving() -> AsyncIterator[Serving]:
    growth, server, metrics, authenticator = Growth(), grpc.aio.server(), Metrics(), GoodTokens()
    admission = Admission(metrics, growth)
    InstrumentedServer(server, metrics, admission, Callers(authenticator, token_of)).add_registered_method_handlers(
        "test.Service", {"Verify": grpc.unary_unary_rpc_method_handler(answer, bytes, bytes)}
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made = Serving(port, authenticator, admission)
    try:
        yield made
    finally:
        await made.close()
        await server.stop(0)
        growth.close()


@pytest.fixture
def one_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first period never end: only so many strangers as there are places in it are refused."""
    monkeypatch.setattr(strangers, "PERIOD_S", FOR_EVER_S)


async def until_wait(of: Strangers, count: int) -> None:
    """Wait until so many calls wait for their turn."""
    async with asyncio.timeout(30):
        while len(of) != count:  # noqa: ASYNC110 - gRPC has no event for it
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("one_period")
async def test_a_known_caller_is_answered_while_strangers_wait_whose_tokens_are_not_looked_at() -> None:
    async with serving() as one:
        known = one.caller()
        assert await known.call("good") is grpc.StatusCode.OK
        looks, bad = one.authenticator.looks, one.caller().bad(50)
        await until_wait(one.strangers, 50 - PLACES)
        for _ in range(10):
            assert await known.call("good") is grpc.StatusCode.OK
        assert one.authenticator.looks == looks + PLACES
        assert len(one.strangers) == 50 - PLACES
        for call in bad:
            call.cancel()


async def test_each_stranger_is_refused_by_name_in_the_end() -> None:
    async with serving() as one:
        assert set(await asyncio.gather(*one.caller().bad(50))) == {grpc.StatusCode.UNAUTHENTICATED}
        assert len(one.strangers) == 0


@pytest.mark.usefixtures("one_period")
async def test_any_number_of_new_callers_who_are_somebody_is_answered_at_once() -> None:
    async with serving() as one:
        calls = (one.caller().call(f"good {number}") for number in range(5 * PLACES))
        assert set(await asyncio.gather(*calls)) == {grpc.StatusCode.OK}


@pytest.mark.usefixtures("one_period")
async def test_a_caller_that_leaves_while_it_waits_takes_no_place() -> None:
    async with serving() as one:
        leaving = one.caller().bad(PLACES + 20)
        await until_wait(one.strangers, 20)
        for call in leaving:
            call.cancel()
        await until_wait(one.strangers, 0)
        staying = one.caller().bad(PLACES)
        await until_wait(one.strangers, PLACES)
        one.strangers._end_period()
        assert set(await asyncio.gather(*staying)) == {grpc.StatusCode.UNAUTHENTICATED}
        assert len(one.strangers) == 0


class Context:
    """A call, as far as turns are concerned."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        """Return whose connection it came by."""
        return self._peer


async def queue(of: Strangers, peer: str, had: list[str]) -> None:
    with suppress(Overloaded):
        await of.turn(Context(peer))  # type: ignore[arg-type]
        had.append(peer)


async def test_connections_take_turns() -> None:
    of, had = Strangers(lambda _: None), list[str]()
    await asyncio.gather(*(queue(of, peer, had) for peer in "a" * 100 + "b" * 2 + "c"))
    assert Counter(had) == {"a": 100, "b": 2, "c": 1}
    assert sorted(had[PLACES : PLACES + 3]) == ["a", "b", "c"]
    assert had[PLACES + 3 : PLACES + 5] == ["a", "b"]


@pytest.mark.usefixtures("one_period")
async def test_a_bound_holds_for_all_and_leaves_room_for_other_connections() -> None:
    refused = Counter[str]()
    of = Strangers(lambda reason: refused.update([reason]))
    tasks = [asyncio.create_task(queue(of, "a", [])) for _ in range(WAITING_MAX)]
    await asyncio.sleep(0)
    assert len(of) < WAITING_MAX / 2
    tasks += [asyncio.create_task(queue(of, f"b{number}", [])) for number in range(WAITING_MAX)]
    await asyncio.sleep(0)
    assert len(of) == WAITING_MAX
    assert refused == {"callers_unknown": 2 * WAITING_MAX - PLACES - WAITING_MAX}
    for task in tasks:
        task.cancel()
