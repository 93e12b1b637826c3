"""A demo country for the cases, servers by plaintext and by TLS on it, and the programs that are built."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.integration.deployment import Deployment, Server, command, expect
from tests.integration.identities import OPERATOR, PARTNER, Identities
from tests.partners.cases import Country
from tests.partners.fed import Codes, codes_of
from tests.partners.programs import LANGUAGES, Asked, Program

WAYS: Final = ("certificate", "token")
"""How a server by TLS is reached; nearly all tests use plaintext."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Deployment]:
    """Make demo deployments, each with keys of its own."""

    def make() -> Deployment:
        path = tmp_path_factory.mktemp("demo") / "data"
        expect(command("init", "--data-dir", path, "--demo"))
        return Deployment(path)

    return make


@pytest.fixture(scope="session")
def country(demo: Callable[[], Deployment]) -> Iterator[Country]:
    """The cases' codes and a server in plaintext that answers them."""
    deployment = demo()
    running = Server(deployment)
    try:
        yield Country(deployment, demo(), running)
    finally:
        assert running.end() == 0


@pytest.fixture(scope="session")
def codes(demo: Callable[[], Deployment]) -> Codes:
    """10,000 codes of a deployment of their own."""
    return codes_of(demo())


class Guarded(NamedTuple):
    """A server that knows its callers, on the country's data."""

    server: Server
    identities: Identities

    def certificate(self, path: str) -> tuple[object, ...]:
        """Return the options of a caller with a certificate."""
        cert, key = self.identities.leaf(path).write(self.identities.directory, path.replace("/", "-"))
        return ("--server", self.server.address, *self.authority(), "--tls-cert", cert, "--tls-key", key)

    def token(self, path: str, **claims: Any) -> tuple[object, ...]:
        """Return the options of a caller with a token."""
        file = self.identities.directory / f"{path.replace('/', '-')}.token"
        file.write_text(self.identities.token(path, **claims), "utf-8")
        return ("--server", self.server.address, *self.authority(), "--token-file", file)

    def authority(self) -> tuple[object, ...]:
        """Return the option of the authority that vouches for the server."""
        return ("--tls-ca", self.identities.client_ca)


@pytest.fixture(scope="session")
def guarded(country: Country, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server by TLS that takes certificates and tokens."""
    identities = Identities(tmp_path_factory.mktemp("identities"))
    running = Server(country.deployment, *identities.flags())
    try:
        yield Guarded(running, identities)
    finally:
        assert running.end() == 0


@pytest.fixture(params=LANGUAGES)
def program(request: pytest.FixtureRequest) -> Program:
    """The program of each language; a test of one that is not built is skipped."""
    made = Program(request.param)
    if made.command is None:
        pytest.skip(f"onecode-partner in {made.language} is not built: see clients/{made.language}")
    return made


@pytest.fixture(scope="session")
def asked(country: Country) -> Asked:
    """The programs' answers from the country's server."""
    return Asked(country.server.address)


@pytest.fixture(scope="session", params=WAYS)
def access(request: pytest.FixtureRequest, guarded: Guarded) -> dict[str, tuple[object, ...]]:
    """The options by which a partner, and an operator who publishes, reach a server by TLS: each way in turn."""
    options = guarded.certificate if request.param == "certificate" else guarded.token
    return {"partner": options(PARTNER), "operator": options(OPERATOR)}


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write content to a file of the test's own."""

    def write(content: bytes) -> Path:
        file = tmp_path / f"input-{len(os.listdir(tmp_path))}"
        file.write_bytes(content)
        return file

    return write
