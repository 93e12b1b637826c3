"""A simulation of an hour of publication and of peak scans, in steps of a tenth of a second, for what cannot be run
here: a storm with lost leaders, and the loss of a site. It is the same for the same inputs and seed."""

import random
from collections import deque
from typing import Final, NamedTuple

from benchmarks.capacity.inputs import Inputs
from benchmarks.capacity.needs import HOUR_S, Needs

STEP_S: Final = 0.1
STEPS: Final = round(HOUR_S / STEP_S)
LEADERS: Final = 3
"""Brokers, each of which leads a third of the partitions."""
STALE_S: Final = 5.0
SITE_LOST_S, SITE_BACK_S = 600.0, 2400.0
BURST_S: Final = 60.0
"""Publishers are even within a minute, and differ between minutes."""
BURST_SHARES: Final = (0.25, 0.5, 1.0, 1.5, 1.75)
"""A minute's records, of the mean. Their mean is one."""


class Storm(NamedTuple):
    """What an hour of many changes came to, on one machine."""

    lost_leaders: int
    lag_s_p50: float
    """From a record's publication to its applying, by the tenth of a second in which it was published."""
    lag_s_p99: float
    lag_s_max: float
    stale_s: float
    """Seconds in which some partition was not confirmed within 5 s: a part of the country was STALE."""
    behind_max: int


class SiteLoss(NamedTuple):
    """What the loss of a site for half an hour came to, at the peak and in a storm."""

    unanswered: int
    """Scans that were sent to the lost site before callers went elsewhere."""
    refused: int
    """Scans beyond what the sites that were left can answer."""
    busy_share: float
    """Of the cores of the sites that were left."""
    no_writes_s: float
    behind_records: int
    """On each machine of the site, as it comes back."""
    caught_up_s: float
    """After it is back: from then on its machines are CURRENT."""


def storm(inputs: Inputs, seed: int, leaders_lost: int = 6) -> Storm:
    """Simulate an hour in which leaders are lost at random moments, and another one leads after a random gap."""
    chance = random.Random(seed)
    mean = inputs["storm_records"] / HOUR_S * STEP_S
    minutes = [chance.choice(BURST_SHARES) for _ in range(round(HOUR_S / BURST_S))]
    scale = len(minutes) / sum(minutes)
    gaps = _gaps(inputs, chance, leaders_lost)
    waiting: list[deque[list[float]]] = [deque() for _ in range(LEADERS)]
    lags: list[float] = []
    stale_steps, behind, behind_max = 0, 0.0, 0.0
    room_a_step, seen_s, mark_s = (
        inputs["apply_records_per_s"] * STEP_S,
        inputs["publish_to_seen_s"],
        inputs["mark_interval_s"],
    )
    for step in range(STEPS):
        now_s = step * STEP_S
        records = mean * minutes[min(int(now_s / BURST_S), len(minutes) - 1)] * scale
        gone = {leader for leader, from_s, until_s in gaps if from_s <= now_s < until_s}
        if not gone and not any(waiting) and records <= room_a_step:  # nearly always: all is applied at once
            lags += [seen_s] * LEADERS
            stale_steps += mark_s > STALE_S
            continue
        for part in waiting:
            part.append([now_s, records / LEADERS])
        behind += records
        room = room_a_step
        for leader, part in enumerate(waiting):
            if leader in gone:
                continue
            while part and room > 0:
                taken = min(room, part[0][1])
                part[0][1] -= taken
                room -= taken
                behind -= taken
                if part[0][1] <= 1e-9:
                    lags.append(now_s + seen_s - part.popleft()[0])
        oldest_s = max((now_s - part[0][0] for part in waiting if part), default=0.0)
        stale_steps += oldest_s + mark_s > STALE_S
        behind_max = max(behind_max, behind)
    # Steps that were not applied within the hour have waited until its end at least.
    lags += [HOUR_S - one[0] for part in waiting for one in part]
    lags.sort()
    return Storm(
        lost_leaders=len(gaps),
        lag_s_p50=lags[len(lags) // 2],
        lag_s_p99=lags[len(lags) * 99 // 100],
        lag_s_max=lags[-1],
        stale_s=stale_steps * STEP_S,
        behind_max=round(behind_max),
    )


def site_loss(inputs: Inputs, found: Needs, kind: int, seed: int) -> SiteLoss:
    """Simulate the loss of one site at the peak, its brokers and machines with it; ``kind`` is the place of
    ``found.checks`` by which the sites were built."""
    chance, checks = random.Random(seed), found.checks[kind]
    sites = round(inputs["sites"])
    cores_a_site = checks.machines_a_site * (inputs["cores_per_machine"] - inputs["replicator_cores"])
    room = (sites - 1) * cores_a_site / checks.us_a_code * 1e6 * STEP_S
    offered = inputs["scans_per_s"] * STEP_S
    gone_elsewhere_s = SITE_LOST_S + inputs["callers_leave_s"]
    gap_s = chance.uniform(inputs["leader_gap_min_s"], inputs["leader_gap_max_s"])
    unanswered = refused = behind = caught_up_s = 0.0
    for step in range(STEPS):
        now_s = step * STEP_S
        if SITE_LOST_S <= now_s < SITE_BACK_S:
            stay = offered / sites if now_s < gone_elsewhere_s else 0.0
            unanswered += stay
            refused += max(0.0, offered - stay - room)
            behind += found.storm_records_s * STEP_S
        elif now_s >= SITE_BACK_S and behind > 0:
            behind += (found.storm_records_s - inputs["apply_records_per_s"]) * STEP_S
            caught_up_s = now_s + STEP_S - SITE_BACK_S if behind <= 0 else float("inf")
    return SiteLoss(
        unanswered=round(unanswered),
        refused=round(refused),
        busy_share=offered / room,
        no_writes_s=gap_s,
        behind_records=round(found.storm_records_s * (SITE_BACK_S - SITE_LOST_S)),
        caught_up_s=caught_up_s,
    )


def _gaps(inputs: Inputs, chance: random.Random, count: int) -> list[tuple[int, float, float]]:
    """Return which leader is away from when until when: one at a time, since two brokers have the rest."""
    found = []
    for place in range(count):
        from_s = HOUR_S * (place + chance.random() * 0.9) / count
        gap_s = chance.uniform(inputs["leader_gap_min_s"], inputs["leader_gap_max_s"])
        found.append((chance.randrange(LEADERS), from_s, from_s + gap_s))
    return found
