"""The tables of docs/capacity.md, each between two comments that name it; a test holds the page to them."""

import math
import re
from pathlib import Path
from typing import Final

from benchmarks.capacity.inputs import KNOWN, Inputs
from benchmarks.capacity.needs import HOUR_S, Needs, needs
from benchmarks.capacity.simulation import SiteLoss, Storm, site_loss, storm

FILE: Final = Path(__file__).parents[2] / "docs" / "capacity.md"
SEEDS: Final = (1, 2, 3)
BUILT_FOR: Final = 2
"""The place of the checks, batches of 1,000, for which the answer's first column counts machines."""
_BLOCK: Final = re.compile(r"(<!-- python -m benchmarks\.capacity: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def blocks(inputs: Inputs) -> dict[str, str]:
    """Return the tables in Markdown, by name."""
    found = needs(inputs)
    storms = [storm(inputs, seed) for seed in SEEDS]
    losses = [site_loss(inputs, found, BUILT_FOR, seed) for seed in SEEDS]
    return {
        "answer": _answer(inputs, found),
        "checks": _checks(inputs, found),
        "log": _log(inputs, found),
        "storm": _storms(storms),
        "loss": _losses(losses),
        "inputs": _inputs(inputs),
    }


def fresh(text: str, inputs: Inputs) -> str:
    """Return a page with all of its tables made anew. Raises ValueError where it lacks one."""
    made = blocks(inputs)
    if lacking := set(made) - {name for _, name, _ in _BLOCK.findall(text)}:
        raise ValueError(f"the page lacks {', '.join(sorted(lacking))}")
    return _BLOCK.sub(lambda one: f"{one[1]}\n{made[one[2]]}\n\n{one[3]}", text)


def _answer(inputs: Inputs, found: Needs) -> str:
    sites = round(inputs["sites"])
    columns = [one.name for one in found.checks[:3]]
    return _table(
        ("for the whole country", *columns),
        ("machines, in all sites", *(f"{one.machines(sites):,}" for one in found.checks[:3])),
        ("of these, in each of the sites", *(f"{one.machines_a_site:,}" for one in found.checks[:3])),
        ("cores that the peak keeps busy", *(f"{one.cores:.1f}" for one in found.checks[:3])),
        ("memory of a machine, for its store to stay in it", *(f"{found.store_gb + 8:,.0f} GB",) * 3),
        (
            "disk of a machine: the store, and room for one copy of it",
            *(f"{2 * found.store_gb:,.0f} GB",) * 3,
        ),
        ("network to the machines at the peak", *(f"{one.in_gbit_s:.2f} Gbit/s" for one in found.checks[:3])),
        ("network from them", *(f"{one.out_gbit_s:.2f} Gbit/s" for one in found.checks[:3])),
        ("brokers, one to a site", *(f"{sites}",) * 3),
    )


def _checks(inputs: Inputs, found: Needs) -> str:
    rows = [
        (
            one.name,
            f"{one.us_a_code:.1f}",
            f"{one.cores:.1f}",
            f"{one.machines_a_site}",
            f"{one.machines(inputs['sites'])}",
        )
        for one in found.checks
    ]
    return _table(("calls", "us of CPU a code", "cores at the peak", "machines a site", "machines in all"), *rows)


def _log(inputs: Inputs, found: Needs) -> str:
    return _table(
        ("", "needed"),
        ("records a second in a storm", f"{found.storm_records_s:,.0f}"),
        ("bytes that publishers append in a storm", f"{found.log_mb_s * 1000:,.0f} kB/s"),
        ("bytes that one broker writes then", f"{found.broker_mb_s * 1000:,.0f} kB/s"),
        ("bytes that all machines together read then", f"{found.read_mb_s:,.1f} MB/s"),
        ("marks that each machine applies", f"{found.marks_s:,.0f} a second, {found.mark_cores:.2f} of a core"),
        ("cores of each machine that apply a storm", f"{found.storm_cores:.2f}"),
        ("share of what a machine can apply", f"{100 * found.apply_share:.0f} %"),
        (
            f"disk of a broker, for {inputs['retention_days']:g} days",
            f"{found.log_disk_gb:,.0f} GB",
        ),
        ("a new machine: copy of the store", _time(found.copy_s)),
        ("records that a storm brings meanwhile", f"{found.behind_records:,.0f}"),
        ("to catch up with them while the storm goes on", _time(found.catch_up_s)),
        ("to apply all subjects from the log instead", _time(found.replay_s)),
    )


def _storms(storms: list[Storm]) -> str:
    rows = [
        (
            str(seed),
            str(one.lost_leaders),
            f"{one.lag_s_p50:.2f}",
            f"{one.lag_s_p99:.1f}",
            f"{one.lag_s_max:.1f}",
            f"{one.stale_s:.1f}",
            f"{one.behind_max:,}",
        )
        for seed, one in zip(SEEDS, storms, strict=True)
    ]
    return _table(
        (
            "seed",
            "leaders lost",
            "lag p50, s",
            "p99",
            "longest",
            "STALE somewhere, s of the hour",
            "most behind, records",
        ),
        *rows,
    )


def _losses(losses: list[SiteLoss]) -> str:
    rows = [
        (
            str(seed),
            f"{one.unanswered:,}",
            f"{one.refused:,}",
            f"{100 * one.busy_share:.0f} %",
            f"{one.no_writes_s:.1f}",
            f"{one.behind_records:,}",
            f"{one.caught_up_s:.0f}",
        )
        for seed, one in zip(SEEDS, losses, strict=True)
    ]
    return _table(
        (
            "seed",
            "scans that the lost site had",
            "scans refused elsewhere",
            "cores busy elsewhere",
            "no writes, s",
            "records behind",
            "caught up after, s",
        ),
        *rows,
    )


def _inputs(inputs: Inputs) -> str:
    rows = [
        (
            f"`{name}`",
            f"{one.value:,.10g}",
            one.unit,
            one.known,
            one.source,
        )
        for known in KNOWN
        for name, one in inputs.all.items()
        if one.known == known
    ]
    return _table(("input", "value", "unit", "known", "from"), *rows)


def _time(seconds: float) -> str:
    if math.isinf(seconds):
        return "never: the storm is faster"
    if seconds < 2 * 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * HOUR_S else f"{seconds / HOUR_S:.1f} h"


def _table(*rows: tuple[str, ...]) -> str:
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join((head, "|" + "---|" * len(rows[0]), *others))
