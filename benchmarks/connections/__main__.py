"""Holds connections, up to the limit on descriptors (``ulimit -Hn``): ``python -m benchmarks.connections``."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from onecode_server.cli import output

from benchmarks import servers, workload
from benchmarks.attacks.measure import POLITE_CODES, ROUNDS, call_politely, p99_ms
from benchmarks.processes import CORES, cpu_s, memory_mib, pinned
from benchmarks.servers import ROOT

RESERVED: Final = 400
"""Descriptors of the server for itself, and for the polite client's connections, which take three each."""
HOLDERS_MAX: Final = 10_000
"""Connections that one process holds, so that its own descriptors suffice."""
KIB: Final = 1024
HEADERS: Final = ("connections", "held", "after", "opened in s", "MiB before", "MiB", "KiB each", "CPU at rest")


@click.command(context_settings={"show_default": True})
@click.option("--count", default=20_000, type=click.IntRange(1, 25_000), help="Connections to be held.")
@click.option("--seconds", default=5.0, type=click.FloatRange(1, 600), help="Of each round of the polite client.")
def main(count: int, seconds: float) -> None:
    """Hold connections to one worker of the native front, each of which has made one check.

    The worker's own bound is lifted; its limit on descriptors is not. The status is 1 where a connection was lost, or
    the polite client met an error.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    may = count if hard == resource.RLIM_INFINITY else min(count, hard - RESERVED)
    if may < count:
        print(f"the limit on descriptors of {hard:,} (ulimit -Hn) allows {may:,} connections")
    with tempfile.TemporaryDirectory(prefix="onecode-connections-") as directory:
        data_dir = Path(directory) / "data"
        workload.init(data_dir)
        codes = workload.issue(data_dir, "420000", POLITE_CODES)
        command = servers.onecode(data_dir, front="native")
        command[:1] = [sys.executable, "-m", "benchmarks.connections.server"]
        with servers.running("held", command, data_dir, CORES[:1]) as server:
            call_politely(server.address, server.page, codes, 2, CORES[-1])  # what caches and tables take
            alone = [call_politely(server.address, server.page, codes, seconds, CORES[-1]) for _ in range(ROUNDS)]
            before, began_s = memory_mib(server.pid)[1], time.monotonic()
            with _held(server.address, codes[0], may) as holders:
                held, took_s = sum(_told(one) for one in holders), time.monotonic() - began_s
                used_s = -cpu_s(server.pid)
                time.sleep(seconds)
                used_s += cpu_s(server.pid)
                with_all = memory_mib(server.pid)[1]
                beside = [call_politely(server.address, server.page, codes, seconds, CORES[-1]) for _ in range(ROUNDS)]
                after = sum(_still_open(one) for one in holders)
    each_kib = (with_all - before) * KIB / held if held else 0.0
    counts = (f"{may:,}", f"{held:,}", f"{after:,}", f"{took_s:.0f}")
    memory = (f"{before:.0f}", f"{with_all:.0f}", f"{each_kib:.1f}", f"{used_s / seconds:.1%}")
    output.print_table("Connections held to one worker", HEADERS, [(*counts, *memory)])
    p99_alone, p99_beside = (
        statistics.median(p99_ms(one["latencies_ms"]) for one in rounds) for rounds in (alone, beside)
    )
    errors = sum((Counter(one["errors"]) for one in (*alone, *beside)), Counter[str]())
    said = ", ".join(f"{number} {kind}" for kind, number in errors.items()) or "no error"
    print(f"polite client, p99: {p99_alone:.1f} ms alone, {p99_beside:.1f} ms beside them; {said}")
    sys.exit(bool(errors) or after < may)


@contextmanager
def _held(address: str, code: bytes, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Let processes hold connections, of as equal numbers as there can be."""
    number = -(-count // HOLDERS_MAX)
    shares = [count // number + (place < count % number) for place in range(number)]
    holders = []
    try:
        for share in shares:
            command = [sys.executable, "-m", "benchmarks.connections.holder", address, str(share)]
            holder = subprocess.Popen(
                pinned(command, CORES[-1:]), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            holders.append(holder)
            _say(holder, code)
        yield holders
    finally:
        for holder in holders:
            holder.kill()
            holder.communicate()


def _say(holder: subprocess.Popen[bytes], line: bytes) -> None:
    if holder.stdin is not None:
        holder.stdin.write(line + b"\n")
        holder.stdin.flush()


def _told(holder: subprocess.Popen[bytes]) -> int:
    return int(holder.stdout.readline() or 0) if holder.stdout is not None else 0


def _still_open(holder: subprocess.Popen[bytes]) -> int:
    _say(holder, b"how many?")
    return _told(holder)


if __name__ == "__main__":
    main()
