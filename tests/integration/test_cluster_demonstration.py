"""``make cluster``: parts of a cluster are killed by a script, nothing acknowledged is missing, and nothing is left."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.brokers.jars import BrokersMissing, class_path

ROOT = Path(__file__).parents[2]
RUN_S = 600
"""Three brokers and three machines start, and all is looked for at the end, on a computer that is busy."""
pytestmark = [pytest.mark.brokers, pytest.mark.either_front, pytest.mark.timeout(RUN_S + 60)]


def started(tmp_path, *arguments, **environment):
    tmp_path.joinpath("temporary").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "demo.cluster", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")} | environment,
    )


@pytest.fixture(autouse=True)
def _brokers_can_run():
    try:
        class_path()
    except BrokersMissing as missing:
        pytest.skip(str(missing))


def expect_nothing_left(tmp_path):
    assert [*tmp_path.joinpath("temporary").iterdir()] == []
    named = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            named.append(file.read_bytes())
        except OSError:  # it has ended meanwhile
            continue
    assert [command for command in named if os.fsencode(tmp_path / "temporary") in command] == []


def test_no_acknowledged_record_is_missing_after_kills_and_pauses(tmp_path):
    running = started(tmp_path, "--do", "4 b 6 r 2 s 3 p 6 r 4 q")
    try:
        out, err = running.communicate(timeout=RUN_S)
    finally:
        running.kill()
    assert running.returncode == 0, out + err
    lines = [line.split(" | ") for line in out.splitlines() if " | brokers " in line]
    assert len(lines) > 15
    assert all(len(line) == len(lines[0]) for line in lines)
    states = " ".join(part for line in lines for part in line if part.startswith(("brokers ", "machines ")))
    assert {"up", "killed", "paused", "serving"} <= set(states.split())
    for said in ("broker [123] was killed", "machine 3 was killed", "broker [123] is paused", "started again: "):
        assert re.search(said, out), said
    counted = re.search(r"^([0-9,]+) records were acknowledged, 0 are missing on 3 machines$", out, re.MULTILINE)
    assert counted
    assert int(counted[1].replace(",", "")) > 10
    expect_nothing_left(tmp_path)


def test_a_signal_ends_all_processes(tmp_path):
    running = started(tmp_path)
    try:
        assert running.stdout
        assert any(" | brokers " in line for line in running.stdout)  # the first of them
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=RUN_S)
    finally:
        running.kill()
    assert running.returncode == 128 + signal.SIGTERM
    expect_nothing_left(tmp_path)
