"""What a server's processes use, by /proc and their clocks (Linux): CPU time, memory; and which cores they run on."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

CORES: Final = tuple(sorted(os.sched_getaffinity(0)))
"""The cores that this process was given: a server that is measured has the first, what drives it the last."""
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED: Final = 2


def pinned(command: list[str], cores: Sequence[int]) -> list[str]:
    """Return a command that runs on these cores, or on all if there are none (taskset of util-linux, which every Linux
    has)."""
    return ["taskset", "-c", ",".join(map(str, cores)), *command] if cores else command


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its children that run, all threads, user and system.

    A supervisor that has no children that ended uses what its workers use and its own. The figure is that of
    /proc/PID/stat, which has hundredths of a second; the clock of a process has nanoseconds (clock_getcpuclockid(3)).
    Raises OSError for a process that has ended.
    """
    return sum(time.clock_gettime(~one << 3 | _CPUCLOCK_SCHED) for one in with_children(pid))


def machine_cpu_s() -> float:
    """Return the CPU seconds that all processes together have used."""
    user, nice, system, _idle, _iowait, irq, soft_irq, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(map(int, (user, nice, system, irq, soft_irq))) / _TICKS_PER_S


def memory_mib(pid: int) -> tuple[float, float]:
    """Return what is resident now, the mapped part of a store included, and its anonymous part: of the largest process.

    A supervisor is smaller than its workers, so that this is a worker's memory.
    """
    return max(_memory_mib(one) for one in with_children(pid))


def with_children(pid: int) -> Iterator[int]:
    """Yield a process and the processes that any of its threads started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def _memory_mib(pid: int) -> tuple[float, float]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if value.strip()}
    return int(kib["VmRSS"]) / 1024, int(kib["RssAnon"]) / 1024
