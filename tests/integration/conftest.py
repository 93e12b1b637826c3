"""A deployment that is made once, a server for all tests that change nothing, and servers of a test's own."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.integration.deployment import Deployment, Server, command, expect
from tests.integration.http_gateway import Gateway, gateway
from tests.integration.identities import SCANNER, Identities


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A demo deployment as ``init`` made it. Nothing runs in it and nothing is changed in it."""
    path = tmp_path_factory.mktemp("deployment") / "data"
    expect(command("init", "--data-dir", path, "--demo"))
    return Deployment(path)


@pytest.fixture
def deployment(made: Deployment, tmp_path: Path) -> Deployment:
    """A deployment of the test's own."""
    return made.copy_to(tmp_path / "data")


@pytest.fixture(scope="session")
def shared(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The deployment of the server that tests share. Whoever opens its root key waits for ever."""
    copy = made.copy_to(tmp_path_factory.mktemp("shared") / "data")
    (copy.path / "root.key").unlink()
    os.mkfifo(copy.path / "root.key")
    return copy


@pytest.fixture(scope="session")
def server(shared: Deployment) -> Iterator[Server]:
    """A server for tests that leave it as it is."""
    running = Server(shared)
    yield running
    assert running.end() == 0


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Start servers of the test's own; they are ended with it."""
    started: list[Server] = []

    def start(deployment: Deployment, *flags: object, **how: Any) -> Server:
        started.append(Server(deployment, *flags, **how))
        return started[-1]

    yield start
    for running in started:
        running.end(signal.SIGKILL)


@pytest.fixture
def pair(deployment: Deployment, serve: Callable[..., Server]) -> Server:
    """A server of two workers."""
    return serve(deployment, "--workers", 2)


@pytest.fixture
def running(deployment: Deployment, serve: Callable[..., Server]) -> Server:
    """A server of the test's own."""
    return serve(deployment)


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    """An authority, and files of TLS by it."""
    return Identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def guarded(made: Deployment, identities: Identities, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows its callers by certificates and tokens; its pages are read by ops."""
    deployment = made.copy_to(tmp_path_factory.mktemp("guarded") / "data")
    running = identities.ops_reads(Server(deployment, *identities.flags()))
    yield running
    assert running.end() == 0


@pytest.fixture(scope="module")
def polite(guarded: Server, identities: Identities) -> grpc.Channel:
    """The connection of a scanner who is to be answered whatever others do."""
    return identities.of(guarded, SCANNER)


@pytest.fixture(scope="module")
def code(made: Deployment) -> bytes:
    """A code of the capital."""
    return made.issue("110000")[0]


@pytest.fixture(scope="module")
def http(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on a server in plaintext, which leave each other as they are."""
    with gateway(tmp_path_factory.mktemp("http"), "--server", server.address) as running:
        yield running


@pytest.fixture(scope="module")
def carrier(
    guarded: Server, identities: Identities, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Gateway]]:
    """Gateways with the certificates of callers, on a server that knows its callers."""
    directory = tmp_path_factory.mktemp("carriers")
    running: dict[str, Gateway] = {}

    def of(path: str) -> Gateway:
        if path not in running:
            cert, key = identities.leaf(path).write(directory, path.replace("/", "-"))
            shown = ("--tls-ca", identities.client_ca, "--tls-cert", cert, "--tls-key", key)
            running[path] = Gateway(directory, "--server", guarded.address, *shown)
        return running[path]

    yield of
    assert {path: one.end() for path, one in running.items()} == dict.fromkeys(running, 0)
