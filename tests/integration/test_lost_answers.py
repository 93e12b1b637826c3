"""Steps of exceptions whose answers are lost on the way: the client asks again, and they are done once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from onecode_client import AsyncOperatorClient, OperatorClient

from tests.integration.deployment import Deployment, Server


@pytest.fixture
def lossy(deployment: Deployment, serve: Callable[..., Server]) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server that passes calls on to a real one and loses every other answer; what it was asked."""
    asked: list[bytes] = []
    channel = grpc.insecure_channel(serve(deployment).address)

    class Lossy(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            def pass_on(request: bytes, context: Any) -> Any:
                asked.append(request)
                call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(details.method)
                answer = call(request, timeout=60)
                if len(asked) % 2:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
                return answer

            return grpc.unary_unary_rpc_method_handler(pass_on)

    server = grpc.server(ThreadPoolExecutor(), handlers=[Lossy()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", asked
    server.stop(None).wait()
    channel.close()


def report() -> dict[str, Any]:
    now = datetime.now(UTC)
    times = {"effective_from": now, "effective_until": now + timedelta(hours=1)}
    return {"host_region": "440000", "home_region": "420000", "reason": "why", **times}


def expect_once(asked: list[bytes], reports: list[Any]) -> None:
    """The three steps and the list were asked for twice each, in the same words."""
    assert len(asked) == 8
    assert [one == again for one, again in zip(asked[::2], asked[1::2], strict=True)] == [True] * 4
    assert [(one.HasField("acknowledged_at"), one.HasField("withdrawn_at")) for one in reports] == [(True, True)]


def test_a_step_whose_answer_is_lost_is_done_once(lossy: tuple[str, list[bytes]]) -> None:
    address, asked = lossy
    with OperatorClient(address, deadline_s=60) as client:
        filed = client.report_exception(**report())
        client.acknowledge_exception(filed.id)
        client.withdraw_exception(filed.id)
        reports = list(client.exceptions())
    expect_once(asked, reports)


async def test_an_async_step_whose_answer_is_lost_is_done_once(lossy: tuple[str, list[bytes]]) -> None:
    address, asked = lossy
    async with AsyncOperatorClient(address, deadline_s=60) as client:
        filed = await client.report_exception(**report())
        await client.acknowledge_exception(filed.id)
        await client.withdraw_exception(filed.id)
        reports = [one async for one in client.exceptions()]
    expect_once(asked, reports)
