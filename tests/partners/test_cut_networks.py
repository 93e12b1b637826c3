"""A network that is cut in the middle of 10,000 lines: nothing is lost or doubled, and a cut for good is one line."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.integration.deployment import Deployment, Server
from tests.networks import Network
from tests.partners.fed import COUNT, Codes, Fed, lines_of_records, stored
from tests.partners.programs import RUN_S, Program

pytestmark = pytest.mark.slow
REJECTED = [f"{line}\tREJECTED\tNOT_AN_ADOPTER" for line in (1, COUNT)]


@pytest.fixture(scope="module")
def server(codes: Codes) -> Iterator[Server]:
    """A server on the deployment of the codes."""
    running = Server(codes.deployment)
    try:
        yield running
    finally:
        assert running.end() == 0


@pytest.fixture
def receiving(demo: Callable[[], Deployment]) -> Iterator[tuple[Deployment, Server]]:
    """A server that has no record yet, with its deployment."""
    deployment = demo()
    running = Server(deployment)
    try:
        yield deployment, running
    finally:
        assert running.end() == 0


@pytest.mark.parametrize("ask", ["verify", "scan"])
def test_each_code_is_answered_once_across_a_cut(program: Program, codes: Codes, server: Server, ask: str) -> None:
    with Network(server.address) as network:
        asked = (ask, "--server", network.address, "--host", "440000", "--timeout", "60", "-")
        with Fed(program.start(*asked), codes.lines) as fed:
            fed.await_answer()
            network.cut()
            fed.go_on()
            assert network.tried.wait(RUN_S)
            network.mend()
            ended = fed.ended()
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == codes.printed


def test_each_record_is_published_once_across_a_cut(program: Program, receiving: tuple[Deployment, Server]) -> None:
    deployment, server = receiving
    with Network(server.address) as network:
        asked = ("publish", "--server", network.address, "--timeout", "60", "-")
        with Fed(program.start(*asked), lines_of_records()) as fed:
            fed.await_answer()
            network.cut()
            fed.go_on()
            assert network.tried.wait(RUN_S)
            network.mend()
            ended = fed.ended()
    assert (ended.status, ended.err) == (0, "")
    total = f"taken {COUNT - 2}, superseded 0, conflict 0, rejected 2"
    assert ended.out.decode().splitlines() == [*REJECTED, total]
    assert stored(deployment) == (COUNT - 2, COUNT - 2)


def test_a_cut_for_good_is_one_line_and_takes_no_answer_away(
    program: Program, codes: Codes, server: Server, receiving: tuple[Deployment, Server]
) -> None:
    deployment, receiver = receiving
    commands = {
        "verify": (server, codes.lines, ("--host", "440000")),
        "scan": (server, codes.lines, ("--host", "440000")),
        "publish": (receiver, lines_of_records(), ()),
    }
    # At once: each waits until its time is over, of which a busy machine needs some for the first answer.
    with ExitStack() as running:
        all_fed: dict[str, Fed] = {}
        for command, (to, lines, options) in commands.items():
            network = running.enter_context(Network(to.address))
            process = program.start(command, "--server", network.address, *options, "--timeout", "20", "-")
            all_fed[command] = running.enter_context(Fed(process, lines))
            all_fed[command].await_answer()
            network.cut()
            all_fed[command].go_on()
        ended = {command: fed.ended() for command, fed in all_fed.items()}
    for one in ended.values():
        assert one.status == 1
        assert re.fullmatch(r"onecode-partner: (UNAVAILABLE|DEADLINE_EXCEEDED): [^\n]+\n", one.err)
    for command in ("verify", "scan"):
        answered = ended[command].out.splitlines()
        assert 0 < len(answered) < COUNT
        assert answered == codes.printed[: len(answered)]
    first, total = ended["publish"].out.decode().splitlines()
    taken = re.fullmatch(r"taken (\d+), superseded 0, conflict 0, rejected 1", total)
    assert first == REJECTED[0]
    assert taken is not None
    statuses, changes = stored(deployment)
    assert int(taken[1]) <= statuses == changes < COUNT - 2
