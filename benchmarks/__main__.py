"""One command, a canonical workload, two headline numbers. What is measured, and why so, stands in README.md."""

import multiprocessing
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import track

from benchmarks import (
    agreement,
    cases,
    goodput,
    h2load,
    latency,
    load,
    plots,
    report,
    secured,
    servers,
    warm_cache,
    workload,
)
from benchmarks.measures import measures
from benchmarks.processes import CORES
from benchmarks.servers import Server

POOL_CODES: Final = 10_000
"""A code comes back to a server after all the others of its pool: as at a gate, where the next code is somebody else's,
little is gained by remembering the one before. More would take longer to issue than to check."""
LAST_TURN_S: Final = 140.0
FEWEST_ROUNDS: Final = 3
"""On a busy machine everything takes longer: no turn begins so long after the run did, once there are rounds enough for
a median, so that the whole run ends within five minutes. On a quiet one the fifth turn begins before that."""
TWO_WORKERS: Final = "two workers"
RESULTS: Final = Path(__file__).parent / "results"


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=5, type=click.IntRange(1, 50), help="Of each case and server.")
@click.option("--seconds", default=0.6, type=click.FloatRange(0.2, 15), help="Of each round.")
@click.option("--out", default=RESULTS, type=click.Path(file_okay=False, path_type=Path), help="For JSON and plots.")
def main(rounds: int, seconds: float, out: Path) -> None:
    """Measure onecode against its peers and its bars, in answers a second of server CPU."""
    begun_s = time.monotonic()
    results = report.circumstances() | {"front": servers.FRONT, "seconds": seconds}
    results["skipped"] = {peer: servers.NOT_BUILT for peer in servers.BUILT if peer not in servers.built_peers()}
    if servers.FRONT == "grpc":
        results["skipped"][servers.GRPC_AIO] = "onecode answers by it, since the native front is not built"
    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="onecode-bench-") as directory, ExitStack() as running:
        data_dir = Path(directory) / "data"
        progress.print("issuing codes and publishing status")
        pools = workload.make(data_dir, POOL_CODES)
        commands = servers.commands(data_dir)
        everyone = {
            name: running.enter_context(servers.running(name, command, data_dir, CORES[:1]))
            for name, command in commands.items()
        }
        progress.print("comparing decisions")
        results["codes_agreed_on"] = agreement.check(everyone, pools)
        two = servers.onecode(data_dir, workers=2, front=servers.FRONT)
        everyone[TWO_WORKERS] = running.enter_context(servers.running(TWO_WORKERS, two, data_dir, CORES[:2]))
        everyone |= running.enter_context(secured.by_all_fronts(data_dir, Path(directory) / "certs"))
        os.sched_setaffinity(0, CORES[-1:])  # from here on this process is the load
        found = _measure(everyone, pools, rounds, seconds, begun_s, progress)
        rounds = results["rounds"] = len(found[cases.BATCH]["onecode"])
        national = pools["national"].codes
        progress.print("ten times as many calls in flight")
        results["goodput"] = _goodput(everyone["onecode"], national, rounds, seconds)
        grpc_aio = everyone.get(servers.GRPC_AIO, everyone["onecode"])
        compared = list({one.name: one for one in (everyone["onecode"], grpc_aio, everyone["echo"])}.values())
        results["h2load"] = h2load.answers_per_cpu_s(compared, national[0], data_dir)
        progress.print("the Python client")
        results["sdk"] = _gathered(grpc_aio, national, rounds, seconds)
        progress.print("single calls beside large batches")
        waits = latency.beside_batches(everyone["onecode"], national)
        progress.print("starting servers")
        starts_s = latency.starts_s(data_dir, national[0], commands["onecode"], CORES[:1])
    results |= {"cases": report.summary(found), "waits": waits.summary()}
    ours = [one for by_server in found.values() for one in by_server["onecode"]]
    results["anonymous_mib"] = round(max(one.anonymous_mib for one in ours), 1)
    results["start_s"] = {"median": round(statistics.median(starts_s), 2), "all": [round(one, 3) for one in starts_s]}
    batch, unary = (results["cases"][case.name]["servers"]["onecode"]["rate"] for case in (cases.BATCH, cases.UNARY))
    results["headline"] = {"batch_codes_per_server_cpu_s": batch, "unary_answers_per_server_cpu_s": unary}
    held_to = measures(results)
    results["measures"] = [vars(one) | {"standing": one.standing} for one in held_to]
    report.write(results, out / "latest.json")
    plots.draw(results, held_to, waits, out)
    report.show(results, held_to, report.wide_console())


def _measure(
    everyone: dict[str, Server],
    pools: dict[str, workload.Pool],
    rounds: int,
    seconds: float,
    begun_s: float,
    progress: Console,
) -> dict[load.Case, dict[str, list[load.Round]]]:
    """Let the servers take turns, case by case, again and again: what others do for a while hits a round of each."""
    here = {case: {name: everyone[name] for name in case.servers if name in everyone} for case in cases.CASES}
    found: dict[load.Case, dict[str, list[load.Round]]] = {
        case: {name: [] for name in asked} for case, asked in here.items()
    }
    requests = {case: load.bodies_of(case, pools[case.pool].codes) for case in cases.CASES}
    # Each server has its own place in the pool: none meets a code that it has just seen.
    bodies = {(case, name): cycle(requests[case]) for case, asked in here.items() for name in asked}
    for turn in track(range(rounds), "measuring", console=progress, transient=True):
        if turn >= FEWEST_ROUNDS and time.monotonic() - begun_s > LAST_TURN_S:
            progress.print(f"a busy machine: {turn} rounds instead of {rounds}")
            break
        for case, asked in here.items():
            for name, server in asked.items():
                warm_cache.warm(server, pools[case.pool].codes, turn)
                found[case][name].append(load.run(case, bodies[case, name], server, seconds))
    return found


def _goodput(server: Server, codes: list[bytes], rounds: int, seconds: float) -> dict[str, Any] | None:
    """Measure the native front beyond its capacity. The others are not held to anything there."""
    if servers.FRONT != "native":
        return None
    bodies = cycle(load.bodies_of(cases.MANY, codes))
    return goodput.summary([goodput.run(server, bodies, seconds) for _ in range(rounds)])


def _gathered(server: Server, codes: list[bytes], rounds: int, seconds: float) -> dict[str, Any] | None:
    """Measure single checks that the Python client gathers, against plain calls: by ``benchmarks/gathering.py``."""
    if find_spec("benchmarks.gathering") is None:
        return None
    run = import_module("benchmarks.gathering").run
    spawn = multiprocessing.get_context("spawn")  # a forked child would inherit gRPC's threads, but not running
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        pairs = [
            [process.submit(run, way, codes, server, seconds).result() for way in ("unary", "gathered")]
            for _ in range(rounds)
        ]
    rates = [[one.answers / one.server_cpu_s for one in pair] for pair in pairs]
    plain, gathered = (round(statistics.median(column)) for column in zip(*rates, strict=True))
    ratio = statistics.median(gathered / plain for plain, gathered in rates)
    return {"ratio": round(ratio, 2), "unary_rate": plain, "gathered_rate": gathered}


if __name__ == "__main__":
    main()
