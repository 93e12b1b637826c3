"""What must be so after the drill of decisions: no exceptions overlap, each step had one effect, and all machines have
one audit record, which the log proves."""

import asyncio
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rich.console import Console

from onecode.v1 import exceptions_pb2 as pb

from benchmarks.log_drills.decisions_drill import Callers, Taken, overlapping
from benchmarks.log_drills.drilled import Drilled, await_equal, await_well, load_of_computer
from benchmarks.report import plain_table
from demo.cluster.cluster import Cluster
from demo.deployment import ONECODE

_VERIFY_S: Final = 300.0


class Decided(NamedTuple):
    """What was found: the reports that are listed, the audit entries of steps, and what is broken."""

    reports: int
    entries: int
    head: str
    broken: list[str]


async def prove(drilled: Drilled, callers: Callers, entries_before: int) -> Decided:
    """Compare what callers were told with what the machines list, and with their audit records."""
    await asyncio.to_thread(await_well, drilled.cluster)
    broken = []
    if not await asyncio.to_thread(await_equal, drilled.cluster):
        broken.append("the digests of the machines are not equal")
    listed = await callers.listed()
    await callers.close()
    if any(_content(reports) != _content(listed[0]) for reports in listed):
        broken.append("the machines do not list the same reports")
    broken += of_reports(listed[0], callers.taken)
    audited = await asyncio.to_thread(audit, drilled.cluster)
    if len(set(audited)) != 1:
        broken.append(f"the audit records differ: {audited}")
    entries, head = audited[0]
    steps = entries - entries_before
    if not callers.taken.done <= steps <= callers.taken.done + len(callers.taken.doubtful):
        broken.append(f"{steps} audit entries for {callers.taken.done} steps")
    return Decided(len(listed[0]), steps, head, broken)


def of_reports(reports: Sequence[pb.RecognitionException], taken: Taken) -> Iterator[str]:
    """Yield what is wrong with the reports that are there, by what callers were told.

    A step that was refused after it had been sent before may have had its effect later, by the first message of it: its
    caller was told so of the other one.
    """
    for one, other in overlapping(reports):
        yield f"reports {one} and {other} overlap"
    twice = [reason for reason, count in Counter(report.reason for report in reports).items() if count > 1]
    if twice:
        yield f"{len(twice)} requests filed two reports"
    there = {
        "reported": {one.id for one in reports},
        "acknowledged": {one.id for one in reports if one.HasField("acknowledged_at")},
        "withdrawn": {one.id for one in reports if one.HasField("withdrawn_at")},
    }
    more = 0
    for name, told in (
        ("reported", taken.reported),
        ("acknowledged", taken.acknowledged),
        ("withdrawn", taken.withdrawn),
    ):
        if lacking := told - there[name]:
            yield f"{len(lacking)} reports were {name}, and are not"
        more += len(there[name] - told)
    if more > len(taken.doubtful):
        yield f"{more} steps had an effect of which nobody was told"


def audit(cluster: Cluster) -> list[tuple[int, str]]:
    """Return the number of entries and the head of each machine's audit record, which is compared with the log's."""
    found = []
    for machine in cluster.machines:
        command = [str(ONECODE), "audit", "verify", "--data-dir", str(machine.data_dir)]
        command += ["--log", f"kafka://{cluster.brokers.plaintext}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_VERIFY_S, check=False)
        said = re.search(r"^(\d+) entries, .*; head ([0-9a-f]{64})$", done.stdout, re.MULTILINE)
        if done.returncode or said is None:
            raise SystemExit(f"the audit record of machine {machine.number} is not proved:\n{done.stdout}{done.stderr}")
        found.append((int(said[1]), said[2]))
    return found


def show(console: Console, taken: Taken, decided: Decided, kills: int) -> None:
    """Print what was done, and what was found."""
    table = plain_table(
        "steps", "reported", "acknowledged", "withdrawn", "refused by a rule", "not answered, again", "answered, again"
    )
    parts = (taken.reported, taken.acknowledged, taken.withdrawn, taken.refused, taken.again, taken.repeated)
    table.add_row(f"{taken.steps:,}", *(f"{len(part):,}" for part in parts))
    console.print(table)
    kept = "no exceptions overlap, each step had one effect, all audit heads are equal and proved by the log"
    console.print(
        f"a leader of the decisions was killed {kills} times",
        f"{decided.entries:,} audit entries, head {decided.head[:16]}",
        "\n".join(decided.broken) or kept,
        load_of_computer(),
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )


def _content(reports: Sequence[pb.RecognitionException]) -> list[bytes]:
    return [report.SerializeToString(deterministic=True) for report in reports]
