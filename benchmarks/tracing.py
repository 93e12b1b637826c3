"""What traces cost: ``python -m benchmarks.tracing`` (needs ``onecode[otel]``).

The same calls to two servers of grpc.aio in turn, one of which traces every call to a collector that takes all and
keeps nothing. What counts is the CPU of the server for an answer, with the thread that sends spans. A server that does
not trace runs the code of one without OpenTelemetry: ``--against`` names the command of another tree's, to compare.
"""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any, Final

import click
from rich.console import Console

from onecode_server.cli import output

from benchmarks import secured, servers, workload
from benchmarks.cases import BATCH, LONE, STREAM, UNARY
from benchmarks.processes import CORES
from benchmarks.secured import cost_us

CASES: Final = (UNARY, LONE, BATCH, STREAM)
POOL_CODES: Final = 10_000
OFF: Final = "off"
ON: Final = "every call"
AGAINST: Final = "the other tree"


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def collector() -> Iterator[str]:
    """Take spans, and yield the URL to send them to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=7, type=click.IntRange(1, 50), help="Of each case and server.")
@click.option("--seconds", default=0.6, type=click.FloatRange(0.2, 15), help="Of each round.")
@click.option("--against", help="The command onecode of another tree, whose server is measured too.")
def main(rounds: int, seconds: float, against: str | None) -> None:
    """Measure calls that are traced against calls that are not, in CPU of the server."""
    progress, rows = Console(stderr=True), []
    with tempfile.TemporaryDirectory(prefix="onecode-tracing-") as directory, ExitStack() as running:
        data_dir = Path(directory) / "data"
        progress.print("issuing codes and publishing status")
        codes = workload.make(data_dir, POOL_CODES, names=())["national"].codes
        url = running.enter_context(collector())
        os.sched_setaffinity(0, CORES[-1:])
        plain = servers.onecode(data_dir, front="grpc")
        commands = {OFF: plain, ON: [*plain, "--otel-endpoint", url]}
        if against:
            commands[AGAINST] = [against, *plain[1:]]
        everyone = {
            way: running.enter_context(servers.running(way, command, data_dir, CORES[:1]))
            for way, command in commands.items()
        }
        for case in CASES:
            found = secured.measure(everyone, case, codes, rounds, seconds, progress)
            before = [cost_us(one) for one in found[OFF]]
            cells = []
            for way in [*everyone][1:]:
                ratios = sorted(cost_us(one) / off for one, off in zip(found[way], before, strict=True))
                cells.append(f"{median(ratios):.3f} x ({ratios[0]:.2f} to {ratios[-1]:.2f})")
            rows.append((case.name, f"{median(before):.2f}", *cells))
    output.print_table("Server CPU over that without traces: median (lowest to highest)", HEADERS[: len(rows[0])], rows)


HEADERS: Final = ("case", "us of CPU an answer", "every call traced", "the other tree, without traces")

if __name__ == "__main__":
    main()
