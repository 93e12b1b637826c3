"""What TLS and identities cost: ``python -m benchmarks.secured``.

The same calls to three servers of each front in turn: one that speaks plaintext and lets everybody on this machine do
all, one that wants certificates, and one that wants tokens, both over TLS. What counts is the CPU of the server for an
answer, over that of the plaintext server in the same turn. Handshakes are not in it: connections are kept.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Final

import click
from rich.console import Console
from rich.progress import track

from onecode_server.cli import output

from benchmarks import load, servers, warm_cache, workload
from benchmarks.cases import BATCH, CERTIFICATE, LONE, STREAM, TOKEN, UNARY
from benchmarks.load import Case, Round
from benchmarks.processes import CORES
from benchmarks.servers import Server
from benchmarks.shown import Authority, Shown

CASES: Final = (UNARY, LONE, BATCH, STREAM)
POOL_CODES: Final = 10_000
PLAINTEXT: Final = "plaintext"
WAYS: Final = (PLAINTEXT, CERTIFICATE, TOKEN)
HEADERS: Final = ("front", "case", "us of CPU an answer", *(f"with a {way}" for way in WAYS[1:]), "load's cores")

Found = Mapping[str, list[Round]]


@contextmanager
def secured(name: str, data_dir: Path, front: str, authority: Authority) -> Iterator[dict[str, Server]]:
    """Run a server of a front for callers with a certificate, and another one for callers with a token, over TLS: by
    the way of calling. gRPC cannot accept both from different callers."""
    ways = {
        CERTIFICATE: (authority.flags(certificates=True, tokens=False), Shown(authority.context("caller"))),
        TOKEN: (authority.flags(certificates=False, tokens=True), Shown(authority.context(), authority.token())),
    }
    with ExitStack() as running:
        yield {
            way: running.enter_context(
                servers.running(
                    f"{name}, {way}", [*servers.onecode(data_dir, front=front), *flags], data_dir, CORES[:1], shown
                )
            )
            for way, (flags, shown) in ways.items()
        }


@contextmanager
def by_all_fronts(data_dir: Path, certs: Path) -> Iterator[dict[str, Server]]:
    """Run the servers ``cases.SECURED``, for an authority that is made in ``certs``."""
    authority = Authority.make(certs)
    with ExitStack() as running:
        everyone = running.enter_context(secured(servers.FRONT, data_dir, servers.FRONT, authority))
        if servers.FRONT == "native":
            by_grpc = running.enter_context(secured(servers.GRPC_AIO, data_dir, "grpc", authority))
            everyone |= {f"{servers.GRPC_AIO}, {way}": server for way, server in by_grpc.items()}
        yield everyone


@contextmanager
def all_ways(data_dir: Path, front: str, authority: Authority) -> Iterator[dict[str, Server]]:
    """Run a server for each way of calling."""
    command = servers.onecode(data_dir, front=front)
    with (
        servers.running(front, command, data_dir, CORES[:1]) as plaintext,
        secured(front, data_dir, front, authority) as others,
    ):
        yield {PLAINTEXT: plaintext, **others}


def measure(
    everyone: Mapping[str, Server], case: Case, codes: list[bytes], rounds: int, seconds: float, progress: Console
) -> dict[str, list[Round]]:
    """Let the servers take turns, each time in another order."""
    requests = load.bodies_of(case, codes)
    bodies = {way: cycle(requests) for way in everyone}
    found: dict[str, list[Round]] = {way: [] for way in everyone}
    for turn in track(range(rounds), case.name, console=progress, transient=True):
        for way in [*everyone][turn % len(everyone) :] + [*everyone][: turn % len(everyone)]:
            warm_cache.warm(everyone[way], codes, turn)
            found[way].append(load.run(case, bodies[way], everyone[way], seconds))
    return found


def row(front: str, case: Case, found: Found) -> tuple[str, ...]:
    """Return the cells of a front and a case: the cost of plaintext, and how many times as much the others cost."""
    plain = [cost_us(one) for one in found[PLAINTEXT]]
    cells = []
    for way in WAYS[1:]:
        ratios = sorted(cost_us(one) / before for one, before in zip(found[way], plain, strict=True))
        cells.append(f"{median(ratios):.3f} x ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    busy = "/".join(f"{median(one.load_cores for one in found[way]):.2f}" for way in WAYS)
    return (front, case.name, f"{median(plain):.2f}", *cells, busy)


def cost_us(one: Round) -> float:
    """Return the microseconds of server CPU for a code."""
    return one.cpu_s / one.codes * 1e6


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=7, type=click.IntRange(1, 50), help="Of each case and way of calling.")
@click.option("--seconds", default=0.6, type=click.FloatRange(0.2, 15), help="Of each round.")
@click.option("--front", "fronts", multiple=True, type=click.Choice(["native", "grpc"]), help="Default: what is built.")
@click.option("--case", "only", multiple=True, type=click.Choice([case.method for case in CASES]), help="Default: all.")
def main(rounds: int, seconds: float, fronts: tuple[str, ...], only: tuple[str, ...]) -> None:
    """Measure calls with a certificate and with a token over TLS against plaintext, in CPU of the server."""
    progress, rows = Console(stderr=True), []
    cases = [case for case in CASES if not only or case.method in only]
    with tempfile.TemporaryDirectory(prefix="onecode-secured-") as directory:
        data_dir = Path(directory) / "data"
        progress.print("issuing codes and publishing status")
        codes = workload.make(data_dir, POOL_CODES, names=())["national"].codes
        authority = Authority.make(Path(directory) / "certs")
        os.sched_setaffinity(0, CORES[-1:])
        for front in fronts or dict.fromkeys((servers.FRONT, "grpc")):
            with all_ways(data_dir, front, authority) as everyone:
                for case in cases:
                    found = measure(everyone, case, codes, rounds, seconds, progress)
                    rows.append(row(front, case, found))
    output.print_table("Server CPU over that of plaintext: median (lowest to highest round)", HEADERS, rows)


if __name__ == "__main__":
    main()
