"""Metrics of processes: the CPU of all goes on where one ends, and files are those of the process that has most."""

import os
import resource
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from onecode_server.telemetry.processes import ProcessMetrics

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system has no /proc")

BUSY = "import time\nwhile time.process_time() < 0.4: pass\nprint(flush=True)\ninput()"
"""A process that uses CPU for a while, says so, and waits."""


@pytest.fixture
def child():
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process
        process.kill()


def shown(processes):
    """Return a function that gets a value of the metrics of some processes."""
    registry = CollectorRegistry()
    registry.register(ProcessMetrics(processes))
    return lambda name, **labels: registry.get_sample_value(name, labels)


def test_a_server_of_one_process_has_no_label_worker():
    get = shown(lambda: {"": "self"})
    assert get("process_cpu_seconds_total") > 0
    assert get("onecode_resident_bytes") == pytest.approx(get("process_resident_memory_bytes"), rel=0.2)
    assert get("onecode_open_files") == get("process_open_fds") > 2
    assert get("onecode_open_files_max") == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_cpu_of_all_processes_does_not_fall_when_one_ends(child):
    running = {"supervisor": "self", "0": child.pid}
    get = shown(lambda: running)
    before = get("onecode_cpu_seconds_total")
    assert before >= get("process_cpu_seconds_total", worker="0") >= 0.3
    child.communicate(b"\n")
    del running["0"]
    assert get("process_cpu_seconds_total", worker="0") is None
    assert get("onecode_cpu_seconds_total") >= before


def test_memory_is_the_sum_and_open_files_those_of_the_process_nearest_to_its_limit(child):
    resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (5, 5))
    get = shown(lambda: {"supervisor": "self", "0": child.pid})
    assert get("onecode_resident_bytes") > get("process_resident_memory_bytes", worker="supervisor")
    assert (get("onecode_open_files"), get("onecode_open_files_max")) == (3, 5)


def test_a_process_that_has_just_ended_is_left_out(child):
    child.communicate(b"\n")
    get = shown(lambda: {"supervisor": "self", "0": child.pid})
    assert get("process_open_fds", worker="0") is None
    assert get("onecode_open_files") > 0
