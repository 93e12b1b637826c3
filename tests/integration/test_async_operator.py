"""The operator's calls of the asyncio client: what the blocking one is told, and why it is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from onecode.v1 import exceptions_pb2 as pb
from onecode_client import AsyncOperatorClient, OperatorClient, ServerError, status_record

from tests.integration.deployment import Deployment, Server, record


@pytest.fixture
def running(deployment: Deployment, serve: Any) -> Server:
    started: Server = serve(deployment)
    return started


async def test_a_report_is_filed_acknowledged_listed_and_withdrawn(running: Server) -> None:
    now = datetime.now(UTC)
    async with AsyncOperatorClient(running.address) as client:
        filed = [
            await client.report_exception(
                host_region=host,
                home_region="420000",
                reason="a variant",
                effective_from=now,
                effective_until=now + timedelta(hours=1),
            )
            for host in ("440000", "110000", "320000")
        ]
        assert (await client.acknowledge_exception(filed[0].id)).state == pb.EXCEPTION_STATE_EFFECTIVE
        listed = [report async for report in client.exceptions(page_size=1)]
        with OperatorClient(running.address) as blocking:
            assert listed == list(blocking.exceptions())
        assert {report.id for report in listed} == {report.id for report in filed}
        assert (await client.withdraw_exception(filed[0].id)).state == pb.EXCEPTION_STATE_WITHDRAWN
        with pytest.raises(ServerError) as refused:
            await client.acknowledge_exception("RE-nothing")
    assert refused.value.code == "NOT_FOUND"
    with pytest.raises(ServerError, match="CANCELLED: the client is closed"):
        await client.trust_list()


async def test_a_subjects_records_are_told_by_each_of_its_names(running: Server, deployment: Deployment) -> None:
    code = deployment.issue("420000", id="wang")[0]

    def publish() -> list[Any]:
        with OperatorClient(running.address) as client:
            list(client.publish([status_record(record("420000", "RED", "wang"))]))
            return client.get_status(region="420000", local_id="wang")

    known = await asyncio.to_thread(publish)
    async with AsyncOperatorClient(running.address) as client:
        assert [one.level for one in known] == [3]
        assert await client.get_status(region="420000", local_id="wang") == known
        assert [one.level for one in await client.get_status(code=code)] == [3]
        assert await client.get_status(pseudonym=bytes(16)) == []


async def test_the_trust_list_is_told_where_it_is_newer(running: Server, deployment: Deployment) -> None:
    async with AsyncOperatorClient(running.address) as client:
        assert await client.trust_list() == deployment.list_file.read_bytes().strip()
        assert await client.trust_list(if_newer_than=1) is None


async def test_calls_that_wait_for_a_server_are_ended_by_closing() -> None:
    client = AsyncOperatorClient("127.0.0.1:1", wait_for_ready=True)
    asked = asyncio.create_task(client.trust_list())
    await asyncio.sleep(0.2)
    await client.close()
    with pytest.raises(ServerError, match="CANCELLED: the client is closed"):
        await asked
