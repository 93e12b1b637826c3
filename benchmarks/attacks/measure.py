"""One attack: on the server, and on a listener that does nothing, with the same polite client beside it.

The server has one core for itself; attacker (at the lowest priority) and polite client share another one. Both are
attacked in turn, so that what a neighbour does to the machine meets both.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from benchmarks import servers, warm_cache
from benchmarks.attacks.catalogue import SECURED
from benchmarks.attacks.way import Way
from benchmarks.processes import CORES, cpu_s, memory_mib, pinned
from benchmarks.servers import ROOT, Server
from benchmarks.shown import Authority

CODES: Final = 20_000
"""Bearers whom the server knows before an attack: a fifth of what its cache takes."""
POLITE_CODES: Final = 100
ROUNDS: Final = 3
"""Of each, in turn; the median of their p99 counts."""
SETTLE_S: Final = 1.0
"""The attack begins so long before the polite client."""
AFTER_S: Final = 20.0
"""What processes get to end beyond their time: timeouts of calls, and a busy machine."""
LAG_METRIC: Final = "onecode_event_loop_lag_seconds_bucket"
_POLL_S: Final = 0.1


class Row(NamedTuple):
    """What was found. Times are milliseconds, the medians of some rounds; memory is MiB (anonymous)."""

    name: str
    p99_dummy: float
    p99: float
    answered: int
    errors: dict[str, int]
    memory_before: float
    memory_most: float
    cpu_share: float
    lag_p99: str

    @property
    def faults(self) -> list[str]:
        """What is not within the bars."""
        found = []
        if self.p99 > P99_TIMES_MAX * self.p99_dummy:
            found.append("p99")
        if self.errors:
            found.append("errors")
        if self.memory_most > MEMORY_TIMES_MAX * self.memory_before:
            found.append("memory")
        return found


P99_TIMES_MAX: Final = 3.0
MEMORY_TIMES_MAX: Final = 1.5


def measure(
    name: str, front: str, data_dir: Path, codes: list[bytes], seconds: float, rate: float, authority: Authority
) -> Row:
    """Run one attack on a fresh server, which has checked all of the codes in large batches before; the polite client
    has some of them. ``front`` is the server's, ``authority`` that of its callers if they must show something."""
    way, core = Way(SECURED.get(name, ""), authority), CORES[-1]
    command = [*servers.onecode(data_dir, front=front), *way.flags]
    with servers.running("attacked", command, data_dir, CORES[:1]) as server, _dummy(core, way) as dummy:
        page = server.page
        # As by a gateway: what tables and caches take then is no attack's.
        asyncio.run(warm_cache.send_all(server.address, codes, shown=way.caller))
        call_politely(server.address, page, codes[:POLITE_CODES], 2, core, way)
        before, used_s, elapsed_s = memory_mib(server.pid)[1], 0.0, 0.0
        calm, found, lags = [], [], Counter[float]()
        with _watched(server.pid) as most:
            for _ in range(ROUNDS):
                calm.append(_beside(name, dummy, dummy, server, page, codes[:POLITE_CODES], seconds, rate, core, way))
                lags.subtract(_lags(page))
                used_s, elapsed_s = used_s - cpu_s(server.pid), elapsed_s - time.monotonic()
                attacked = server.address, page, server, page
                found.append(_beside(name, *attacked, codes[:POLITE_CODES], seconds, rate, core, way))
                used_s, elapsed_s = used_s + cpu_s(server.pid), elapsed_s + time.monotonic()
                lags.update(_lags(page))
    p99_dummy, p99 = (statistics.median(p99_ms(one["latencies_ms"]) for one in rounds) for rounds in (calm, found))
    answered = sum(len(one["latencies_ms"]) for one in found)
    errors = sum((Counter(one["errors"]) for one in found), Counter[str]())
    return Row(name, p99_dummy, p99, answered, errors, before, most[0], used_s / elapsed_s, _p99_bucket(lags))


def _beside(
    name: str,
    attacked: str,
    attacked_page: str,
    server: Server,
    page: str,
    codes: list[bytes],
    seconds: float,
    rate: float,
    core: int,
    way: Way,
) -> Any:
    lasts_s = seconds + SETTLE_S + 1
    attacker = _start("attacker", name, attacked, attacked_page, rate, lasts_s, *way.certs, core=core, nice=19)
    try:
        _give(attacker, codes)
        time.sleep(SETTLE_S)
        return call_politely(server.address, page, codes, seconds, core, way)
    finally:
        try:
            attacker.wait(seconds + AFTER_S)
        finally:
            attacker.kill()
            attacker.wait()


def call_politely(
    address: str, page: str, codes: list[bytes], seconds: float, core: int, way: Way | None = None
) -> Any:
    """Run the polite client on a core for so long, and return what it says (``polite``)."""
    process = _start("polite", address, page, seconds, *(way.polite if way else ()), core=core)
    out, _ = process.communicate(b"\n".join(codes), timeout=seconds + AFTER_S)
    return json.loads(out)


def _start(module: str, *arguments: object, core: int, nice: int = 0) -> subprocess.Popen[bytes]:
    command = ["nice", "-n", str(nice), sys.executable, "-m", f"benchmarks.attacks.{module}", *map(str, arguments)]
    return subprocess.Popen(pinned(command, [core]), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _give(process: subprocess.Popen[bytes], codes: list[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.write(b"\n".join(codes))
        process.stdin.close()


@contextmanager
def _dummy(core: int, way: Way) -> Iterator[str]:
    # Where it makes handshakes, it keeps the polite client from its core no more than the attacker does.
    process = _start("dummy", *way.certs, core=core, nice=19 if way.shown else 0)
    try:
        yield servers.address_of(process, Path(os.devnull))
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _watched(pid: int) -> Iterator[list[float]]:
    """Note the most anonymous memory that a process has meanwhile, in MiB."""
    most, over = [memory_mib(pid)[1]], threading.Event()

    def take_sample() -> None:
        while not over.wait(_POLL_S):
            most[0] = max(most[0], memory_mib(pid)[1])

    watcher = threading.Thread(target=take_sample)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def _lags(page: str) -> dict[float, float]:
    """Return how often the event loop was at most so late, by the bound of each bucket in seconds."""
    with build_opener(ProxyHandler({})).open(f"http://{page}/metrics", timeout=AFTER_S) as response:
        text = response.read().decode()
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == LAG_METRIC
    }


def _p99_bucket(counts: Counter[float]) -> str:
    """Return the bound under which 99 of 100 looks were late, in milliseconds."""
    total = max(counts.values(), default=0)
    bound = next((bound for bound in sorted(counts) if counts[bound] >= 0.99 * total), float("inf"))
    return f"≤ {bound * 1e3:g}"


def p99_ms(latencies_ms: list[float]) -> float:
    """Return the 99th percentile, which is infinite where there is none."""
    ordered = sorted(latencies_ms)
    return ordered[int(len(ordered) * 0.99)] if ordered else float("inf")
