"""The server that is fuzzed, as a process, and what shows that it is well: log, memory, descriptors, pages."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.integration.deployment import Deployment, Server, called, expect

HOMES: Final = ("110000", "420000", "440000", "540000", "310000")
"""A region of each style of code, an adopter and one with opaque tokens among them."""
CODES_EACH: Final = 3
MEMORY_TIMES_MAX: Final = 1.5
"""The growth of anonymous memory that is tolerated after the warm-up."""
TRIMMED_S: Final = 150.0
"""How long memory may take to fall: free pages of the heap are given back each minute (``system/heap.py``)."""
CLOSED_S: Final = 60.0
"""How long descriptors may take to be closed: twelve seconds where a request behind the front does not come."""
_LOOKS_S: Final = 0.1


class Unwell(Exception):
    """The server has died, has logged an error, has kept descriptors or memory, or shows no page."""


def deploy(directory: Path) -> tuple[Deployment, list[bytes]]:
    """Make a demo deployment, and codes of its regions: the first one is good, the last one has a bad signature."""
    data_dir = directory / "data"
    expect(called("init", "--data-dir", data_dir, "--demo"))
    deployment = Deployment(data_dir)
    codes = [code for home in HOMES for code in deployment.issue(home, count=CODES_EACH)]
    codes += deployment.issue("420000", level="RED") + deployment.issue("110000", level="YELLOW")
    return deployment, [*codes, codes[0][:-12] + codes[0][-11:] + codes[0][-12:-11]]


class Watched:
    """A server whose log, memory and descriptors are looked at."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._log_read = 0
        self.descriptors_at_rest = 0
        self.bytes_warm = self.bytes_most = 0

    @property
    def address(self) -> str:
        return self.server.address

    def expect_alive(self) -> None:
        """Read what was logged since the last look. Raises Unwell for an end, an error, and a line that is no JSON."""
        if self.server.log_file.stat().st_size > self._log_read:
            with self.server.log_file.open("rb") as file:
                file.seek(self._log_read)
                lines = file.read().splitlines(keepends=True)
            for line in lines:
                if line.endswith(b"\n"):
                    self._log_read += len(line)
                    _expect_harmless(line.decode(errors="replace").strip())
        if (status := self.server.process.poll()) is not None:
            raise Unwell(f"the server has ended with status {status}; its log ends with:\n{self._end_of_log()}")

    def expect_rest(self, *, is_warming: bool) -> None:
        """Look at what a round has left behind. Raises Unwell."""
        self.expect_alive()
        if is_warming:
            self.descriptors_at_rest = self._least_descriptors()
            self.bytes_warm = self.bytes_most = self.server.anonymous_bytes()
        self._expect_descriptors()
        self._expect_memory()
        self._expect_pages()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def _least_descriptors(self) -> int:
        """Return how many descriptors are open once their number no longer changes."""
        found, seen = self.descriptors(), 0
        while seen < 5:
            time.sleep(_LOOKS_S)
            found, seen = (now, seen + 1) if (now := self.descriptors()) == found else (now, 0)
        return found

    def _expect_descriptors(self) -> None:
        if not _comes_true(lambda: self.descriptors() <= self.descriptors_at_rest, CLOSED_S):
            open_now = self.descriptors()
            raise Unwell(f"{open_now} descriptors are open, where {self.descriptors_at_rest} were after the warm-up")

    def _expect_memory(self) -> None:
        most = MEMORY_TIMES_MAX * self.bytes_warm
        self.bytes_most = max(self.bytes_most, self.server.anonymous_bytes())
        if not _comes_true(lambda: self.server.anonymous_bytes() <= most, TRIMMED_S):
            now = self.server.anonymous_bytes()
            raise Unwell(f"{now / 2**20:.0f} MiB of memory, where {self.bytes_warm / 2**20:.0f} were after the warm-up")

    def _expect_pages(self) -> None:
        try:
            status, report = self.server.healthz()
            text = self.server.metrics_text()
        except OSError as fault:
            raise Unwell(f"a page was not shown: {fault}") from None
        if status != 200 or report["front"]["name"] != "native" or "onecode_event_loop_lag_seconds" not in text:
            raise Unwell(f"/healthz says {status} {report}")

    def _end_of_log(self) -> str:
        return self.server.log_file.read_text(errors="replace")[-2000:]


def _expect_harmless(line: str) -> None:
    try:
        told: dict[str, str] = json.loads(line)
        is_error = told["level"] in ("error", "critical")
    except (ValueError, KeyError, TypeError):
        raise Unwell(f"a line of the log is none of the server's own: {line}") from None
    if is_error:
        raise Unwell(f"an error was logged: {line}")


def _comes_true(is_so: Callable[[], bool], within_s: float) -> bool:
    ends_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() >= ends_s:
            return False
        time.sleep(_LOOKS_S)
    return True


@contextmanager
def both_fronts(directory: Path) -> Iterator[tuple[Watched, Server, list[bytes]]]:
    """Run a native and a grpc.aio server on one data directory; yield them, the native one first, and codes."""
    deployment, codes = deploy(directory)
    servers: list[Server] = []
    try:
        for front in ("native", "grpc"):
            servers.append(Server(deployment, "--front", front, "--reflection", "true"))  # noqa: PERF401 - each is ended
        yield Watched(servers[0]), servers[1], codes
    finally:
        for server in servers:
            server.end()
