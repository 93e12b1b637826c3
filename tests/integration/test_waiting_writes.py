"""Publishers that wait for a disk: however many they are, no verdict changes, and they share a commit."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import lmdb

from onecode.v1 import recognition_pb2, status_pb2
from onecode_client import status_record

from tests.integration.deployment import Deployment, Server, eventually, record

PUBLISHERS = 300  # more than ever waited at once for reads and writes together
PUBLISH = "/onecode.v1.StatusService/PublishStatuses"
VERIFY = "/onecode.v1.RecognitionService/Verify"
CHANNEL = (("grpc.use_local_subchannel_pool", 1),)


@contextmanager
def held(directory: Path) -> Iterator[Any]:
    """Hold the lock of all writers, as a process does whose disk hangs."""
    with lmdb.open(str(directory), max_dbs=8, max_readers=512, map_size=2**36) as env:
        txn = env.begin(write=True)
        try:
            yield env
        finally:
            txn.abort()


async def publish(channel: grpc.aio.Channel, number: int) -> int:
    """Publish one record on a stream of its own; return up to where it is durable."""
    call = channel.stream_stream(
        PUBLISH,
        request_serializer=status_pb2.PublishStatusesRequest.SerializeToString,
        response_deserializer=status_pb2.PublishStatusesResponse.FromString,
    )(timeout=100)
    published = status_record(record("420000", "GREEN", f"publisher-{number}"))
    await call.write(status_pb2.PublishStatusesRequest(sequence=1, record=published))
    answer = await call.read()
    await call.done_writing()
    assert isinstance(answer, status_pb2.PublishStatusesResponse)
    return answer.durable_through


async def verdicts(channel: grpc.aio.Channel, codes: list[bytes]) -> set[int]:
    """Return the decisions about codes, one after the other."""
    verify = channel.unary_unary(
        VERIFY,
        request_serializer=recognition_pb2.VerifyRequest.SerializeToString,
        response_deserializer=recognition_pb2.VerifyResponse.FromString,
    )
    found: set[int] = set()
    for code in codes:
        answer = await verify(recognition_pb2.VerifyRequest(code=code, host_region="440000"), timeout=100)
        found.add(answer.verdict.decision)
    return found


def test_publishers_that_wait_for_a_disk_change_no_verdict_and_share_a_commit(
    deployment: Deployment, serve: Any
) -> None:
    codes = deployment.issue("420000", count=20)  # of bearers that the server has never heard of
    server: Server = serve(deployment)

    async def run() -> None:
        channels = [grpc.aio.insecure_channel(server.address, CHANNEL) for _ in range(5)]
        with held(deployment.path / "store") as env:
            before = env.info()["last_txnid"]
            publishers = [asyncio.create_task(publish(channels[n % 4], n)) for n in range(PUBLISHERS)]
            await asyncio.to_thread(eventually, lambda: received(server) >= PUBLISHERS, 60)
            assert await verdicts(channels[4], codes) == {recognition_pb2.DECISION_ADMIT}
        assert await asyncio.gather(*publishers) == [1] * PUBLISHERS
        with lmdb.open(str(deployment.path / "store")) as env:
            commits = env.info()["last_txnid"] - before
        assert commits < PUBLISHERS / 10
        for channel in channels:
            await channel.close()

    asyncio.run(run())


def received(server: Server) -> float:
    """Return how many records have come in."""
    return server.samples("grpc_server_msg_received_total").get(
        ("PublishStatuses", "onecode.v1.StatusService", "bidi_stream"), 0
    )
