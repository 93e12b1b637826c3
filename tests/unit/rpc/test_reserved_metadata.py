"""Metadata that only the front may set counts behind the front alone, and a stranger there is refused."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from onecode_server.rpc.admission import Admission
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.instrumented import InstrumentedServer
from onecode_server.rpc.reserved_metadata import PEER_KEY, TOKEN_KEY, Gate, peer_of_connection
from onecode_server.telemetry.metrics import Metrics

SERVICE = "test.Service"
CALLER = "ipv4:192.0.2.1:4711"


class Serving:
    """A server that answers with the address of its caller, behind a gate or without one."""

    def __init__(self, gate: Gate | None) -> None:
        self.metrics, self._growth = Metrics(), Growth()
        peer_of = peer_of_connection if gate is None else gate.peer_of
        admission = Admission(self.metrics, self._growth, peer_of=peer_of)
        self.server = grpc.aio.server()

        async def answer(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
            return peer_of(context).encode()

        InstrumentedServer(self.server, self.metrics, admission, gate).add_registered_method_handlers(
            SERVICE, {"Peer": grpc.unary_unary_rpc_method_handler(answer, bytes, bytes)}
        )
        self._port = self.server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self) -> "Serving":
        await self.server.start()
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", (("grpc.enable_http_proxy", 0),))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()
        await self.server.stop(0)
        self._growth.close()

    async def peer(self, *metadata: tuple[str, str], method: str = "Peer") -> str:
        """Return the address that a call is taken to come from."""
        call: Any = self._channel.unary_unary(f"/{SERVICE}/{method}")
        answer: bytes = await call(b"", metadata=metadata, timeout=30)
        return answer.decode()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def behind(gate: Gate) -> AsyncIterator[Serving]:
    async with Serving(gate) as serving:
        yield serving


async def test_the_front_says_whose_call_it_is(behind: Serving, gate: Gate) -> None:
    assert await behind.peer((TOKEN_KEY, gate.token), (PEER_KEY, CALLER)) == CALLER
    assert (await behind.peer((TOKEN_KEY, gate.token))).startswith("ipv4:127.0.0.1:")


@pytest.mark.parametrize("method", ["Peer", "NoSuchMethod"])
@pytest.mark.parametrize("token", [None, "", "0" * 64])
async def test_a_stranger_behind_the_front_is_refused_and_counted(
    behind: Serving, token: str | None, method: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await behind.peer(*([] if token is None else [(TOKEN_KEY, token)]), (PEER_KEY, CALLER), method=method)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    details = dict(refused.value.trailing_metadata() or ())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(bytes(details)).details[0].Unpack(info)
    assert (info.reason, info.domain) == ("NOT_PERMITTED", "onecode")
    labels = {"reason": "stranger"}
    assert behind.metrics.registry.get_sample_value("onecode_refused_calls_total", labels) == 1


async def test_every_other_listener_ignores_what_a_caller_sets(gate: Gate) -> None:
    async with Serving(None) as plain:
        assert (await plain.peer((TOKEN_KEY, gate.token), (PEER_KEY, CALLER))).startswith("ipv4:127.0.0.1:")


def test_no_two_gates_have_one_token() -> None:
    assert len({Gate().token for _ in range(100)}) == 100
