"""Clients on TLS: who they are to the server, and that files are replaced without a failed call."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from onecode.v1 import status_pb2
from onecode_client import AsyncOnecodeClient, AsyncOperatorClient, OnecodeClient, OperatorClient, ServerError
from onecode_client import access as client_access
from onecode_server.cli.development_ca import DevelopmentCa

from tests.unit.client.echoing import Echo, Files, credentials, serving

FIRST = ("spiffe://onecode.internal/partner/first", "Bearer first")
SECOND = "spiffe://onecode.internal/partner/second"
ROTATIONS = 10


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def address(echo: Echo, authority: DevelopmentCa) -> Iterator[str]:
    with serving(echo, credentials(authority)) as at:
        yield at


@pytest.fixture
def always_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the files at every call, and not once a second."""
    monkeypatch.setattr(client_access, "LOOK_S", 0.0)


def asked(client: OnecodeClient, code: bytes = b"x") -> tuple[str, str]:
    verdict = client.verify(code, "110000").verdict
    return verdict.home_region, verdict.exception_id


async def asked_async(client: AsyncOnecodeClient) -> tuple[str, str]:
    verdict = (await client.verify(b"x", "110000")).verdict
    return verdict.home_region, verdict.exception_id


async def test_every_client_shows_its_certificate_and_its_token(address: str, files: Files) -> None:
    with OnecodeClient(address, tls=files.tls, token_file=files.token) as client:
        assert asked(client) == FIRST
        assert [verdict.home_region for verdict in client.verify_all([b"x"] * 2, "110000")] == [FIRST[0]] * 2
    with OperatorClient(address, tls=files.tls, token_file=files.token) as operator:
        assert operator.trust_list() == " ".join(FIRST).encode()
    async with AsyncOnecodeClient(address, tls=files.tls, token_file=files.token) as client_async:
        assert await asked_async(client_async) == FIRST
    async with AsyncOperatorClient(address, tls=files.tls, token_file=files.token) as operator_async:
        assert await operator_async.trust_list() == " ".join(FIRST).encode()


def test_gathered_calls_carry_the_token_too(address: str, files: Files, echo: Echo) -> None:
    with OnecodeClient(address, tls=files.tls, token_file=files.token) as client, ThreadPoolExecutor(20) as threads:
        first = threads.submit(asked, client, b"hold")
        assert echo.held.acquire(timeout=60)
        others = [threads.submit(asked, client) for _ in range(19)]
        echo.go_on.set()
        assert {one.result() for one in (first, *others)} == {FIRST}


@pytest.mark.usefixtures("always_looking")
def test_a_call_in_flight_ends_on_the_connection_that_it_has_and_the_next_one_shows_the_new_certificate(
    address: str, files: Files, echo: Echo
) -> None:
    with OnecodeClient(address, tls=files.tls) as client, ThreadPoolExecutor(1) as thread:
        held = thread.submit(asked, client, b"hold")
        assert echo.held.acquire(timeout=60)
        files.become("partner/second")
        (verdict,) = client.verify_all([b"x"], "110000")
        assert verdict.home_region == SECOND
        assert len(client._pool._retired) == 1
        echo.go_on.set()
        assert held.result() == (FIRST[0], "none")
        assert client._pool._retired == []


@pytest.mark.usefixtures("always_looking")
def test_a_pair_of_which_one_half_is_replaced_leaves_the_old_pair_in_use(address: str, files: Files) -> None:
    certificate, key = files.made("partner/second")
    with OnecodeClient(address, tls=files.tls) as client:
        assert asked(client)[0] == FIRST[0]
        files.cert.write_bytes(certificate)
        assert asked(client)[0] == FIRST[0]
        files.key.write_bytes(key[:100])
        assert asked(client)[0] == FIRST[0]
        files.key.unlink()
        assert asked(client)[0] == FIRST[0]
        files.key.write_bytes(key)
        assert asked(client)[0] == SECOND


@pytest.mark.usefixtures("always_looking")
def test_no_call_of_many_threads_fails_while_certificates_are_replaced(address: str, files: Files) -> None:
    is_over = threading.Event()

    def ask(client: OnecodeClient) -> set[str]:
        seen = set()
        while not is_over.is_set():
            seen.add(asked(client)[0])
        return seen

    with OnecodeClient(address, tls=files.tls, token_file=files.token) as client, ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(ask, client) for _ in range(8)]
        try:
            for number in range(ROTATIONS):
                files.become(f"partner/number-{number}")
                last = f"spiffe://onecode.internal/partner/number-{number}"
                while asked(client)[0] != last:
                    pass
        finally:
            is_over.set()
        seen = set.union(*(one.result() for one in asking))
    assert last in seen


@pytest.mark.usefixtures("always_looking")
async def test_no_call_of_many_tasks_fails_while_certificates_are_replaced(address: str, files: Files) -> None:
    async with AsyncOnecodeClient(address, tls=files.tls, token_file=files.token) as client:
        is_over = False

        async def ask() -> None:
            while not is_over:
                await asked_async(client)

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        for number in range(ROTATIONS):
            files.become(f"partner/number-{number}")
            while (await asked_async(client))[0] != f"spiffe://onecode.internal/partner/number-{number}":
                pass
        is_over = True
        await asyncio.gather(*asking)
        assert client._pool._retired == []
    assert client._closing == set()
    gc.collect()


@pytest.mark.usefixtures("always_looking")
def test_a_token_is_read_anew_and_an_empty_file_leaves_the_old_one(address: str, files: Files) -> None:
    with OnecodeClient(address, tls=files.tls, token_file=files.token) as client:
        assert asked(client)[1] == "Bearer first"
        files.token.write_text("")
        assert asked(client)[1] == "Bearer first"
        files.token.write_text("second")
        assert asked(client)[1] == "Bearer second"


def test_a_call_that_is_tried_again_carries_the_token_again(address: str, files: Files, echo: Echo) -> None:
    with OnecodeClient(address, tls=files.tls, token_file=files.token) as client:
        echo.failures += [grpc.StatusCode.UNAVAILABLE] * 2
        assert asked(client) == FIRST
        assert echo.failures == []


@pytest.mark.usefixtures("always_looking")
def test_a_publication_that_goes_on_carries_the_token_of_that_time(address: str, files: Files, echo: Echo) -> None:
    echo.failures.append(grpc.StatusCode.UNAVAILABLE)

    def renew(_: ServerError) -> None:
        files.token.write_text("second")

    with OperatorClient(address, tls=files.tls, token_file=files.token) as operator:
        answers = list(operator.publish([status_pb2.StatusRecord()], interrupted=renew))
    assert [answer.durable_through for answer in answers] == [1]
    assert echo.streams == ["Bearer first", "Bearer second"]


def test_a_token_goes_to_this_machine_in_plaintext(files: Files, echo: Echo) -> None:
    with serving(echo) as address, OnecodeClient(address, token_file=files.token) as client:
        assert asked(client) == ("nobody", "Bearer first")
