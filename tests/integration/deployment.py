"""A data directory, the real command on it, and real servers on it, each a process that is ended by its id."""

import io
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from unittest import mock
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc
from onecode_server.cli.main import main

ONECODE = str(Path(sys.executable).with_name("onecode"))
LOOPBACK = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
START_S, END_S = 60, 30
"""Only a machine that is busy with other things takes as long."""
TAKEN_S = 2 + 5
"""The contract's 2 s for a new trust list, and room for such a machine."""

_T = TypeVar("_T")


def first_line(process: "subprocess.Popen[bytes]") -> str:
    """Return the line with which a program says where it serves; nothing where it does not within START_S."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_S)
    return process.stdout.readline().decode() if readable else ""


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


def eventually(probe: Callable[[], _T], within_s: float) -> _T:
    """Return what ``probe`` returns once that is something; fail after ``within_s`` seconds."""
    deadline_s = time.monotonic() + within_s
    while not (found := probe()):
        assert time.monotonic() < deadline_s, f"not within {within_s} s"
        time.sleep(0.05)
    return found


def command(*arguments: object, **environment: str) -> Ended:
    """Run ``onecode`` as a process of its own."""
    asked, given = [ONECODE, *map(str, arguments)], os.environ | environment
    run = subprocess.run(asked, capture_output=True, text=True, timeout=100, env=given, check=False)
    return Ended(run.returncode, run.stdout, run.stderr)


def called(*arguments: object) -> Ended:
    """Run ``onecode`` in this process: the same code, without an interpreter's start for each of many commands."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with mock.patch.object(sys, "argv", [ONECODE, *map(str, arguments)]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Ended(status, *texts)


def expect(ended: Ended) -> str:
    """Return what a command said that ended well."""
    assert ended.status == 0, ended.err
    return ended.out


_PORTS: Final = (10_000, 20_000)
"""Below those that the system gives to connections and servers of other tests (ip_local_port_range): a server that was
ended finds its port free when it is started again. Brokers have those above (``demo.brokers.cluster``)."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        port = random.randrange(*_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def record(publisher: str, level: str, local_id: str, **other: Any) -> dict[str, Any]:
    """Return a status record, as JSON has it, of one of the publisher's own, from now on; ``other`` changes it."""
    return {
        "publisher": publisher,
        "subject": {"local": {"region": publisher, "id": local_id}},
        "level": level,
        "scope": "NATIONAL",
        "effective_at": datetime.now(UTC).isoformat(),
        "revision": 1,
        **other,
    }


class Deployment:
    """One data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.list_file = path / "trust-list.jws"

    def copy_to(self, path: Path) -> "Deployment":
        """Return the same deployment elsewhere."""
        shutil.copytree(self.path, path)
        return Deployment(path)

    def issue(self, region: str, level: str = "GREEN", count: int = 1, **options: object) -> list[bytes]:
        """Return codes of a region."""
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        asked = ("--region", region, "--level", level, "--count", count, *flags)
        return expect(called("issue", "--data-dir", self.path, *asked)).encode().splitlines()

    def trust(self, edit: str, *arguments: object) -> Ended:
        """Run a command on the trust list."""
        return called("trust", edit, "--data-dir", self.path, *arguments)

    def publish(self, *records: Any) -> Ended:
        """Publish status records: objects, or lines as they are."""
        file = self.path / "records.ndjson"
        file.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in records), "utf-8")
        return called("status", "publish", "--data-dir", self.path, "--file", file)


class Server:
    """``onecode serve`` on a data directory, in one process of its own unless ``--workers`` says otherwise."""

    _numbers = count(1)

    def __init__(
        self,
        deployment: Deployment,
        *flags: object,
        await_ready: bool = True,
        config: Path | None = None,
        closed: str = "",
        files_max: int | str = "",
        program: Sequence[str] = (ONECODE, "serve"),
    ) -> None:
        """Start it. A settings file stands in place of the flags of all others; ``closed`` is a shell's redirection,
        and ``files_max`` a limit on open files, soft and hard. ``program`` is another release's, if it is given."""
        self.log_file = deployment.path / f"serve-{next(self._numbers)}.log"
        limit = f"ulimit -n {files_max}; " if files_max else ""
        given = ("--config", config) if config else ("--data-dir", deployment.path, *LOOPBACK, "--workers", 1)
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", f'{limit}exec "$0" "$@" {closed}', *program, *map(str, (*given, *flags))],
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.address = self.page = ""
        self.page_headers: dict[str, str] = {}
        """What those who read the pages show of themselves."""
        self._channels: list[grpc.Channel] = []
        if await_ready:
            try:
                self.await_ready()
            except BaseException:
                self.end(signal.SIGKILL)
                raise

    def await_ready(self) -> None:
        """Read the line that says where it serves."""
        line = first_line(self.process)
        ready = re.fullmatch(r"ready grpc=(\S+) metrics=(\S+)\n", line)
        assert ready, f"{line!r} is no ready line; it logged {self.log_file.read_text()}"
        self.address, self.page = ready.groups()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process, and return the status with which it ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(END_S)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            for channel in self._channels:
                channel.close()

    def anonymous_bytes(self) -> int:
        """Return the memory of the process that is no file's (proc(5)); a store's pages are not counted."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith("RssAnon:"))
        return int(line.split()[1]) * 1024

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it say nothing for a time."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def channel(self, *options: tuple[str, int]) -> grpc.Channel:
        """Return a connection of its own, without the client's retries."""
        own = ("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1), *options
        return self.keep(grpc.insecure_channel(self.address, options=own))

    def keep(self, channel: grpc.Channel) -> grpc.Channel:
        """Return a channel that is closed once the server has ended."""
        self._channels.append(channel)
        return channel

    def stub(self) -> recognition_pb2_grpc.RecognitionServiceStub:
        """Return a stub on a connection of its own."""
        return recognition_pb2_grpc.RecognitionServiceStub(self.channel())

    def raw(self, method: str) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
        """Return a unary call of bytes as they are, on a connection of its own."""
        return self.channel().unary_unary(method)

    def health_stub(self) -> Any:
        """Return a stub of the health service on a connection of its own; the type that it comes with has no calls."""
        return health_pb2_grpc.HealthStub(self.channel())

    def verify(self, code: bytes, host: str = "110000") -> pb.VerifyResponse:
        """Return the answer to one check."""
        request = pb.VerifyRequest(code=code, host_region=host)
        return self.stub().Verify(request, timeout=30)

    def health(self, service: str = "") -> str:
        """Return what a service's health is called."""
        request = health_pb2.HealthCheckRequest(service=service)
        response = self.health_stub().Check(request, timeout=START_S, wait_for_ready=True)
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))

    def services(self) -> list[str]:
        """Return what reflection says can be called. Raises grpc.RpcError where there is no reflection."""
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(self.channel())  # the type has no calls
        (answer,) = stub.ServerReflectionInfo(iter([asked]), timeout=30)
        return [service.name for service in answer.list_services_response.service]

    def healthz(self) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the report."""
        try:
            with urlopen(self._page("/healthz"), timeout=30) as response:
                return response.status, json.load(response)
        except HTTPError as answer:
            with answer:
                return answer.code, json.load(answer)

    def page_status(self, path: str) -> int:
        """Return the HTTP status of a page."""
        try:
            with urlopen(self._page(path), timeout=30) as response:
                return int(response.status)
        except HTTPError as answer:
            with answer:
                return answer.code

    def front(self) -> str:
        """Return the name of the front that answers."""
        return str(self.healthz()[1]["front"]["name"])

    def metrics_text(self) -> str:
        """Return the page that Prometheus reads."""
        with urlopen(self._page("/metrics"), timeout=30) as response:
            return str(response.read(), "utf-8")

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Return a metric's values, by those of its labels in the order of their names."""
        families = text_string_to_metric_families(self.metrics_text())
        found = (sample for family in families for sample in family.samples if sample.name == name)
        return {tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value for sample in found}

    def counted(self, name: str) -> dict[tuple[str, ...], float]:
        """Return a metric's values as ``samples`` does, without those at which there was nothing to count."""
        return {labels: value for labels, value in self.samples(name).items() if value}

    def log(self) -> list[dict[str, Any]]:
        """Return what it logged. Fails where a line is no JSON object."""
        lines = [json.loads(line) for line in self.log_file.read_text("utf-8").splitlines()]
        assert all(isinstance(line, dict) for line in lines)
        return lines

    def _page(self, path: str) -> Request:
        return Request(f"http://{self.page}{path}", headers=self.page_headers)
