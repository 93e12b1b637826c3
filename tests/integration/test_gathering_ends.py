"""How calls that share end: late, cancelled, deserted, closed or killed, and nobody's end is anybody else's."""

import asyncio
import random
import signal
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import AsyncOnecodeClient, OnecodeClient, ServerError
from onecode_client.gathering import BESIDE_CODES

from tests.integration.deployment import Deployment, Server, eventually, free_port

TAKEN = ("BatchVerify", "onecode.v1.RecognitionService", "unary")
SHORT_S, LONG_S = 0.3, 60.0
IN_FLIGHT = 1 + BESIDE_CODES
"""At a server that does not answer: the first caller's own call, and the one that goes out beside it."""


@pytest.fixture(scope="module")
def code(shared: Deployment) -> bytes:
    return shared.issue("110000")[0]


def decisions(answers: list[Any]) -> set[int]:
    return {answer.verdict.decision for answer in answers}


def codes_and_reasons(errors: list[Any]) -> set[tuple[str, str]]:
    """Return what errors say. Each is a caller's own, since raising one writes into it."""
    assert len({id(error) for error in errors}) == len(errors)
    return {(error.code, error.reason) for error in errors}


def has_taken_some(server: Server) -> bool:
    return server.samples("grpc_server_handled_total").get(("OK", *TAKEN), 0) > 5


def nothing_is_left(client: OnecodeClient | AsyncOnecodeClient) -> bool:
    gathering, lines = client._gathering, client._pool._lines
    return (gathering.waiting, gathering._calls, gathering._in_flight, sum(line.calls for line in lines)) == (
        0,
        0,
        {},
        0,
    )


@asynccontextmanager
async def calling(client: AsyncOnecodeClient, code: bytes, count: int) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Let so many tasks ask at once."""
    tasks = [asyncio.create_task(client.verify(code, "110000")) for _ in range(count)]
    await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)


def test_callers_who_are_cancelled_or_late_take_nobody_along(server: Server, code: bytes) -> None:
    async def ask() -> None:
        async with AsyncOnecodeClient(server.address) as client:
            with server.stopped():
                async with calling(client, code, IN_FLIGHT + 3) as tasks:
                    late = [asyncio.create_task(client.verify(code, "110000", deadline_s=SHORT_S)) for _ in range(3)]
                    for leaves in (tasks[0], tasks[5], tasks[-1]):  # its own call, one in flight, one that waits
                        leaves.cancel()
                    errors = await asyncio.gather(*late, return_exceptions=True)
                    server.process.send_signal(signal.SIGCONT)
                    answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert codes_and_reasons(errors) == {("DEADLINE_EXCEEDED", "")}
        assert [type(answers.pop(n)) for n in (-1, 5, 0)] == [asyncio.CancelledError] * 3
        assert decisions(answers) == {pb.DECISION_ADMIT}

    asyncio.run(ask())


def test_a_call_that_everybody_has_left_ends(server: Server, code: bytes) -> None:
    async def ask() -> None:
        async with AsyncOnecodeClient(server.address) as client:
            with server.stopped():
                async with calling(client, code, IN_FLIGHT) as tasks:
                    (call,) = client._calls.values()
                    for task in tasks[1:]:
                        task.cancel()
                    await asyncio.wait([call], timeout=30)
                    assert (call.cancelled(), client._calls) == (True, {})
                    tasks[0].cancel()
            assert (await client.verify(code, "110000")).trust_list_version

    asyncio.run(ask())


def test_a_thread_whose_deadline_passes_takes_nobody_along(server: Server, code: bytes) -> None:
    with OnecodeClient(server.address) as client, ThreadPoolExecutor(30) as threads:
        with server.stopped():
            first = threads.submit(client.verify, code, "110000", deadline_s=LONG_S)
            eventually(lambda: client._gathering._calls == 1, 30)
            asked = [
                threads.submit(client.verify, code, "110000", deadline_s=SHORT_S if n % 3 else LONG_S)
                for n in range(29)
            ]
            errors = [one.exception() for n, one in enumerate(asked) if n % 3]
            assert client._gathering.waiting == len(asked) - len(errors)
        answers = [one.result() for one in (first, *asked[::3])]
    assert codes_and_reasons(errors) == {("DEADLINE_EXCEEDED", "")}
    assert decisions(answers) == {pb.DECISION_ADMIT}


def test_closing_an_asyncio_client_ends_every_call_that_waits(server: Server, code: bytes) -> None:
    async def ask() -> None:
        client = AsyncOnecodeClient(server.address)
        with server.stopped():
            async with calling(client, code, IN_FLIGHT + 3) as tasks:
                tasks.append(asyncio.create_task(client.translate(code, "110000")))
                await asyncio.sleep(SHORT_S)
                await client.close()
                errors = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
        for refused in (client.verify(code, "110000"), client.translate(code, "110000")):
            errors += await asyncio.gather(refused, return_exceptions=True)
        assert codes_and_reasons(errors) == {("CANCELLED", "CLIENT_CLOSED")}
        assert client._calls == {}
        await client.close()

    asyncio.run(ask())


def test_closing_a_blocking_client_ends_every_call_that_waits(server: Server, code: bytes) -> None:
    client = OnecodeClient(server.address)
    with server.stopped(), ThreadPoolExecutor(IN_FLIGHT + 4) as threads:
        asked: list[Future[Any]] = [threads.submit(client.verify, code, "110000") for _ in range(IN_FLIGHT + 3)]
        asked.append(threads.submit(client.translate, code, "110000"))
        eventually(lambda: client._gathering.waiting == 3, 30)
        client.close()
        errors = [one.exception(30) for one in asked]
        errors += [threads.submit(ask, code, "110000").exception(30) for ask in (client.verify, client.translate)]
    assert codes_and_reasons(errors) == {("CANCELLED", "CLIENT_CLOSED")}
    client.close()


def test_a_call_that_fails_fails_each_of_its_callers_alike() -> None:
    async def ask() -> list[Any]:
        async with AsyncOnecodeClient(f"127.0.0.1:{free_port()}") as nobody:
            return await asyncio.gather(*(nobody.verify(b"x", "110000") for _ in range(20)), return_exceptions=True)

    assert codes_and_reasons(asyncio.run(ask())) == {("UNAVAILABLE", "")}


def test_callers_outlive_a_server_that_is_killed_and_started_again(deployment: Deployment, serve: Any) -> None:
    address, code = f"127.0.0.1:{free_port()}", deployment.issue("420000")[0]
    running, restarted = serve(deployment, "--listen", address), threading.Event()

    def ask_on(client: OnecodeClient) -> list[str]:
        found: list[str] = []
        while not restarted.is_set() or found[-1] != "ADMIT":
            try:
                verdict = client.verify(code, "110000").verdict
                found.append(pb.Decision.Name(verdict.decision).removeprefix("DECISION_"))
            except ServerError as error:
                found.append(error.code)
        return found

    with OnecodeClient(address, wait_for_ready=True) as client, ThreadPoolExecutor(50) as threads:
        asked = [threads.submit(ask_on, client) for _ in range(50)]
        for _ in range(2):
            eventually(partial(has_taken_some, running), 30)
            running.end(signal.SIGKILL)
            running = serve(deployment, "--listen", address)
        restarted.set()
        seen = set().union(*(one.result(LONG_S) for one in asked))
    assert "ADMIT" in seen
    assert seen <= {"ADMIT", "UNAVAILABLE"}


def test_a_storm_of_late_threads_leaves_nothing_behind(server: Server, code: bytes) -> None:
    dice = random.Random(7)

    def ask(client: OnecodeClient, deadlines_s: list[float]) -> set[str]:
        seen = set()
        for deadline_s in deadlines_s:
            try:
                seen.add(pb.Decision.Name(client.verify(code, "110000", deadline_s=deadline_s).verdict.decision))
            except ServerError as error:
                seen.add(error.code)
        return seen

    with OnecodeClient(server.address) as client, ThreadPoolExecutor(64) as threads:
        patience_s = [[dice.choice((-1.0, 0.0, 0.001, 0.01, LONG_S)) for _ in range(40)] for _ in range(64)]
        asked = [threads.submit(ask, client, deadlines_s) for deadlines_s in patience_s]
        assert set().union(*(one.result(LONG_S) for one in asked)) <= {"DECISION_ADMIT", "DEADLINE_EXCEEDED"}
        eventually(lambda: nothing_is_left(client), 30)


def test_a_storm_of_late_and_cancelled_tasks_leaves_nothing_behind(server: Server, code: bytes) -> None:
    dice = random.Random(7)

    async def ask(client: AsyncOnecodeClient) -> None:
        for _ in range(40):
            with suppress(TimeoutError, ServerError):
                async with asyncio.timeout(dice.choice((0.0, 0.001, 0.01, LONG_S))):
                    answer = await client.verify(code, "110000", deadline_s=dice.choice((0.0, 0.001, 0.01, LONG_S)))
                    assert answer.verdict.decision == pb.DECISION_ADMIT

    async def ask_all() -> None:
        async with AsyncOnecodeClient(server.address) as client:
            await asyncio.gather(*(ask(client) for _ in range(64)))
            while client._calls:
                await asyncio.wait(client._calls.values(), timeout=30)
            assert nothing_is_left(client)

    asyncio.run(ask_all())
