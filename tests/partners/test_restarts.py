"""A server that restarts in the middle of 10,000 codes or records: no answer is wrong, missing or doubled."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

import pytest

from tests.integration.deployment import Deployment, Server, free_port, record
from tests.partners.programs import RUN_S, Ended, Program

pytestmark = pytest.mark.slow
COUNT = 10_000
LEVELS = {b"GREEN": b"ADMIT", b"YELLOW": b"CHECK", b"RED": b"REFUSE"}


class Restarted:
    """A server at one address, which ends and starts again."""

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


class Fed:
    """A program that is given half of its lines, and the others once ``go_on`` is called."""

    def __init__(self, process: "subprocess.Popen[bytes]", lines: list[bytes]) -> None:
        self.process = process
        self.has_answered = threading.Event()
        self._may_go_on = threading.Event()
        self._out: list[bytes] = []
        self._threads = [threading.Thread(target=one) for one in (lambda: self._feed(lines), self._read, self._listen)]
        self._err = b""
        for thread in self._threads:
            thread.start()

    def go_on(self) -> None:
        """Give the other lines."""
        self._may_go_on.set()

    def ended(self) -> Ended:
        """Wait for its end."""
        status = self.process.wait(RUN_S)
        for thread in self._threads:
            thread.join()
        return Ended(status, b"".join(self._out), self._err.decode())

    def kill(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.go_on()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _feed(self, lines: list[bytes]) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self.process.stdin as stdin:
            stdin.write(b"".join(lines[: COUNT // 2]))
            stdin.flush()
            self._may_go_on.wait()
            stdin.write(b"".join(lines[COUNT // 2 :]))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._out.append(line)
            self.has_answered.set()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self._err = self.process.stderr.read()


@pytest.fixture(scope="module")
def codes(demo: Callable[[], Deployment]) -> tuple[Deployment, list[bytes], list[bytes]]:
    """A deployment, the lines of a file of codes in which no two neighbours have one answer, and what is printed."""
    deployment = demo()
    by_level = [deployment.issue("420000", level.decode(), COUNT // 3 + 1) for level in LEVELS]
    lines = [code + b"\n" for together in zip(*by_level, strict=True) for code in together][:COUNT]
    levels = list(islice((level for _ in lines for level in LEVELS), COUNT))
    printed = [
        b"%d\t%b\t%b\t%b\t420000\tNONE" % (number, LEVELS[level], level, level)
        for number, level in enumerate(levels, 1)
    ]
    return deployment, lines, printed


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=["told to end", "killed"])
@pytest.mark.parametrize("ask", ["verify", "scan"])
def test_each_code_is_answered_once_across_a_restart(
    program: Program, codes: tuple[Deployment, list[bytes], list[bytes]], ask: str, by: signal.Signals
) -> None:
    deployment, lines, printed = codes
    running = Restarted(deployment)
    asked = (ask, "--server", running.address, "--host", "440000", "--timeout", "60", "-")
    fed = Fed(program.start(*asked), lines)
    try:
        assert fed.has_answered.wait(RUN_S)
        running.server.process.send_signal(by)
        fed.go_on()  # the second half is asked of a server that is ending, then away, then back
        running.restart(by)
        ended = fed.ended()
    finally:
        fed.kill()
        running.server.end(signal.SIGKILL)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == printed


def test_each_record_is_published_across_a_restart(program: Program, demo: Callable[[], Deployment]) -> None:
    running = Restarted(demo())
    records = [record("420000", "RED", f"bearer {number}") for number in range(COUNT)]
    # One of each half is rejected, so that each is seen to be told once.
    records[0] = record("420000", "RED", "x", scope="LOCAL")
    records[-1] = record("420000", "RED", "x", scope="LOCAL")
    lines = [json.dumps(one).encode() + b"\n" for one in records]
    fed = Fed(program.start("publish", "--server", running.address, "--timeout", "60", "-"), lines)
    try:
        assert fed.has_answered.wait(RUN_S)
        running.server.process.send_signal(signal.SIGTERM)
        fed.go_on()
        running.restart(signal.SIGTERM)
        ended = fed.ended()
    finally:
        fed.kill()
        running.server.end(signal.SIGKILL)
    assert (ended.status, ended.err) == (0, "")
    rejected = [f"{line}\tREJECTED\tNOT_AN_ADOPTER" for line in (1, COUNT)]
    total = f"taken {COUNT - 2}, superseded 0, conflict 0, rejected 2"
    assert ended.out.decode().splitlines() == [*rejected, total]
