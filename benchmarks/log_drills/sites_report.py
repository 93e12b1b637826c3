"""What the drill of sites prints, and what it counts as broken."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.log_drills.drilled import load_of_computer
from benchmarks.log_drills.seen_drill import BOUND_S, p99_s
from benchmarks.log_drills.sites_drill import Drill, Row
from benchmarks.report import plain_table

AGAIN_S: Final = 10.0
"""Within which a site that was cut off is CURRENT again after the mending."""


def show(console: Console, drill: Drill) -> None:
    """Print three tables, and what was found at the end."""
    console.print("least, p50, p99 in ms: calls with a partition's records of a quarter second; single records")
    console.print(_latencies(drill.rows))
    console.print(
        "seconds: from a kill and a cut until writes resume, from the cut, and from the mending", _faults(drill.rows)
    )
    console.print(
        "ms: round trips of TCP, and by how much the program was late that delays frames", _network(drill.rows)
    )
    console.print(
        f"{drill.acknowledged:,} records acknowledged in all",
        "\n".join(broken(drill)) or "each of them is on each machine, and all digests are equal: kept",
        load_of_computer(),
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )


def _latencies(rows: Sequence[Row]) -> Table:
    table = plain_table(
        "round trip",
        "calls: leader here",
        "elsewhere",
        "a record acknowledged",
        "shown at both others",
        "tries",
        "CURRENT, %",
        "records/s",
    )
    for row in rows:
        table.add_row(
            f"{row.measured.between_ms:.1f}",
            _spread(row.here_s),
            _spread(row.elsewhere_s),
            _spread([one.acknowledged_s for one in row.delays]),
            _spread([one.seen_s for one in row.delays]),
            f"{len(row.delays):,}",
            " ".join(f"{100 * share:.4g}" for share in row.current),
            f"{row.records_a_second:,.0f}",
        )
    return table


def _faults(rows: Sequence[Row]) -> Table:
    table = plain_table(
        "round trip",
        "killed",
        "writes resume",
        "cut off",
        "writes resume",
        "first not CURRENT",
        "none CURRENT",
        "all again CURRENT",
    )
    for row in rows:
        table.add_row(
            f"{row.measured.between_ms:.1f}",
            row.killed.what.removesuffix(" killed"),
            f"{row.killed.resumed_s:.1f}",
            row.cut.what.removesuffix(" cut off"),
            f"{row.cut.resumed_s:.1f}",
            f"{row.turned.first_s:.1f}",
            f"{row.turned.all_s:.1f}",
            f"{row.turned.again_s:.1f}",
        )
    return table


def _network(rows: Sequence[Row]) -> Table:
    table = plain_table(
        "within a site", "between, least", "median", "frames/s", "MB/s", "dropped", "late, p99", "cores of the delaying"
    )
    for row in rows:
        passed, measured = row.passed, row.measured
        table.add_row(
            f"{measured.within_ms:.2f}",
            f"{measured.least_ms:.2f}",
            f"{measured.between_ms:.2f}",
            f"{passed.frames / row.seconds:,.0f}",
            f"{passed.sent_bytes / row.seconds / 1e6:.2f}",
            str(passed.dropped),
            f"≤ {passed.late_p99_ms:g}",
            f"{passed.cpu_s / row.seconds:.3f}",
        )
    return table


def _spread(times_s: Sequence[float]) -> str:
    if len(times_s) < 2:
        return "-"
    return " ".join(f"{s * 1000:,.0f}" for s in (min(times_s), statistics.median(times_s), p99_s(times_s)))


def broken(drill: Drill) -> list[str]:
    """Return the promises that were broken, one line each."""
    return [*(line for row in drill.rows for line in _of_row(row)), *drill.broken]


def _of_row(row: Row) -> Iterator[str]:
    at = f"{row.measured.between_ms:.1f} ms"
    shown_s = [one.seen_s for one in row.delays]
    if len(shown_s) < 2 or p99_s(shown_s) >= BOUND_S:
        yield f"{at}: fewer than 99 of 100 records showed within {BOUND_S:g} s"
    if min(row.current) < 1:
        yield f"{at}: not all was CURRENT while nothing was away"
    if row.passed.dropped:
        yield f"{at}: {row.passed.dropped} frames were dropped, for which the distance had no room"
    for fault in (row.killed, row.cut):
        yield from (f"{at}, {fault.what}: {line}" for line in fault.broken)
    if row.turned.again_s > AGAIN_S:
        yield f"{at}: the site was CURRENT {row.turned.again_s:.1f} s after the mending"
