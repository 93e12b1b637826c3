"""A server that restarts in the middle of 10,000 codes or records: no answer is wrong, missing or doubled."""

import signal
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

from tests.integration.deployment import Deployment, Server, free_port
from tests.partners.fed import COUNT, Codes, Fed, lines_of_records, stored
from tests.partners.programs import Program

pytestmark = pytest.mark.slow
SIGNALS = pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=["told to end", "killed"])


class Restarted:
    """A server at one address, which ends and starts again; its block kills it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.address = f"127.0.0.1:{free_port()}"
        self.server = self._started()

    def _started(self) -> Server:
        return Server(self.deployment, "--listen", self.address)

    def restart(self, by: int) -> None:
        """Await the end of the server by a signal, and start the next."""
        self.server.end(by)
        self.server = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.end(signal.SIGKILL)


@SIGNALS
@pytest.mark.parametrize("ask", ["verify", "scan"])
def test_each_code_is_answered_once_across_a_restart(
    program: Program, codes: Codes, ask: str, by: signal.Signals
) -> None:
    with Restarted(codes.deployment) as running:
        asked = (ask, "--server", running.address, "--host", "440000", "--timeout", "60", "-")
        with Fed(program.start(*asked), codes.lines) as fed:
            fed.await_answer()
            running.server.process.send_signal(by)
            fed.go_on()  # the second half is asked of a server that is ending, then away, then back
            running.restart(by)
            ended = fed.ended()
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == codes.printed


@SIGNALS
def test_each_record_is_published_once_across_a_restart(
    program: Program, demo: Callable[[], Deployment], by: signal.Signals
) -> None:
    deployment = demo()
    with Restarted(deployment) as running:
        asked = ("publish", "--server", running.address, "--timeout", "60", "-")
        with Fed(program.start(*asked), lines_of_records()) as fed:
            fed.await_answer()
            running.server.process.send_signal(by)
            fed.go_on()
            running.restart(by)
            ended = fed.ended()
    assert (ended.status, ended.err) == (0, "")
    rejected = [f"{line}\tREJECTED\tNOT_AN_ADOPTER" for line in (1, COUNT)]
    total = f"taken {COUNT - 2}, superseded 0, conflict 0, rejected 2"
    assert ended.out.decode().splitlines() == [*rejected, total]
    assert stored(deployment) == (COUNT - 2, COUNT - 2)
