"""What a process has used is read from outside of it, and finely enough for rounds of a fifth of a second."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.processes import CORES, cpu_s, pinned

IDLE = ["sleep", "60"]
SAYS = """
import sys, time
print(time.process_time(), flush=True)
sys.stdin.read()
print(time.process_time())
"""


def test_the_cpu_time_of_a_process_is_what_it_sees_itself() -> None:
    command = [sys.executable, "-c", SAYS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        before_s = float(other.stdout.readline())
        seen_s = cpu_s(other.pid)
        other.stdin.close()
        after_s = float(other.stdout.readline())
    assert before_s <= seen_s <= after_s


def test_another_process_is_read_in_less_than_hundredths_of_a_second() -> None:
    with subprocess.Popen(IDLE, stdout=subprocess.PIPE) as idle:
        try:
            while Path(f"/proc/{idle.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
                time.sleep(0.001)  # Linux adds to another's clock at its ticks, and when it sleeps
            used_s = cpu_s(idle.pid)
        finally:
            idle.kill()
    assert used_s > 0
    with pytest.raises(OSError, match=r"Invalid argument|No such"):
        cpu_s(idle.pid)


def test_a_command_runs_on_the_cores_that_it_is_given() -> None:
    with subprocess.Popen(
        pinned(["sh", "-c", "echo ready; exec sleep 60"], CORES[:1]), stdout=subprocess.PIPE
    ) as running:
        try:
            assert running.stdout is not None
            running.stdout.readline()
            assert os.sched_getaffinity(running.pid) == set(CORES[:1])
        finally:
            running.kill()
    assert pinned(IDLE, ()) == IDLE
