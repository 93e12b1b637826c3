"""A program that is asked about 10,000 lines, and something happens to its server after half of them."""

import json
import re
import subprocess
import threading
from contextlib import suppress
from itertools import cycle, islice
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.integration.deployment import Deployment, called, expect, record
from tests.partners.programs import RUN_S, Ended

COUNT: Final = 10_000
_LEVELS: Final = {b"GREEN": b"ADMIT", b"YELLOW": b"CHECK", b"RED": b"REFUSE"}


class Codes(NamedTuple):
    """The lines of a file of a deployment's codes, and those printed of them. No two neighbours have one answer."""

    deployment: Deployment
    lines: list[bytes]
    printed: list[bytes]


def codes_of(deployment: Deployment) -> Codes:
    """Return 10,000 codes of a deployment."""
    by_level = [deployment.issue("420000", level.decode(), COUNT // len(_LEVELS) + 1) for level in _LEVELS]
    lines = [code + b"\n" for together in zip(*by_level, strict=True) for code in together][:COUNT]
    printed = [
        b"%d\t%b\t%b\t%b\t420000\tNONE" % (number, _LEVELS[level], level, level)
        for number, level in enumerate(islice(cycle(_LEVELS), COUNT), 1)
    ]
    return Codes(deployment, lines, printed)


def lines_of_records() -> list[bytes]:
    """Return 10,000 records about different people. The first and the last are rejected, so that a program says so."""
    records = [record("420000", "RED", f"bearer {number}") for number in range(COUNT)]
    for place in (0, -1):
        records[place] = record("420000", "RED", "x", scope="LOCAL")
    return [json.dumps(one).encode() + b"\n" for one in records]


def stored(deployment: Deployment) -> tuple[int, int]:
    """Return how many statuses, and changes of them, lie in the store. A record that counted twice is two changes."""
    told = expect(called("store", "check", "--data-dir", deployment.path))
    read = dict(re.findall(r"^(\w+): ([\d,]+) read$", told, re.MULTILINE))
    statuses, changes = (int(read[table].replace(",", "")) for table in ("statuses", "changes"))
    return statuses, changes


class Fed:
    """A program that is given half of its lines, and the others once ``go_on`` is called; its block kills it."""

    def __init__(self, process: "subprocess.Popen[bytes]", lines: list[bytes]) -> None:
        self.process = process
        self._has_answered = threading.Event()
        self._may_go_on = threading.Event()
        self._out: list[bytes] = []
        self._threads = [threading.Thread(target=one) for one in (lambda: self._feed(lines), self._read, self._listen)]
        self._err = b""
        for thread in self._threads:
            thread.start()

    def await_answer(self) -> None:
        """Return once it has printed a line. Fail if it ended without one."""
        assert self._has_answered.wait(RUN_S)
        assert self._out

    def go_on(self) -> None:
        """Give the other lines."""
        self._may_go_on.set()

    def ended(self) -> Ended:
        """Wait for its end."""
        status = self.process.wait(RUN_S)
        for thread in self._threads:
            thread.join()
        return Ended(status, b"".join(self._out), self._err.decode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            stdin.write(b"".join(lines[: len(lines) // 2]))
            stdin.flush()
            self._may_go_on.wait()
            stdin.write(b"".join(lines[len(lines) // 2 :]))

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._out.append(line)
            self._has_answered.set()
        self._has_answered.set()  # or it has ended: nobody waits for an answer that cannot come

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self._err = self.process.stderr.read()
