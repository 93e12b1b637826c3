"""Several servers behind one name: the client spreads its checks, and a server that is added gets its share."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onecode_client import AsyncOnecodeClient, channels

from tests.fronts import IS_BUILT
from tests.integration.deployment import Deployment, Server, eventually, free_port
from tests.integration.name_server import NameServer

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
NAME = "onecode.test"
WITHIN_S = 30
AGE_S = 1
"""The least that the setting takes."""
CODES = 600
"""As many are looked at: each of eight callers has some seventy answers in that time."""
HOST = "110000"


class Fleet:
    """Servers on the port of one name, each with a data directory of its own, as on machines of their own."""

    def __init__(self, made: Deployment, here: Path, serve: Callable[..., Server], front: str) -> None:
        self._made, self._here, self._serve, self._front = made, here, serve, front
        self.port = free_port()
        self.servers: list[Server] = []

    def add(self, address: str) -> None:
        """Start a server at an address."""
        deployment = self._made.copy_to(self._here / address)
        where = ("--listen", f"{address}:{self.port}", "--connection-age-s", AGE_S, "--front", self._front)
        self.servers.append(self._serve(deployment, *where))

    def is_shared(self) -> bool:
        """Whether each server checks at least half of an even share of the next codes."""
        before = self._checked()
        eventually(lambda: sum(self._checked()) - sum(before) >= CODES, WITHIN_S)
        checked = [after - first for after, first in zip(self._checked(), before, strict=True)]
        return min(checked) >= sum(checked) / len(checked) / 2

    def _checked(self) -> list[float]:
        return [sum(server.samples("onecode_verdicts_total").values()) for server in self.servers]


@pytest.fixture(
    params=[
        pytest.param("native", marks=pytest.mark.skipif(not IS_BUILT, reason="the native front was not built")),
        "grpc",
    ],
)
def fleet(made: Deployment, tmp_path: Path, serve: Callable[..., Server], request: pytest.FixtureRequest) -> Fleet:
    """Two servers."""
    found = Fleet(made, tmp_path, serve, request.param)
    for address in ADDRESSES[:2]:
        found.add(address)
    return found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """Names two of the three addresses. A client asks again as soon as it has a reason to, not after gRPC's 30 s."""
    often = ("grpc.dns_min_time_between_resolutions_ms", 100)
    monkeypatch.setattr(channels, "OPTIONS", (*channels.OPTIONS, often, ("grpc.enable_http_proxy", 0)))
    with NameServer(*ADDRESSES[:2]) as found:
        yield found


async def test_a_server_that_is_added_gets_its_share_and_no_call_fails(
    fleet: Fleet, names: NameServer, made: Deployment
) -> None:
    (code,) = made.issue("420000")
    stop = asyncio.Event()

    async def check(client: AsyncOnecodeClient) -> None:
        while not stop.is_set():
            await client.verify(code, host_region=HOST)
            await asyncio.sleep(0.002)

    async with AsyncOnecodeClient(f"dns://127.0.0.1:{names.port}/{NAME}:{fleet.port}") as client:
        callers = asyncio.gather(*(check(client) for _ in range(8)))
        try:
            await asyncio.to_thread(eventually, fleet.is_shared, WITHIN_S)
            await asyncio.to_thread(fleet.add, ADDRESSES[2])
            names.addresses.append(ADDRESSES[2])
            await asyncio.to_thread(eventually, fleet.is_shared, WITHIN_S)
        finally:
            stop.set()
            await callers  # raises ServerError where a check has failed
