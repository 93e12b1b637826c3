"""``onecode-gateway`` as a process, and curl as its caller."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.integration.deployment import END_S, first_line

ROOT: Final = Path(__file__).parents[2]
PROGRAM: Final = ROOT / "clients" / "go" / "bin" / "onecode-gateway"
CURL: Final = shutil.which("curl")
JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
HOST: Final = "420000"
needed = pytest.mark.skipif(
    not PROGRAM.exists() or CURL is None,
    reason="the HTTP gateway is not built (run 'make go-client', needs Go), or curl is not installed",
)


class Answer(NamedTuple):
    """What curl was answered; the names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)

    @property
    def reason(self) -> str:
        """The status and the reason of an error, which has one line."""
        assert self.text.count("\n") == 1, self.text
        assert self.headers["content-type"] == JSON
        return f"{self.status} {self.json['details'][0]['reason']}"


class Gateway:
    """A gateway on a port that the system chooses, and those who call it."""

    def __init__(self, directory: Path, *flags: object, script: str = "") -> None:
        """Start it by flags, or by the line of a shell in the directory."""
        self.log_file = directory / f"gateway-{os.urandom(4).hex()}.log"
        asked = [str(PROGRAM), "--listen", "127.0.0.1:0", *map(str, flags)]
        if script:
            asked = ["/bin/sh", "-c", f"exec {script}"]
        given = {name: value for name, value in os.environ.items() if not name.startswith("ONECODE_")}
        given["PATH"] = f"{PROGRAM.parent}{os.pathsep}{given['PATH']}"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=log, env=given, cwd=directory)
        line = first_line(self.process)
        ready = re.fullmatch(r"ready (https?)=(\S+)\n", line)
        if ready is None:
            self.end()
            raise AssertionError(f"{line!r} is no ready line; it logged {self.log()}")
        self.address = ready[2]
        self.url = f"{ready[1]}://{ready[2]}"

    def log(self) -> str:
        """Return what it logged."""
        return self.log_file.read_text("utf-8")

    def end(self) -> int:
        """Tell it to end, and return its status."""
        self.process.terminate()
        try:
            return self.process.wait(END_S)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()

    def ask(self, path: str, body: object = None, *options: object, kind: str = JSON) -> Answer:
        """Return the answer to a request: POST where there is a body, which may be bytes or JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = () if body is None else ("--data-binary", "@-", "--header", f"Content-Type: {kind}")
        asked = ["curl", "--silent", "--show-error", "--include", "--path-as-is", "--globoff", "--noproxy", "*"]
        asked += [*map(str, (*sent, *options)), self.url + path]
        ran = subprocess.run(asked, input=content, capture_output=True, timeout=100, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
        return _answer(ran.stdout)


def b64(content: bytes) -> str:
    """Return bytes as JSON has them."""
    return base64.b64encode(content).decode()


def bearer(token: str) -> tuple[str, str]:
    """Return curl's options of a caller with a token."""
    return ("--header", f"Authorization: Bearer {token}")


@contextmanager
def gateway(directory: Path, *flags: object, script: str = "") -> Iterator[Gateway]:
    """Run a gateway, and hold it to a good end."""
    running = Gateway(directory, *flags, script=script)
    try:
        yield running
    finally:
        status = running.end()
    assert status == 0, running.log()


def _answer(output: bytes) -> Answer:
    head, _, text = output.decode().partition("\r\n\r\n")
    if re.match(r"HTTP/1\.1 1\d\d ", head):
        return _answer(text.encode())
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), headers, text)
