"""The servers under test: their commands, started, and ended by their process id."""

import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.processes import cpu_s, memory_mib, pinned
from benchmarks.shown import NOTHING, Shown
from benchmarks.workload import ONECODE, SKEW_S, STATUSES

ROOT: Final = Path(__file__).parent.parent
LOOPBACK: Final = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
PEERS: Final = ROOT / "benchmarks" / "peers"
BUILT: Final = {"go": PEERS / "build" / "go-peer", "rust": PEERS / "build" / "rust" / "release" / "onecode-peer"}
"""Peers in other languages, by the argument of ``peers/build.sh``, and where that puts their programs."""
NOT_BUILT: Final = "not built: make bench-peers"
FRONT: Final = "native" if find_spec("onecode_server.rpc._front") else "grpc"
"""The front that is measured: the native one where it was built."""
GRPC_AIO: Final = "grpc.aio"
"""The name of onecode without the native front, beside onecode with it."""
START_TIMEOUT_S: Final = 90.0
"""Only a machine that is busy with other things takes as long."""
STOP_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True)
class Server:
    """A running server: its name in the report, its process, its gRPC address, and that of its metrics page if any."""

    name: str
    pid: int
    address: str
    page: str = ""
    shown: Shown = NOTHING
    """What its callers show of themselves."""

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has used so far, in all of its processes."""
        return cpu_s(self.pid)


def built_peers() -> dict[str, Path]:
    """Return the programs of the peers in other languages that are built."""
    return {peer: program for peer, program in BUILT.items() if program.exists()}


def onecode(data_dir: Path, workers: int = 1, front: str | None = None) -> list[str]:
    """Return the command of onecode, for one process unless more are what is measured.

    ``front`` is ``native`` or ``grpc``; without it the server's own default answers.
    """
    chosen = () if front is None else ("--front", front)
    return [str(ONECODE), "serve", *_shared(data_dir), *LOOPBACK, "--workers", str(workers), *chosen]


def commands(data_dir: Path) -> dict[str, list[str]]:
    """Return the command of each server on one data directory, onecode first: it makes the store's tables.

    ``onecode`` has the front FRONT. Where that is the native one, ``grpc.aio`` is onecode without it.
    """
    peer = [sys.executable, "-m", "benchmarks.peers."]
    statuses = str(data_dir / STATUSES)
    built = {
        name: [str(program), *_shared(data_dir), "--statuses", statuses] for name, program in built_peers().items()
    }
    return {
        "onecode": onecode(data_dir, front=FRONT),
        **({} if FRONT == "grpc" else {GRPC_AIO: onecode(data_dir, front="grpc")}),
        "first try": [*peer[:2], f"{peer[2]}first_try", *_shared(data_dir)],
        "echo": [*peer[:2], f"{peer[2]}echo"],
        **built,
    }


@contextmanager
def pair(data_dir: Path) -> Iterator[tuple[Server, Server]]:
    """Run onecode twice on one data directory."""
    command = onecode(data_dir)
    with running("one", command, data_dir) as one, running("other", command, data_dir) as other:
        yield one, other


def _shared(data_dir: Path) -> tuple[str, ...]:
    return "--data-dir", str(data_dir), "--skew-s", str(SKEW_S)


class RestartingServer:
    """onecode on one data directory and one port, however often it is killed. Use it in a ``with`` statement."""

    def __init__(self, data_dir: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        self._log = data_dir / "serve.log"
        shared = ("--data-dir", str(data_dir), "--listen", self.address, "--metrics", "127.0.0.1:0", "--workers", "1")
        self._command = [str(ONECODE), "serve", *shared]

    def __enter__(self) -> Self:
        self.start()
        address_of(self._process, self._log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; it is not waited for."""
        with self._log.open("ab") as errors:
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=errors)

    def kill(self) -> None:
        """End it with SIGKILL: nothing runs after that, no handler and no buffer's end."""
        self._process.kill()
        self._process.communicate()

    def memory_mib(self) -> tuple[int, int]:
        """Return what is resident now, the mapped part of the store included, and its anonymous part."""
        if self._process.poll() is not None:
            raise SystemExit(f"the server ended by itself:\n{self._log.read_text()}")
        resident, anonymous = memory_mib(self._process.pid)
        return int(resident), int(anonymous)


@contextmanager
def running(
    name: str, command: list[str], data_dir: Path, cores: Sequence[int] = (), shown: Shown = NOTHING
) -> Iterator[Server]:
    """Run a server until the block ends, on some cores or all; it is ready when the block begins."""
    log = data_dir / f"{name}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(pinned(command, cores), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
    try:
        address, page = [*addresses_of(process, log), ""][:2]
        yield Server(name, process.pid, address, page, shown)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return where a server says that it serves calls."""
    return addresses_of(process, log)[0]


def addresses_of(process: subprocess.Popen[bytes], log: Path) -> list[str]:
    """Return the addresses of the line ``ready grpc=HOST:PORT metrics=HOST:PORT``, of which a peer has the first."""
    if process.stdout is None:
        raise ValueError("the server's output is not read")
    ends_s = time.monotonic() + START_TIMEOUT_S
    while select.select([process.stdout], [], [], max(0, ends_s - time.monotonic()))[0]:
        line = process.stdout.readline().decode()
        if line.startswith("ready "):
            return [part.partition("=")[2] for part in line.split()[1:3]]
        if not line:
            break
    raise SystemExit(f"a server did not start:\n{log.read_text()}")
