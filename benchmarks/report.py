"""What was found: medians over the rounds, a table for people and JSON for programs."""

import json
import os
import platform
import sys
from collections.abc import Mapping
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

Found = Mapping[Case, Mapping[str, list[Round]]]
"""The rounds of each case, by server: onecode first. The first case is the unary one, the second the batch."""
QUIET_CORES: Final = 0.2
"""More than this, used by other processes, and the numbers are worth less: caches and clock speeds are shared."""


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


def summary(found: Found, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that was found, as JSON holds it."""
    cases: list[dict[str, Any]] = []
    for case, by_server in found.items():
        # Each round with the one right after it, so that a machine that slows down slows both.
        ratios = [_rate(ours) / _rate(theirs) for ours, theirs in zip(*by_server.values(), strict=True)]
        servers = {name: _medians(rounds) for name, rounds in by_server.items()}
        cases.append({"name": case.name, "ratio": round(median(ratios), 2), "servers": servers})
    unary, batch = (case["servers"]["onecode"]["codes_per_cpu_s"] for case in cases[:2])
    headline = {"batch_codes_per_server_cpu_s": batch, "unary_answers_per_server_cpu_s": unary}
    return {**about, "headline": headline, "cases": cases}


def write(results: Mapping[str, Any], file: Path) -> None:
    """Write the results as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def show(results: Mapping[str, Any], console: Console) -> None:
    """Print the circumstances, the table and the two headline numbers."""
    about = [
        f"{name.replace('_', ' ')}: {value}" for name, value in results.items() if not isinstance(value, dict | list)
    ]
    console.print("\n".join(about), highlight=False)
    table = plain_table()
    for column in ("", "server"):
        table.add_column(column, no_wrap=True)
    for column in ("codes/\nCPU s", "spread", "ratio", "codes/\nwall s", "p50\nms", "p99\nms", "RSS\nMiB"):
        table.add_column(column, justify="right")
    for case in results["cases"]:
        first = (case["name"], f"{case['ratio']:.2f}")
        for name, one in case["servers"].items():
            table.add_row(*_cells(name, one, *first))
            first = ("", "")
        table.add_section()
    console.print(table)
    headline = results["headline"]
    console.print(f"batch codes a second of server CPU:   [bold]{headline['batch_codes_per_server_cpu_s']:,}[/]")
    console.print(f"unary answers a second of server CPU: [bold]{headline['unary_answers_per_server_cpu_s']:,}[/]")
    others = max(one["others_cores"] for case in results["cases"] for one in case["servers"].values())
    if others > QUIET_CORES:
        console.print(f"not a quiet machine: other processes used up to {others:.1f} cores meanwhile; run it again")


def plain_table(*numbers: str) -> Table:
    """Return a table in the style of these reports, with columns for numbers."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _cells(name: str, one: Mapping[str, Any], case: str, ratio: str) -> tuple[str, ...]:
    return (
        case,
        name,
        f"[bold]{one['codes_per_cpu_s']:,}[/]",
        f"{one['spread_percent']:.0f} %",
        ratio,
        f"{one['codes_per_wall_s']:,}",
        f"{one['p50_ms']:.1f}",
        f"{one['p99_ms']:.1f}",
        f"{one['resident_mib']:.0f}",
    )


def _medians(rounds: list[Round]) -> dict[str, Any]:
    rates = [_rate(one) for one in rounds]
    plain = ("p50_ms", "p99_ms", "resident_mib", "others_cores")
    return {
        "codes_per_cpu_s": round(median(rates)),
        "spread_percent": round((max(rates) - min(rates)) / median(rates) * 100, 1),
        "codes_per_wall_s": round(median(one.codes / one.wall_s for one in rounds)),
        **{name: round(median(getattr(one, name) for one in rounds), 2) for name in plain},
        "rounds": [one._asdict() for one in rounds],
    }


def _rate(one: Round) -> float:
    return one.codes / one.cpu_s
