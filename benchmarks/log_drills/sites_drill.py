"""The drill of sites: what distance adds to publishing and to a record's way to the other sites, and what a lost leader
and a site that is cut off are like at that distance.

A broker and a machine are at each site. Callers are at the site of their machine: what they send is not delayed.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from benchmarks.log_drills import fault_drill, faults, seen_drill, sites
from benchmarks.log_drills.drilled import Drilled, Unsettled, await_well, tell
from benchmarks.log_drills.fault_drill import CALM_S, Times
from benchmarks.log_drills.faults import Fault, Field, Struck
from benchmarks.log_drills.publisher import Ack, Publisher
from benchmarks.log_drills.scans import CODES, Look, Scans, freshness
from benchmarks.log_drills.seen_drill import Delays, Probe
from benchmarks.log_drills.sites import Measured, Passed, Sites
from demo.cluster.cluster import MACHINES, Cluster
from demo.cluster.traffic import Connection

WARM_UP_S: Final = 20.0
"""Before the first row: brokers and machines have just started, and are slower then than any distance makes them."""
ROWS_MAX: Final = 8
"""Each row has bearers of its own, of the few hundred that the cluster has."""
_PROBES: Final = 2
"""Records that are watched at once: few, since looks load the computer, and a busy one is slower than the distance."""
_POLL_S: Final = 0.01
_STATUS_TOPIC: Final = "onecode.status"
_ELECTED_S: Final = 30.0
_ANSWER_S: Final = 5.0


class Cut(NamedTuple):
    """Seconds in which a site that is cut off was no longer CURRENT: from the cut until the first code and until all
    codes, and from the mending until all codes were CURRENT again."""

    first_s: float
    all_s: float
    again_s: float


class Row(NamedTuple):
    """What was seen at one distance. ``here_s`` and ``elsewhere_s`` are the times of the publisher's calls, by whether
    the site of the machine has the broker that leads the partition; ``current`` are the shares of the codes at each
    site that were CURRENT, and ``seconds`` how long that was watched, before anything was done."""

    measured: Measured
    here_s: list[float]
    elsewhere_s: list[float]
    delays: list[Delays]
    current: list[float]
    passed: Passed
    seconds: float
    killed: fault_drill.Row
    cut: fault_drill.Row
    turned: Cut
    records_a_second: float


class Drill(NamedTuple):
    """All distances, and what was found at the end."""

    rows: list[Row]
    acknowledged: int
    broken: list[str]


class _Traffic(NamedTuple):
    publisher: Publisher
    scans: Scans


async def run(
    drilled: Drilled,
    joined: Sites,
    round_trips_ms: Sequence[float],
    seconds: float,
    records_a_second: float,
    jitter_ms: float,
    tick: Callable[[int], None],
) -> Drill:
    """Let the sites be further and further from each other, and do the same at each distance."""
    field = Field(drilled.cluster, drilled.links | joined.links, None, random.Random(0))
    traffic = _Traffic(
        Publisher(drilled.machines, drilled.pseudonym_key, records_a_second),
        Scans(drilled.machines, drilled.cluster.codes),
    )
    connections = [Connection(machine) for machine in drilled.machines]
    await traffic.scans.start()
    traffic.publisher.start()
    await asyncio.sleep(WARM_UP_S)
    rows, broken = [], list[str]()
    for place, codes in zip(round_trips_ms, _shares(drilled.cluster.codes[CODES:], len(round_trips_ms)), strict=True):
        await asyncio.to_thread(joined.set_round_trip, place, jitter_ms)
        probes = [Probe(connections, some, _POLL_S) for some in codes]
        try:
            rows.append(await _row(field, joined, traffic, probes, seconds))
        except Unsettled as unsettled:  # the rows before it count, and what was acknowledged is looked for all the same
            broken.append(f"{place:g} ms: {unsettled}")
            await asyncio.to_thread(joined.set_round_trip, 0.0)
            break
        tick(1)
    await traffic.publisher.stop()
    await traffic.scans.stop()
    for connection in connections:
        await connection.channel.close()
    broken += await fault_drill.prove(drilled, traffic.publisher, None)
    return Drill(rows, len(traffic.publisher.acknowledged), broken)


async def _row(field: Field, joined: Sites, traffic: _Traffic, probes: Sequence[Probe], seconds: float) -> Row:
    cluster, places = field.cluster, [machine.place for machine in field.cluster.machines]
    measured = await asyncio.to_thread(sites.measured, places, [node.place for node in cluster.brokers.nodes])
    leaders = await asyncio.to_thread(_spread, cluster)
    await asyncio.sleep(CALM_S)
    await asyncio.to_thread(joined.passed)  # what went on before does not count
    began_s = time.monotonic()
    delays = await _watched(probes, began_s + seconds)
    ended_s = time.monotonic()
    passed = await asyncio.to_thread(joined.passed)
    acks = [ack for ack in traffic.publisher.acks if began_s <= ack.began_s and ack.ended_s <= ended_s]
    shares = [freshness(traffic.scans.looks, one.number, began_s, ended_s).share for one in cluster.machines]
    tell(f"{measured.between_ms:.1f} ms: medians of {len(delays)} records, {_medians(delays)}")
    killed, _, _ = await _struck(faults.kill_broker, field, traffic)
    cut, struck, times = await _struck(faults.cut_site, field, traffic)
    return Row(
        measured=measured,
        here_s=[*_times(acks, leaders, is_here=True)],
        elsewhere_s=[*_times(acks, leaders, is_here=False)],
        delays=delays,
        current=[1 - share for share in shares],
        passed=passed,
        seconds=ended_s - began_s,
        killed=killed,
        cut=cut,
        turned=turned(traffic.scans.looks, struck.cut_off.number if struck.cut_off else 0, times),
        records_a_second=sum(ack.records for ack in acks) / (ended_s - began_s),
    )


async def _watched(probes: Sequence[Probe], until_s: float) -> list[Delays]:
    """Publish and look through the probes until a time."""

    def numbers() -> Iterator[int]:
        number = 0
        while time.monotonic() < until_s:
            yield number
            number += 1

    shared = numbers()
    found = await asyncio.gather(*(seen_drill.watch(probe, shared, lambda _: None) for probe in probes))
    return [delays for of_probe in found for number, delays in of_probe if number >= MACHINES * len(probes)]


async def _struck(fault: Fault, field: Field, traffic: _Traffic) -> tuple[fault_drill.Row, Struck, Times]:
    struck, times = await fault_drill.strike(fault, field)
    found = fault_drill.row(struck, times, traffic.publisher.acks, traffic.scans.looks, MACHINES)
    tell(f"{found.what}: writes after {found.resumed_s:.1f} s; {'; '.join(found.broken)}")
    await asyncio.sleep(CALM_S)
    return found, struck, times


def _medians(delays: Sequence[Delays]) -> str:
    """Return a line about the delays: a drill that is ended by a later fault has told of them then."""
    if not delays:
        return "none was seen"
    acknowledged_s, shown_s = (statistics.median(times_s) for times_s in zip(*delays, strict=True))
    return f"acknowledged after {acknowledged_s * 1000:,.0f} ms, shown at both others after {shown_s * 1000:,.0f} ms"


def _shares(codes: Sequence[bytes], rows: int) -> Iterator[list[Sequence[bytes]]]:
    """Yield for each row the bearers of each of its probes: a revision is published once."""
    for first in range(rows):
        of_row = codes[first::rows]
        yield [of_row[probe::_PROBES] for probe in range(_PROBES)]


def _times(acks: Sequence[Ack], leaders: dict[int, int], *, is_here: bool) -> Iterator[float]:
    """Yield what calls took whose machine is, or is not, at the site of the partition's leader: broker and machine of
    a site have the same number."""
    for ack in acks:
        if (leaders[ack.partition] == ack.machine) == is_here:
            yield ack.ended_s - ack.began_s


def _spread(cluster: Cluster) -> dict[int, int]:
    """Let each broker lead the partitions that it is to lead when all is well; return the leader of each partition of
    records. Brokers do so by themselves only some minutes after one was away."""
    from confluent_kafka import ElectionType, KafkaException  # noqa: PLC0415

    admin, ends_s, leaders = cluster.brokers.admin, time.monotonic() + _ELECTED_S, dict[int, int]()
    while time.monotonic() < ends_s:
        await_well(cluster)
        with suppress(KafkaException):  # busy brokers: they are asked again
            # No times are given: confluent-kafka 2.16 raises SystemError for those of this call.
            admin.elect_leaders(ElectionType.PREFERRED, None).result()
            found: dict[int, Any] = admin.list_topics(_STATUS_TOPIC, timeout=_ANSWER_S).topics[_STATUS_TOPIC].partitions
            leaders = {number: one.leader for number, one in found.items()}
            if all(one.leader == one.replicas[0] for one in found.values()):
                break
    if not leaders:
        raise SystemExit("the brokers do not tell who leads")
    return leaders


def turned(looks: Sequence[Look], machine: int, times: Times) -> Cut:
    """Return when a machine that was cut off was no longer CURRENT, by the beginning of the looks, and was so again; a
    time that did not come is infinite."""
    own = [look for look in looks if look.machine == machine and look.codes and look.began_s >= times.struck_s]
    during = [look for look in own if look.began_s < times.mended_s]
    later = [look for look in own if look.began_s >= times.mended_s]
    first_s = next((look.began_s for look in during if look.current < look.codes), float("inf"))
    all_s = next((look.began_s for look in during if not look.current), float("inf"))
    behind = max((place for place, look in enumerate(later) if look.current < look.codes), default=-1)
    again_s = later[behind + 1].began_s if behind + 1 < len(later) else float("inf")
    return Cut(first_s - times.struck_s, all_s - times.struck_s, again_s - times.mended_s)
