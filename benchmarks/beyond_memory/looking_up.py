"""Look-ups of slices of codes in a store of which a part is in memory, by one caller, one slice after the other."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

import uvloop

from onecode_server.errors import StoreUnavailable
from onecode_server.stores.lmdb_environment import READ_TIMEOUT_S
from onecode_server.stores.lmdb_replica import LmdbReplica

from benchmarks.beyond_memory.group import enter
from benchmarks.store import disk_bytes, read_through, sample

SLICE: Final = 512
"""The codes of a batch that are looked up at once."""
WARM_UP: Final = 0.25
"""Before what is measured so many slices more are looked up, or records applied, and for so much of its time at the
most: the kernel then holds what it would hold in service."""


class Lookups(NamedTuple):
    """What look-ups took: codes that were answered in a second; milliseconds of a slice, of which those that were not
    answered count as the store's read limit; slices, and those of them that were not answered; bytes of the disk that
    each code read."""

    codes_per_s: float
    p50_ms: float
    p99_ms: float
    slices: int
    unanswered: int
    disk_bytes: float


def look_up(directory: Path, bounded_by: Path | None, subjects: int, slices: int, seconds: float) -> Lookups:
    """Look slices of random subjects up in a store of ``subjects``, for ``seconds`` at the most. For a process that
    has not touched the store; it stays in the group. Raises ValueError where a subject has no record."""
    warm_up = round(slices * WARM_UP)
    wanted = sample(subjects, SLICE * (slices + warm_up))
    begin(directory, bounded_by)
    sliced = [wanted[at : at + SLICE] for at in range(0, len(wanted), SLICE)]
    return uvloop.run(_measure(directory, sliced[:warm_up], sliced[warm_up:], seconds))


def begin(directory: Path, bounded_by: Path | None) -> None:
    """Let nothing of the file be in memory, then as much as there is room for; what this process takes counts from now
    on."""
    read_through(directory / "data.mdb", drop=True)
    enter(bounded_by)
    read_through(directory / "data.mdb", drop=False)


async def _measure(
    directory: Path, warm_up: Sequence[list[bytes]], wanted: Sequence[list[bytes]], seconds: float
) -> Lookups:
    store = LmdbReplica(directory)
    try:
        await _waits(store, warm_up, seconds * WARM_UP)
        disk = disk_bytes()
        waits = await _waits(store, wanted, seconds)
        return lookups_of(waits, disk_bytes() - disk)
    finally:
        await store.close()


async def _waits(store: LmdbReplica, wanted: Sequence[list[bytes]], seconds: float) -> list[float | None]:
    """Return the seconds that each slice took; None where it was not answered within the read limit."""
    waits = list[float | None]()
    until_s = time.perf_counter() + seconds
    for some in wanted:
        began_s = time.perf_counter()
        if began_s >= until_s:
            break
        try:
            found = (await store.statuses(some)).records
        except StoreUnavailable:
            # Else the store failed, and is not merely slow. The loop's clock stands still while it works, so that the
            # limit may be over a little early.
            if time.perf_counter() - began_s < 0.9 * READ_TIMEOUT_S:
                raise
            waits.append(None)
            continue
        waits.append(time.perf_counter() - began_s)
        if not all(found):
            raise ValueError("a subject has no record")
    return waits


def lookups_of(waits: Sequence[float | None], disk: int) -> Lookups:
    """Return the figures of two slices or more: the seconds of each, None where it was not answered, and the bytes of
    the disk that all of them read."""
    answered = [wait for wait in waits if wait is not None]
    unanswered = len(waits) - len(answered)
    took_s = answered + [READ_TIMEOUT_S] * unanswered
    cuts = quantiles(took_s, n=100, method="inclusive")
    rate = len(answered) * SLICE / sum(took_s)
    return Lookups(rate, cuts[49] * 1e3, cuts[98] * 1e3, len(waits), unanswered, disk / (len(waits) * SLICE))
