"""Checks that share calls, on real servers: the answers of single ones, and nobody's end is anybody else's."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onecode.v1 import recognition_pb2 as pb
from onecode_client import AsyncOnecodeClient, OnecodeClient, ServerError
from onecode_client.batches import BATCH_BYTES_MAX
from onecode_client.gathering import BESIDE_CODES

from tests.integration.deployment import Deployment, Server, eventually

HANDLED, SERVICE = "grpc_server_handled_total", "onecode.v1.RecognitionService"
HOSTS = ("110000", "540000", "999999")
ASKED = st.lists(st.tuples(st.integers(0, 11), st.sampled_from(HOSTS), st.integers(0, 3)), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def codes(shared: Deployment) -> list[bytes]:
    """Twelve codes: of several formats and levels, and some that are none."""
    issued = [
        shared.issue(region, level)[0]
        for region in ("110000", "320000", "340000", "310000")
        for level in ("GREEN", "RED")
    ]
    return [*issued, b"", b"x" * 5000, b"eyJ", issued[0][:-4] + b"AAAA"]


@pytest.fixture(scope="module")
def alone(server: Server, codes: list[bytes]) -> dict[tuple[bytes, str], pb.VerifyResponse]:
    """What each code is told at each host by a call of its own."""
    stub = server.stub()
    return {
        (code, host): timeless(stub.Verify(pb.VerifyRequest(code=code, host_region=host), timeout=60))
        for code in codes
        for host in HOSTS
    }


def timeless(answer: pb.VerifyResponse) -> pb.VerifyResponse:
    """Return an answer without what time changes."""
    assert answer.checked_at.seconds
    answer.ClearField("checked_at")
    answer.verdict.status_age_s = 0
    return answer


def calls(server: Server) -> Counter[str]:
    """Return how many calls of each method were answered."""
    samples = server.samples(HANDLED)
    return Counter(
        {method: int(samples.get(("OK", method, SERVICE, "unary"), 0)) for method in ("Verify", "BatchVerify")}
    )


def test_tasks_that_ask_at_once_share_one_call_behind_the_first(server: Server, codes: list[bytes], alone: Any) -> None:
    async def ask() -> list[pb.VerifyResponse]:
        async with AsyncOnecodeClient(server.address) as client:
            return await asyncio.gather(*(client.verify(codes[n % 12], "110000") for n in range(BESIDE_CODES)))

    before = calls(server)
    answers = asyncio.run(ask())
    assert [timeless(answer) for answer in answers] == [alone[codes[n % 12], "110000"] for n in range(BESIDE_CODES)]
    assert calls(server) - before == {"Verify": 1, "BatchVerify": 1}


def test_threads_that_ask_at_once_share_one_call_behind_the_first(
    server: Server, codes: list[bytes], alone: Any
) -> None:
    before = calls(server)
    with OnecodeClient(server.address) as client, ThreadPoolExecutor(100) as threads:
        with server.stopped():
            asked = [threads.submit(client.verify, codes[n % 12], "110000") for n in range(100)]
            eventually(lambda: client._gathering.waiting == 99, 30)
        answers = [timeless(one.result()) for one in asked]
    assert answers == [alone[codes[n % 12], "110000"] for n in range(100)]
    assert calls(server) - before == {"Verify": 1, "BatchVerify": 1}


def test_one_after_the_other_makes_single_calls(server: Server, codes: list[bytes]) -> None:
    before = calls(server)
    with OnecodeClient(server.address) as client:
        for _ in range(5):
            client.verify(codes[0], "110000")
    assert calls(server) - before == {"Verify": 5}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=ASKED)
def test_gathered_answers_are_those_of_single_calls_in_any_interleaving_of_tasks(
    server: Server, codes: list[bytes], alone: Any, asked: list[tuple[int, str, int]]
) -> None:
    async def ask(client: AsyncOnecodeClient, code: bytes, host: str, turns: int) -> pb.VerifyResponse:
        for _ in range(turns):
            await asyncio.sleep(0.001)
        return await client.verify(code, host)

    async def ask_all() -> list[pb.VerifyResponse]:
        async with AsyncOnecodeClient(server.address, connections=2) as client:
            return await asyncio.gather(*(ask(client, codes[n], host, turns) for n, host, turns in asked))

    assert list(map(timeless, asyncio.run(ask_all()))) == [alone[codes[n], host] for n, host, _ in asked]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=ASKED)
def test_gathered_answers_are_those_of_single_calls_in_any_interleaving_of_threads(
    server: Server, codes: list[bytes], alone: Any, asked: list[tuple[int, str, int]]
) -> None:
    with OnecodeClient(server.address, connections=2) as client, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda one: client.verify(codes[one[0]], one[1]), asked))
    assert list(map(timeless, answers)) == [alone[codes[n], host] for n, host, _ in asked]


def test_what_is_wrong_with_one_caller_is_no_matter_of_the_others(
    server: Server, codes: list[bytes], alone: Any
) -> None:
    good, heavy = codes[0], b"x" * (BATCH_BYTES_MAX + 2**17)
    asked: list[tuple[Any, Any]] = [(good, "110000")] * 5
    asked[2:2] = [(heavy, "110000"), (good, "11"), ("text", "110000"), (good, "\ud800"), (good, ""), (good, "11")]

    async def ask() -> list[Any]:
        async with AsyncOnecodeClient(server.address) as client:
            return await asyncio.gather(*(client.verify(*one) for one in asked), return_exceptions=True)

    with OnecodeClient(server.address) as client, ThreadPoolExecutor(len(asked)) as threads:
        futures = [threads.submit(client.verify, *one) for one in asked]
        blocking: list[Any] = [one.exception() or one.result() for one in futures]
    for answers in (asyncio.run(ask()), blocking):
        bad = answers[2:8]
        assert list(map(timeless, answers[:2] + answers[8:])) == [alone[good, "110000"]] * 5
        assert (bad[0].code, bad[0].reason) == ("RESOURCE_EXHAUSTED", "")
        assert {error.reason for error in (bad[1], bad[4], bad[5])} == {"HOST_REGION_INVALID"}
        assert isinstance(bad[2], TypeError)
        assert isinstance(bad[3], ValueError)


def test_all_calls_of_the_asyncio_client_answer_as_the_blocking_ones(server: Server, codes: list[bytes]) -> None:
    async def ask() -> tuple[list[Any], list[Any], Any]:
        async with AsyncOnecodeClient(server.address) as client:
            verdicts = [verdict async for verdict in client.verify_all(codes, "110000")]
            results = [result async for result in client.translate_all(codes, "320000")]
            return verdicts, results, await client.translate(codes[0], "320000")

    verdicts, results, made = asyncio.run(ask())
    with OnecodeClient(server.address) as client:
        assert [verdict.reason for verdict in verdicts] == [v.reason for v in client.verify_all(codes, "110000")]
        again = list(client.translate_all(codes, "320000"))
        assert [bool(one.translation.code) for one in results] == [bool(one.translation.code) for one in again]
        assert (made.format, made.verdict.home_region) == ("jwt", "110000")


def test_an_asyncio_call_that_is_refused_says_why(server: Server, codes: list[bytes]) -> None:
    async def ask(refused: Callable[[AsyncOnecodeClient], Coroutine[Any, Any, Any]]) -> None:
        async with AsyncOnecodeClient(server.address) as client:
            await refused(client)

    with pytest.raises(ServerError) as error:
        asyncio.run(ask(lambda client: client.translate(codes[0], "310000")))
    assert (error.value.code, error.value.reason) == ("FAILED_PRECONDITION", "TARGET_OPAQUE")
    with pytest.raises(ServerError, match="INVALID_ARGUMENT: host_region is not six digits"):
        asyncio.run(ask(lambda client: client.verify(codes[0], "11")))
    assert isinstance(grpc.StatusCode[error.value.code], grpc.StatusCode)
