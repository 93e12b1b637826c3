"""The cores that a process may use: those it may run on, less where a control group of either version says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onecode_server.settings import cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
POD = "0::/kubepods/pod7\n"
FIRST = "3:memory:/box\n2:cpu,cpuacct:/box\n1:cpuset:/\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (None, {}, 16),
        ("0::/\n", {}, 16),
        ("0::/\n", {"cpu.max": "max 100000"}, 16),
        ("0::/\n", {"cpu.max": "100000 100000"}, 1),
        ("0::/\n", {"cpu.max": "150000 100000"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000"}, 16),
        ("0::/\n", {"cpu.max": "what a later kernel says"}, 16),
        (POD, {"kubepods/pod7/cpu.max": "400000 100000"}, 4),
        (POD, {"kubepods/pod7/cpu.max": "max 100000", "kubepods/cpu.max": "300000 100000"}, 3),
        (POD, {"kubepods/pod7/cpu.max": "800000 100000", "kubepods/cpu.max": "300000 100000"}, 3),
        ("0::/of/the/host\n", {"cpu.max": "200000 100000"}, 2),
        (FIRST, {"cpu,cpuacct/box/cpu.cfs_quota_us": "250000", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"}, 3),
        (FIRST, {"cpu,cpuacct/box/cpu.cfs_quota_us": "-1", "cpu,cpuacct/box/cpu.cfs_period_us": "100000"}, 16),
        (FIRST, {"memory/box/cpu.cfs_quota_us": "100000", "memory/box/cpu.cfs_period_us": "100000"}, 16),
    ],
)
def test_the_smallest_of_affinity_and_all_quotas_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str | None, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    if groups is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    assert cores.usable(tmp_path) == expected


def test_a_process_that_may_run_on_one_core_uses_one() -> None:
    one_core = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    asked = one_core + "from onecode_server.settings import cores\nprint(cores.usable())"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True)
    assert done.stdout == b"1\n"
