"""What a call counts against its caller's rate: a unit before anything is done for it, then what else it asks for."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from onecode.v1 import recognition_pb2 as pb
from onecode_server import assembly
from onecode_server.model.identity import Role
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.caller_limits import CallerLimits
from onecode_server.rpc.callers import Callers, nothing_shown
from onecode_server.rpc.listener import GrpcListener
from onecode_server.settings.limits import Limit

from tests.world import World

UNITS_PER_S = 8
AT_ONCE = UNITS_PER_S + 1
"""The units that are taken while no time passes: a second's, and the one with which nothing is owed beyond it."""
LIMITED = grpc.StatusCode.RESOURCE_EXHAUSTED
OK, INVALID, UNKNOWN = grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
SCANS, HEALTH = "onecode.v1.RecognitionService", "grpc.health.v1.Health"
CODE = pb.VerifyRequest(code=b"x", host_region="440000").SerializeToString()


def batch(codes: int, host: str = "440000") -> bytes:
    return pb.BatchVerifyRequest(codes=[b"x"] * codes, host_region=host).SerializeToString()


@pytest.fixture
async def channel(world: World) -> AsyncIterator[grpc.aio.Channel]:
    """A connection whose calls count against one limit, while no time passes."""
    limits = CallerLimits({Role.LOCAL: Limit(UNITS_PER_S, 64)}, lambda: 0.0, lambda *_: None)
    listener = GrpcListener(
        assembly.services(world.engine),
        world.metrics,
        Callers(OnlyLocal(), nothing_shown, limits),
        connections_max=64,
        reflects=True,
        shares_port=False,
    )
    port = await listener.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", (("grpc.enable_http_proxy", 0),)) as opened:
        yield opened
    await listener.drain(5)


async def ended(channel: grpc.aio.Channel, method: str, request: bytes) -> grpc.StatusCode:
    called: Any = channel.unary_unary(f"/{method}")
    code: grpc.StatusCode = await called(request, timeout=30).code()
    return code


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        (f"{SCANS}/Verify", CODE, OK),
        (f"{SCANS}/Verify", b"\xff\xff", INVALID),
        (f"{SCANS}/Verify", pb.VerifyRequest(host_region="nowhere").SerializeToString(), INVALID),
        (f"{SCANS}/BatchVerify", batch(0), INVALID),
        (f"{SCANS}/BatchVerify", batch(3, "nowhere"), INVALID),
        (f"{SCANS}/BatchTranslate", batch(1), OK),
        (f"{SCANS}/Translate", CODE, OK),
        ("onecode.v1.StatusService/GetStatus", b"", INVALID),
        ("onecode.v1.TrustListService/GetTrustList", b"", OK),
        ("onecode.v1.ExceptionService/ListExceptions", b"", OK),
        ("onecode.v1.ExceptionService/WithdrawException", b"", UNKNOWN),
        (f"{HEALTH}/Check", b"", OK),
        (f"{HEALTH}/Check", health_pb2.HealthCheckRequest(service="what").SerializeToString(), UNKNOWN),
        (f"{HEALTH}/List", b"", OK),
    ],
)
async def test_a_call_counts_one_unit_however_it_ends(
    channel: grpc.aio.Channel, method: str, request_: bytes, code: grpc.StatusCode
) -> None:
    found = [await ended(channel, method, request_) for _ in range(AT_ONCE + 2)]
    assert found == [code] * AT_ONCE + [LIMITED] * 2


@pytest.mark.parametrize("method", ["BatchVerify", "BatchTranslate"])
async def test_a_batch_is_taken_whole_and_counts_its_codes(channel: grpc.aio.Channel, method: str) -> None:
    part = UNITS_PER_S // 2
    found = [await ended(channel, f"{SCANS}/{method}", batch(codes)) for codes in (part, part, 5 * part, 1)]
    assert found == [OK, OK, OK, LIMITED]


async def test_a_watch_and_a_question_to_reflection_count_too(channel: grpc.aio.Channel) -> None:
    watch: Any = channel.unary_stream(f"/{HEALTH}/Watch")
    asked = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
    info: Any = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")

    async def first(call: Any) -> grpc.StatusCode:
        try:
            await anext(aiter(call))
        except grpc.aio.AioRpcError as fault:
            return fault.code()
        call.cancel()
        return OK

    calls = [lambda: watch(b"", timeout=30), lambda: info(iter([asked]), timeout=30)]
    found = [await first(calls[number % 2]()) for number in range(2 * AT_ONCE)]
    assert found[0] is found[1] is OK
    assert found[-2:] == [LIMITED] * 2
