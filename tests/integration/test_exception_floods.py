"""Strangers who file, acknowledge and list without end: everybody else is answered as before."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc.aio
import lmdb

from onecode.v1 import exceptions_pb2, exceptions_pb2_grpc, recognition_pb2
from onecode_client import AsyncOnecodeClient, AsyncOperatorClient
from onecode_client.errors import server_error
from onecode_server.rules.recognition_exceptions import PAIR_OPEN_MAX

from tests.integration.deployment import Deployment, Server

CALLERS, CALLS_EACH, CONNECTIONS = 380, 5, 4


async def test_steps_of_reports_that_do_not_exist_are_answered_and_verdicts_go_on(
    deployment: Deployment, serve: Callable[..., Server]
) -> None:
    """Also while a writer, which is one process at a time, keeps all others waiting: none of them writes."""
    server, code = serve(deployment), deployment.issue("420000")[0]
    seen: Counter[str] = Counter()
    verdicts: Counter[int] = Counter()

    async def ask(stub: Any) -> None:
        for _ in range(CALLS_EACH):
            try:
                await stub.AcknowledgeException(exceptions_pb2.AcknowledgeExceptionRequest(id="x"), timeout=120)
            except grpc.aio.AioRpcError as fault:
                seen[server_error(fault).reason] += 1

    async def verify() -> None:
        async with AsyncOnecodeClient(server.address, deadline_s=120) as client:
            while seen.total() < CALLERS * CALLS_EACH:
                verdicts[(await client.verify(code, host_region="440000")).verdict.decision] += 1

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(server.address, options=options) for _ in range(CONNECTIONS)]
    stubs = [exceptions_pb2_grpc.ExceptionServiceStub(channel) for channel in channels]
    with lmdb.open(str(deployment.path / "store")) as env, env.begin(write=True):
        await asyncio.gather(verify(), *(ask(stubs[number % CONNECTIONS]) for number in range(CALLERS)))
    for channel in channels:
        await channel.close()
    assert set(seen) <= {"EXCEPTION_UNKNOWN", "OVERLOADED"}
    assert seen["EXCEPTION_UNKNOWN"]
    assert verdicts[recognition_pb2.DECISION_ADMIT]  # not all: on a loaded machine a status may be late


async def test_a_pair_that_strangers_have_filled_is_free_again_once_the_operator_has_withdrawn_one(
    deployment: Deployment, serve: Callable[..., Server]
) -> None:
    server, now = serve(deployment), datetime.now(UTC)
    async with AsyncOperatorClient(server.address, deadline_s=120) as client:
        report = partial(
            client.report_exception,
            host_region="440000",
            home_region="420000",
            effective_from=now + timedelta(days=1),
            effective_until=now + timedelta(days=31),
        )
        asked = (report(reason="a stranger's") for _ in range(2 * PAIR_OPEN_MAX))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = Counter(getattr(answer, "reason", "") for answer in answers)
        assert refused["TOO_MANY_OPEN_OF_PAIR"] == PAIR_OPEN_MAX
        filed = [one async for one in client.exceptions(state="EXCEPTION_STATE_REPORTED")]
        assert len(filed) == PAIR_OPEN_MAX
        await client.withdraw_exception(filed[0].id)
        own = await report(reason="our own")
        assert (await client.acknowledge_exception(own.id)).acknowledged_at.seconds
