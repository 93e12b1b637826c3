"""A slot and its worker: here a small program that answers, falls silent, hangs or dies as the test has it."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from onecode_server.errors import OnecodeError
from onecode_server.telemetry.supervisor_metrics import SupervisorMetrics
from onecode_server.workers import slot as slots
from onecode_server.workers.slot import Slot

pytestmark = pytest.mark.slow

WAIT_S = 60
"""Only a machine that is busy with other things takes as long."""
SERVES = """
import json, signal, sys, time
def tell(**message): print(json.dumps(message), flush=True)
tell(report={"serving": True}, serves=True)
"""
ANSWERS = "while True: tell(report={'serving': True}); time.sleep(0.02)"
HANGS = "time.sleep(3600)"

Keep = Callable[..., Awaitable[Slot]]


@pytest_asyncio.fixture
async def keep(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keep]:
    """Keep a worker in a slot that does what a program says, within the bounds that are given."""
    monkeypatch.setattr(slots, "CHECK_S", 0.02)
    monkeypatch.setattr(slots, "SILENT_S", WAIT_S)
    started: list[tuple[Slot, asyncio.Task[None]]] = []

    async def start(program: str, **bounds: float) -> Slot:
        for name, seconds in bounds.items():
            monkeypatch.setattr(slots, name, seconds)
        slot = Slot(0, [], SupervisorMetrics(), asyncio.Event())
        slot._command = [sys.executable, "-c", program]
        started.append((slot, asyncio.create_task(slot.keep())))
        return slot

    yield start
    for slot, task in started:
        slot.end()
        slot.kill()
        with suppress(OnecodeError):
            await asyncio.wait_for(task, WAIT_S)


async def eventually(check: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not check():  # noqa: ASYNC110 - what it looks at is no event
            await asyncio.sleep(0.01)


def logged(caplog: pytest.LogCaptureFixture, text: str) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if text in record.getMessage()]


async def test_a_worker_that_falls_silent_is_killed_and_replaced(keep: Keep, caplog: pytest.LogCaptureFixture):
    slot = await keep(SERVES + HANGS, SILENT_S=0.4)
    await eventually(slot.serves.is_set)
    first = slot.pid
    await eventually(lambda: slot.is_serving and slot.pid != first)
    killed = logged(caplog, "does not answer")[0]
    assert (killed["levelname"], killed["worker"], killed["pid"]) == ("ERROR", 0, first)
    ended = logged(caplog, "another takes its place")[0]
    assert (ended["status"], ended["signal"]) == (-signal.SIGKILL, "SIGKILL")


async def test_a_worker_that_answers_stays_however_long_it_takes_to_start(keep: Keep, caplog):
    slot = await keep("import time; time.sleep(4)\n" + SERVES + ANSWERS, STARTING_S=WAIT_S, SILENT_S=3)
    await eventually(slot.serves.is_set)
    await asyncio.sleep(4)  # longer than it may be silent
    assert logged(caplog, "does not answer") == []
    assert slot.is_serving


async def test_a_worker_that_hangs_as_it_starts_is_killed_and_where_all_do_the_slot_gives_up(monkeypatch, caplog):
    monkeypatch.setattr(slots, "CHECK_S", 0.02)
    monkeypatch.setattr(slots, "STARTING_S", 0.2)
    slot = Slot(0, [], SupervisorMetrics(), asyncio.Event())
    slot._command = [sys.executable, "-c", "import time; " + HANGS]
    with pytest.raises(OnecodeError, match=r"3 in a row ended, the last with status -9 SIGKILL"):
        await asyncio.wait_for(slot.keep(), WAIT_S)
    assert len(logged(caplog, "does not answer")) == 3


async def test_a_worker_that_never_serves_though_it_could_is_killed(keep: Keep, caplog: pytest.LogCaptureFixture):
    await keep(SERVES.replace(", serves=True", "") + ANSWERS, STARTING_S=0.3)
    await eventually(lambda: logged(caplog, "does not answer"))


async def test_a_worker_that_waits_for_a_trust_list_is_left_to_wait(keep: Keep, caplog, monkeypatch):
    waits = (SERVES + ANSWERS).replace("True}", "False}").replace(", serves=True", "")
    slot = await keep(waits)
    await eventually(lambda: slot._has_reported)
    monkeypatch.setattr(slots, "STARTING_S", 0.2)  # not before: an interpreter may take longer to start
    await asyncio.sleep(1)
    assert logged(caplog, "does not answer") == []


async def test_what_the_supervisor_was_stopped_for_is_not_its_workers_silence(keep: Keep, monkeypatch, caplog):
    slot, passed_s = await keep(SERVES + ANSWERS), 0.0
    await eventually(slot.serves.is_set)
    clock = time.monotonic

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return clock() + passed_s

    monkeypatch.setattr(slots, "time", Clock)
    for _ in range(5):
        passed_s += 3600  # as after SIGSTOP and SIGCONT: the time is gone, and what the worker said is not read yet
        await asyncio.sleep(0.1)
    assert logged(caplog, "does not answer") == []
    assert slot.is_serving


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGBUS, "SIGBUS"), (signal.SIGRTMIN + 3, f"SIG{signal.SIGRTMIN + 3}")]
)
async def test_the_signal_that_ended_a_worker_is_named(keep: Keep, caplog, number: int, name: str):
    slot = await keep(SERVES + ANSWERS)
    await eventually(slot.serves.is_set)
    assert slot.pid is not None
    os.kill(slot.pid, number)
    await eventually(lambda: logged(caplog, "another takes its place"))
    (ended,) = logged(caplog, "another takes its place")
    assert (ended["status"], ended["signal"]) == (-number, name)


@pytest.mark.parametrize(
    ("at_the_end", "ends_badly"),
    [
        ("sys.exit(0)", False),
        ("sys.exit(3)", True),
        ("import os; os.kill(os.getpid(), signal.SIGSEGV)", True),
        ("import os; signal.signal(signal.SIGTERM, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGTERM)", True),
    ],
)
async def test_how_a_worker_ends_that_was_told_to_is_judged(caplog, at_the_end: str, ends_badly: bool):
    caplog.set_level(logging.ERROR)
    slot = Slot(0, [], SupervisorMetrics(), asyncio.Event())
    told = f"def told(*_):\n    {at_the_end}\nsignal.signal(signal.SIGTERM, told)\n"
    slot._command = [sys.executable, "-c", "import signal, sys\n" + told + SERVES + ANSWERS]
    keeper = asyncio.create_task(slot.keep())
    await eventually(slot.serves.is_set)
    slot.end()
    await asyncio.wait_for(keeper, WAIT_S)
    assert slot.ended_badly is ends_badly
    assert len(logged(caplog, "did not end cleanly")) == int(ends_badly)


async def test_one_that_is_told_to_end_before_its_first_word_ends_well():
    slot = Slot(0, [], SupervisorMetrics(), asyncio.Event())
    slot._command = [sys.executable, "-c", "import time; " + HANGS]
    keeper = asyncio.create_task(slot.keep())
    await eventually(lambda: slot.pid)
    slot.end()
    await asyncio.wait_for(keeper, WAIT_S)
    assert not slot.ended_badly


async def test_a_worker_whose_line_stays_open_is_replaced_all_the_same(keep: Keep, caplog, tmp_path: Path):
    """As that of a process that hangs in the system, which SIGKILL does not end: here a child of it holds the line."""
    held = tmp_path / "held"
    holds = (
        f"import subprocess; print(subprocess.Popen(['sleep', '600']).pid, file=open({str(held)!r}, 'a'), flush=True)"
    )
    slot = await keep(holds + SERVES + HANGS, SILENT_S=0.4)  # so that whoever serves has told whom to end below
    try:
        await eventually(slot.serves.is_set)
        first = slot.pid
        await eventually(lambda: slot.is_serving and slot.pid != first)
        slot.end()
        slot.kill()
    finally:
        for pid in held.read_text().split():
            os.kill(int(pid), signal.SIGKILL)


async def test_a_worker_that_the_system_does_not_end_keeps_its_place_until_the_server_ends(monkeypatch, caplog):
    for name, seconds in (("CHECK_S", 0.02), ("SILENT_S", 0.4), ("KILLED_S", 0.3)):
        monkeypatch.setattr(slots, name, seconds)
    slot = Slot(0, [], SupervisorMetrics(), asyncio.Event())
    slot._command = [sys.executable, "-c", SERVES + HANGS]
    monkeypatch.setattr(slot, "kill", lambda: None)  # as where SIGKILL has no effect yet
    keeper = asyncio.create_task(slot.keep())
    await eventually(slot.serves.is_set)
    process = slot._process
    assert process is not None
    await eventually(lambda: logged(caplog, "its process has not ended"))
    assert (slot.pid, slot.is_serving) == (process.pid, False)
    monkeypatch.setattr(slot, "_signal", lambda _: None)
    slot.end()
    await asyncio.wait_for(keeper, WAIT_S)
    assert slot.ended_badly
    process.kill()
    await process.wait()


async def test_what_is_no_report_ends_the_worker(keep: Keep, caplog: pytest.LogCaptureFixture):
    await keep(SERVES + "tell(counted=[['onecode_nothing', [], 1]]); " + HANGS)
    await eventually(lambda: logged(caplog, "another takes its place"))
    assert logged(caplog, "another takes its place")[0]["reported"] == ["the worker's output is not a report"]


async def test_a_worker_that_ends_well_after_it_served_is_replaced_at_once_however_often(
    keep: Keep, caplog: pytest.LogCaptureFixture
):
    await keep(SERVES + "time.sleep(0.05)")
    await eventually(lambda: len(logged(caplog, "another takes its place")) >= 4)
    assert {line["next_in_s"] for line in logged(caplog, "another takes its place")} == {0.0}
