"""Machines whose clocks are wrong: an hour, which must be noticed, and twenty seconds, which must not matter.

A library that is loaded before libc moves the clock of a machine's processes (``clock.c``; needs a C compiler). The
brokers and a third machine have the system's clock.
"""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from onecode.v1 import exceptions_pb2, exceptions_pb2_grpc, status_pb2
from onecode.v1 import recognition_pb2 as pb

from benchmarks.log_drills.drilled import Drilled, await_equal, await_well, is_well, load_of_computer
from benchmarks.report import plain_table
from demo.brokers.node import HERE, Place
from demo.cluster.machine import Machine
from demo.cluster.traffic import HOST, REGION, Connection

HOUR_S: Final = 3600
NEAR_S: Final = 20
"""Less than the 30 s from which a clock is a fault."""
WATCHED_S: Final = 12.0
"""How long a machine with a wrong clock is watched: more than twice the 5 s for which a status is CURRENT."""
PUBLISH_S: Final = 20.0
NOTICED_S: Final = 60.0
"""The time until a machine says that its clock is wrong. Only a computer that is busy with other things takes long."""
_SOURCE: Final = Path(__file__).with_name("clock.c")


class Row(NamedTuple):
    """What was seen of a machine: how far its clock is ahead, which statuses its answers had, what it says of its
    clock, and what came of a record. ``broken`` are the promises that were broken."""

    ahead_s: int
    statuses: list[str]
    fault: str
    record: str
    broken: list[str]


def compiled(path: Path) -> Path | None:
    """Return what is loaded before libc to move a clock, built below ``path``; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    made = path / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(_SOURCE), "-ldl"], check=True)
    return made


def run(drilled: Drilled, clock: Path, tick: Callable[[int], None]) -> tuple[list[Row], list[str]]:
    """Watch machines whose clocks are an hour apart from the log's, and then twenty seconds; return what was seen, and
    what is broken at the end."""
    rows: list[Row] = []
    for apart_s in (HOUR_S, NEAR_S):
        ahead_s = (apart_s, -apart_s, 0)
        for machine, ahead in zip(drilled.machines, ahead_s, strict=True):
            machine.end()
            machine.place = _place(clock, ahead)
        drilled.cluster.act("r")
        for machine, ahead in zip(drilled.machines, ahead_s, strict=True):
            _await_state(machine, ahead)
            rows.append(asyncio.run(_watch(machine, ahead, drilled.cluster.codes, len(rows))))
            tick(1)
    broken = [*asyncio.run(_moved_starts(drilled.machines[:2], (NEAR_S, -NEAR_S)))]
    for machine in drilled.machines:
        machine.end()
        machine.place = HERE
    drilled.cluster.act("r")
    await_well(drilled.cluster)
    if not await_equal(drilled.cluster):
        broken.append("the digests of the machines are not equal")
    tick(1)
    return rows, broken


def _place(clock: Path, ahead_s: int) -> Place:
    return HERE if not ahead_s else Place(enter=("env", f"LD_PRELOAD={clock}", f"CLOCK_AHEAD_S={ahead_s}"))


def _await_state(machine: Machine, ahead_s: int) -> None:
    """Wait until a machine is confirmed, or says that its clock is wrong where it is so by an hour."""
    ends_s = time.monotonic() + NOTICED_S
    while time.monotonic() < ends_s:
        report = machine.report()
        if report is not None and report.fault and "clock" in report.fault:
            return
        if abs(ahead_s) < HOUR_S and is_well(report):
            return
        time.sleep(0.5)


async def _watch(machine: Machine, ahead_s: int, codes: Sequence[bytes], revision: int) -> Row:
    """Scan at a machine for a while, and publish a record through it."""
    connection = Connection(machine)
    try:
        record = await _publish(connection, ahead_s, revision + 1)
        statuses, ends_s = set[int](), time.monotonic() + WATCHED_S
        asked = pb.BatchVerifyRequest(codes=codes, host_region=HOST)
        while time.monotonic() < ends_s:
            answer = await connection.recognition.BatchVerify(asked, timeout=PUBLISH_S)
            statuses |= {verdict.status for verdict in answer.verdicts}
            await asyncio.sleep(0.2)
    finally:
        await connection.channel.close()
    report = machine.report()
    fault = (report.fault if report is not None else None) or ""
    names = sorted(pb.Status.Name(status).removeprefix("STATUS_") for status in statuses)  # type: ignore[arg-type]
    return Row(ahead_s, names, fault, record, [*_of_row(ahead_s, names, fault, record)])


def _of_row(ahead_s: int, statuses: Sequence[str], fault: str, record: str) -> Iterator[str]:
    """Yield what a machine has not kept."""
    fresh = {"CURRENT", "NONE"} & set(statuses)
    if abs(ahead_s) < HOUR_S:
        if not set(statuses) <= {"CURRENT", "NONE"} or fault or record != "taken":
            yield "a clock that is nearly right was not borne"
        return
    if fresh:
        yield "statuses were fresh with a clock that is an hour wrong"
    if "clock" not in fault:
        yield "the clock is not named as the fault"
    if record == "taken":
        yield "a record was acknowledged with a clock that is an hour wrong"


async def _publish(to: Connection, ahead_s: int, revision: int) -> str:
    """Publish a record that takes effect now, by the machine's clock; return what came of it."""
    record = status_pb2.StatusRecord(
        publisher=REGION,
        subject=status_pb2.SubjectRef(local=status_pb2.LocalSubject(region=REGION, id="whose clock")),
        level=status_pb2.LEVEL_GREEN,
        scope=status_pb2.SCOPE_NATIONAL,
        effective_at=Timestamp(seconds=int(time.time()) + ahead_s),
        revision=revision,
    )
    asked = status_pb2.PublishStatusesRequest(sequence=1, record=record)
    try:
        answers = [one async for one in to.status.PublishStatuses(iter([asked]), timeout=PUBLISH_S)]
    except grpc.RpcError as fault:
        return str(fault.code().name)
    return "refused by a rule" if any(answer.rejections for answer in answers) else "taken"


async def _moved_starts(machines: Sequence[Machine], ahead_s: Sequence[int]) -> Iterator[str]:
    """File a report at each machine that begins now by its clock; return what is wrong with the start it was given: a
    start that is past by the log's clock becomes the log's time, and one that is ahead stays."""
    broken = []
    for machine, ahead, home in zip(machines, ahead_s, ("330000", "420000"), strict=True):
        now_s = int(time.time()) + ahead
        asked = exceptions_pb2.ReportExceptionRequest(
            host_region=HOST,
            home_region=home,
            reason=json.dumps({"clock": ahead}),
            effective_from=Timestamp(seconds=now_s),
            effective_until=Timestamp(seconds=now_s + 2 * HOUR_S),
        )
        async with grpc.aio.insecure_channel(machine.address) as channel:
            stub = exceptions_pb2_grpc.ExceptionServiceStub(channel)
            filed = (await stub.ReportException(asked, timeout=PUBLISH_S)).exception
        begins, reported = filed.effective_from.ToNanoseconds(), filed.reported_at.ToNanoseconds()
        is_right = begins == reported if ahead < 0 else begins == asked.effective_from.ToNanoseconds()
        if not is_right or abs(reported / 1e9 - time.time()) > NEAR_S / 2:
            broken.append(f"a report of a machine that is {ahead:+} s apart begins at {filed.effective_from}")
    return iter(broken)


def show(console: Console, rows: Sequence[Row], broken: Sequence[str]) -> None:
    """Print what was seen."""
    table = plain_table("clock ahead, s")
    for column in ("statuses", "the machine says", "a record", ""):
        table.add_column(column)
    for row in rows:
        verdict = "; ".join(row.broken) or "kept"
        table.add_row(f"{row.ahead_s:+,}", " ".join(row.statuses), row.fault or "-", row.record, verdict)
    console.print(table)
    kept = f"a start that is {NEAR_S} s past by the log's clock became the log's time; all digests are equal"
    console.print("\n".join(broken) or kept, load_of_computer(), sep="\n", highlight=False)
