"""What was found: medians over the rounds, tables for people and JSON for programs."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import grpc
from google import protobuf
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.load import Case, Round
from benchmarks.measures import Measure

Found = Mapping[Case, Mapping[str, list[Round]]]
"""The rounds of each case, by server: onecode first."""
TABLE_COLUMNS: Final = 110
QUIET_CORES: Final = 0.2
"""More than this, used by other processes, and the numbers are worth less: caches and clock speeds are shared."""
BUSY_LOAD_CORES: Final = 0.9
"""A load that uses more of its core than this is waited for by the calls that it measures."""


def circumstances(program: str = "python -m benchmarks") -> dict[str, Any]:
    """Return where and with what this run is made."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "grpcio": grpc.__version__,
        "protobuf": protobuf.__version__,
        "command": " ".join([program, *sys.argv[1:]]),
    }


def summary(found: Found) -> dict[str, Any]:
    """Return the rounds of all cases, as JSON holds them."""
    return {
        case.name: {
            "servers": {name: _medians(rounds) for name, rounds in by_server.items()},
            "ratios": {
                name: ratio(by_server["onecode"], rounds) for name, rounds in by_server.items() if name != "onecode"
            },
        }
        for case, by_server in found.items()
    }


def ratio(ours: list[Round], theirs: list[Round]) -> dict[str, float]:
    """Return how many times as much onecode does in a CPU second: median, lowest and highest of the rounds.

    Each round with the other's of the same turn, so that a machine that slows down slows both.
    """
    ratios = sorted(rate(our) / rate(their) for our, their in zip(ours, theirs, strict=True))
    return {"median": round(median(ratios), 3), "lowest": round(ratios[0], 3), "highest": round(ratios[-1], 3)}


def rate(one: Round) -> float:
    """Return the codes of a round to a second of the server's CPU."""
    return one.codes / one.cpu_s


def write(results: Mapping[str, Any], file: Path) -> None:
    """Write the results as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def show(results: Mapping[str, Any], measures: Iterable[Measure], console: Console) -> None:
    """Print the circumstances, the table, what the project holds itself to, and the two headline numbers."""
    about = [
        f"{name.replace('_', ' ')}: {value}" for name, value in results.items() if isinstance(value, str | int | float)
    ]
    console.print("\n".join(about), highlight=False)
    table = plain_table()
    for column in ("", "server"):
        table.add_column(column, no_wrap=True)
    for column in ("codes/\nCPU s", "spread", "onecode\nto it", "codes/\nwall s", "p50\nms", "p99\nms", "RSS\nMiB"):
        table.add_column(column, justify="right")
    for case, found in results["cases"].items():
        title = case
        for name, one in found["servers"].items():
            table.add_row(*_cells(title, name, one, found["ratios"].get(name)))
            title = ""
        table.add_section()
    console.print(table)
    for peer, why in results["skipped"].items():
        console.print(f"{peer}: skipped, {why}", highlight=False)
    if by_h2load := results["h2load"]:
        rates = ", ".join(f"{name} {rate:,}" for name, rate in by_h2load.items())
        console.print(f"unary by h2load, one code again and again, answers/CPU s: {rates}", highlight=False)
    if crowd := results["goodput"]:
        console.print(
            f"{crowd['in_flight']:,} calls in flight, retrying at once: {crowd['goodput_per_s']:,} answers in time and "
            f"{crowd['refused_per_s']:,} refusals a second; with a tenth of them {crowd['capacity_per_s']:,} answers",
            highlight=False,
        )
    waits = results["waits"]
    console.print(
        f"{waits['calls_per_s']} calls a second: p99 {waits['p99_ms_alone']} ms alone, "
        f"{waits['p99_ms_beside_batches']} ms beside {waits['batches']} batches of {waits['codes_per_batch']:,}",
        highlight=False,
    )
    console.print(
        "\n".join(("", *markdown(measures, results["front"]), "")), markup=False, highlight=False, soft_wrap=True
    )
    headline = results["headline"]
    console.print(f"batch codes a second of server CPU:   [bold]{headline['batch_codes_per_server_cpu_s']:,}[/]")
    console.print(f"unary answers a second of server CPU: [bold]{headline['unary_answers_per_server_cpu_s']:,}[/]")
    for case, name, cores in busy_loads(results["cases"]):
        console.print(
            f"{case}, {name}: the load used {cores:.2f} of its core, and p50 and p99 are its own", soft_wrap=True
        )
    everyone = [one for case in results["cases"].values() for one in case["servers"].values()]
    if (others := max(one["others_cores"] for one in everyone)) > QUIET_CORES:
        console.print(
            f"not a quiet machine: other processes used up to {others:.1f} cores meanwhile; run it again",
            soft_wrap=True,
        )


def busy_loads(cases: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Yield the case, the server and the load's cores where the load was nearly as busy as it can be."""
    for case, found in cases.items():
        for name, one in found["servers"].items():
            if one["load_cores"] > BUSY_LOAD_CORES:
                yield case, name, one["load_cores"]


def wide_console() -> Console:
    """Return a console for the table, as wide as it must be where no terminal says how wide it is."""
    return Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)


def markdown(measures: Iterable[Measure], front: str) -> list[str]:
    """Return the measures as a table in Markdown, ready to be pasted."""
    by = {"native": "the native front", "grpc": "grpc.aio"}[front]
    lines = [f"| one worker, {by}, 34 keys, warm cache | measured | bar | aim | |", "|---|---|---|---|---|"]
    for one in measures:
        limit, unit = "at most " if one.is_ceiling else "", {"x": " x", "s": " s", "MB": " MB"}.get(one.unit, "")
        value, bar = (f"{one.shown(number)}{unit if number is not None else ''}" for number in (one.value, one.bar))
        cells = (one.title, f"**{value}**", f"{limit}{bar}", one.shown(one.aim), one.note or one.standing)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def plain_table(*numbers: str) -> Table:
    """Return a table in the style of these reports, with columns for numbers."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _cells(case: str, name: str, one: Mapping[str, Any], ratio: Mapping[str, float] | None) -> tuple[str, ...]:
    return (
        case,
        name,
        f"[bold]{one['rate']:,}[/]",
        f"{one['spread_percent']:.0f} %",
        f"{ratio['median']:.2f}" if ratio else "",
        f"{one['codes_per_wall_s']:,}",
        f"{one['p50_ms']:.1f}",
        f"{one['p99_ms']:.1f}",
        f"{one['resident_mib']:.0f}",
    )


def _medians(rounds: list[Round]) -> dict[str, Any]:
    rates = [rate(one) for one in rounds]
    plain = ("p50_ms", "p99_ms", "resident_mib", "anonymous_mib", "load_cores", "others_cores")
    return {
        "rate": round(median(rates)),
        "spread_percent": round((max(rates) - min(rates)) / median(rates) * 100, 1),
        "codes_per_wall_s": round(median(one.codes / one.wall_s for one in rounds)),
        **{name: round(median(getattr(one, name) for one in rounds), 2) for name in plain},
        "rounds": [one._asdict() for one in rounds],
    }
