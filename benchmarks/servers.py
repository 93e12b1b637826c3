"""The servers under test: started, watched through /proc, and ended by their process id."""

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.workload import ONECODE, SKEW_S

ROOT: Final = Path(__file__).parent.parent
LOOPBACK: Final = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 15.0
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Server:
    """A running server: its name in the report, its process and its gRPC address."""

    name: str
    pid: int
    address: str


@contextmanager
def both(data_dir: Path) -> Iterator[tuple[Server, Server]]:
    """Run onecode and the first try on one data directory."""
    first_try = [sys.executable, "-m", "benchmarks.peers.first_try", *_shared(data_dir)]
    # onecode makes the store's tables; the other opens them for reading.
    with (
        _running("onecode", _onecode(data_dir), data_dir) as ours,
        _running("first try", first_try, data_dir) as theirs,
    ):
        yield ours, theirs


@contextmanager
def pair(data_dir: Path) -> Iterator[tuple[Server, Server]]:
    """Run onecode twice on one data directory."""
    command = _onecode(data_dir)
    with _running("one", command, data_dir) as one, _running("other", command, data_dir) as other:
        yield one, other


def _shared(data_dir: Path) -> tuple[str, ...]:
    return "--data-dir", str(data_dir), "--skew-s", str(SKEW_S)


def _onecode(data_dir: Path) -> list[str]:
    """One process of it, since one process's processor time and memory are what is measured."""
    return [str(ONECODE), "serve", *_shared(data_dir), *LOOPBACK, "--workers", "1"]


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used, in all of its threads, user and system (proc(5))."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = after_name[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S


def machine_cpu_s() -> float:
    """Return the CPU seconds that all processes together have used."""
    user, nice, system, _idle, _iowait, irq, soft_irq, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, soft_irq))) / _TICKS_PER_S


def resident_mib(pid: int) -> float:
    """Return the memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * _PAGE_BYTES / 2**20


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
        """Return what is resident now, the mapped part of the store included, and its anonymous part (proc(5))."""
        if self._process.poll() is not None:
            raise SystemExit(f"the server ended by itself:\n{self._log.read_text()}")
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        kib = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if value.strip()}
        return int(kib["VmRSS"]) // 1024, int(kib["RssAnon"]) // 1024


@contextmanager
def _running(name: str, command: list[str], data_dir: Path) -> Iterator[Server]:
    log = data_dir / f"{name}.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
    try:
        yield Server(name, process.pid, address_of(process, log))
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def address_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address of the line ``ready grpc=HOST:PORT ...``."""
    if process.stdout is None:
        raise ValueError("the server's output is not read")
    ends_s = time.monotonic() + START_TIMEOUT_S
    while select.select([process.stdout], [], [], max(0, ends_s - time.monotonic()))[0]:
        line = process.stdout.readline().decode()
        if line.startswith("ready "):
            return line.split()[1].removeprefix("grpc=")
        if not line:
            break
    raise SystemExit(f"a server did not start:\n{log.read_text()}")
