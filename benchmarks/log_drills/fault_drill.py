"""The drill of faults: one after the other while records are published and codes are scanned, and the proof at the
end."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from rich.console import Console

from onecode_server.rules.freshness import CURRENT_S
from onecode_server.settings.data_directory import DataDirectory

from benchmarks.log_drills import faults, proof
from benchmarks.log_drills.drilled import Drilled, await_equal, await_well, load_of_computer, tell
from benchmarks.log_drills.faults import Fault, Field, Struck
from benchmarks.log_drills.publisher import Ack, Publisher, longest_waits_s
from benchmarks.log_drills.scans import Freshness, Look, Scans, freshness
from benchmarks.report import plain_table

RESUMED_S: Final = 10.0
"""Within which writes are acknowledged again after any one fault, in each partition."""
CALM_S: Final = 3.0
"""Between two faults, once all is well."""


class Times(NamedTuple):
    """When a fault began, when its mending began, and when all was well again, by ``time.monotonic``."""

    struck_s: float
    mended_s: float
    well_s: float


class Row(NamedTuple):
    """What was seen of a fault. ``broken`` are the promises that were broken."""

    what: str
    resumed_s: float
    well_s: float
    fresh: list[Freshness]
    broken: list[str]


class Drill(NamedTuple):
    """All faults, and what was found at the end."""

    rows: list[Row]
    seconds: float
    acknowledged: int
    again: int
    broken: list[str]


async def run(
    drilled: Drilled, order: list[Fault], records_a_second: float, chance: random.Random, tick: Callable[[int], None]
) -> Drill:
    """Bring the faults about, one after the other."""
    field = Field(drilled.cluster, drilled.links, drilled.small, chance)
    publisher = Publisher(drilled.machines, drilled.pseudonym_key, records_a_second)
    scans = Scans(drilled.machines, drilled.cluster.codes)
    feeds = proof.Feeds([DataDirectory(machine.data_dir).store for machine in drilled.machines])
    await scans.start()
    publisher.start()
    feeds.start()
    began_s, rows = time.monotonic(), []
    await asyncio.sleep(CALM_S)
    for fault in order:
        struck, times = await strike(fault, field)
        rows.append(row(struck, times, publisher.acks, scans.looks, len(drilled.machines)))
        tick(1)
        tell(f"{rows[-1].what}: writes after {rows[-1].resumed_s:.1f} s {'; '.join(rows[-1].broken)}")
        await asyncio.sleep(CALM_S)
    await publisher.stop()
    seconds = time.monotonic() - began_s
    await scans.stop()
    broken = await prove(drilled, publisher, feeds)
    return Drill(rows, seconds, len(publisher.acknowledged), publisher.again, broken)


async def strike(fault: Fault, field: Field) -> tuple[Struck, Times]:
    """Bring a fault about, mend it, and wait until all is well."""
    lasting = fault(field)
    struck = await asyncio.to_thread(lasting.__enter__)
    struck_s = time.monotonic()
    try:
        await asyncio.sleep(struck.lasts_s)
    finally:
        mended_s = time.monotonic()
        await asyncio.to_thread(lasting.__exit__, None, None, None)
    await asyncio.to_thread(await_well, field.cluster)
    return struck, Times(struck_s, mended_s, time.monotonic())


def row(struck: Struck, times: Times, acks: list[Ack], looks: list[Look], machines: int) -> Row:
    """Return what was seen of a fault."""
    resumed_s = max(longest_waits_s(acks, times.struck_s, times.well_s).values())
    fresh = [freshness(looks, number, times.struck_s, times.well_s) for number in range(1, machines + 1)]
    broken = [*_of_cut(struck.cut_off.number, times, acks, looks)] if struck.cut_off else []
    if resumed_s > RESUMED_S:
        broken.append(f"writes resumed after {resumed_s:.1f} s")
    return Row(struck.what, resumed_s, times.well_s - times.mended_s, fresh, broken)


def _of_cut(machine: int, times: Times, acks: list[Ack], looks: list[Look]) -> Iterator[str]:
    """Yield what a machine that was cut off has not kept: it acknowledges nothing, and is CURRENT nowhere after 5 s."""
    during = [ack for ack in acks if ack.machine == machine and times.struck_s <= ack.began_s]
    if count := sum(ack.records for ack in during if ack.ended_s <= times.mended_s):
        yield f"{count} records were acknowledged by a machine that was cut off"
    cut = [look for look in looks if look.machine == machine and look.ended_s <= times.mended_s]
    late = [look for look in cut if look.began_s >= times.struck_s + CURRENT_S]
    if count := sum(look.current for look in late):
        yield f"{count} codes were CURRENT at a machine that was cut off for more than {CURRENT_S:g} s"
    if not sum(look.stale for look in late):
        yield "a machine that was cut off has not answered STALE"


async def prove(drilled: Drilled, publisher: Publisher, feeds: proof.Feeds | None) -> list[str]:
    """Return what is not as it must be at the end. The machines have ended then. ``feeds`` are those in which a subject
    that comes twice is a fault."""
    cluster, subjects, broken = drilled.cluster, publisher.acknowledged, []
    await asyncio.to_thread(await_well, cluster)
    if not await asyncio.to_thread(await_equal, cluster):
        broken.append("the digests of the machines are not equal")
    broken += await asyncio.to_thread(proof.differing, cluster)
    for machine in cluster.machines:
        await asyncio.to_thread(machine.end)
    if feeds is not None:
        await feeds.stop()
        broken += feeds.faults(subjects)
    for machine in cluster.machines:
        if count := await proof.missing(machine.data_dir, subjects):
            broken.append(f"{count} acknowledged records are missing on machine {machine.number}")
    if len(set(subjects)) != len(subjects):
        broken.append("a record was acknowledged twice")
    return broken


def show(console: Console, drill: Drill) -> None:
    """Print the rows, and the sum of them."""
    table = plain_table()
    table.add_column("fault")
    for column in ("writes resume, s", "well after mending, s", "not CURRENT, %", "for s", "no answer"):
        table.add_column(column, justify="right")
    table.add_column("")
    for one in drill.rows:
        shares = " ".join(f"{100 * fresh.share:.1f}" for fresh in one.fresh)
        seconds = " ".join(f"{fresh.seconds:.1f}" for fresh in one.fresh)
        unanswered = " ".join(str(fresh.unanswered) for fresh in one.fresh)
        verdict = "; ".join(one.broken) or "kept"
        table.add_row(one.what, f"{one.resumed_s:.1f}", f"{one.well_s:.1f}", shares, seconds, unanswered, verdict)
    console.print(table)
    rate = drill.acknowledged / drill.seconds
    console.print(
        f"{drill.acknowledged:,} records acknowledged in {drill.seconds:,.0f} s, {rate:,.0f} a second; "
        f"{drill.again:,} calls were made again",
        "each of them is on each machine, no change was made twice, and all digests are equal"
        if not drill.broken
        else "\n".join(drill.broken),
        load_of_computer(),
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )


def is_broken(drill: Drill) -> bool:
    """Tell whether a promise was broken."""
    return bool(drill.broken) or any(one.broken for one in drill.rows)


def kinds(drilled: Drilled) -> tuple[Fault, ...]:
    """Return the faults that can be brought about."""
    return (*faults.ANYWHERE, *(faults.WITH_NAMESPACES if drilled.links else ()))
