"""The number of cores that this process may keep busy, by its affinity and the quotas of its control groups."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def usable(root: Path = Path("/")) -> int:
    """Return that number, at least 1. Linux only; ``root`` is the directory of ``proc`` and ``sys``.

    A quota (set by ``docker run --cpus`` and a Kubernetes limit) is rounded up, so that all of it can be used: a
    machine of 64 cores of which a container has the time of 1.5 counts as two.
    """
    runs_on = len(os.sched_getaffinity(0))
    return max(1, min([runs_on, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota, in cores, of each control group of this process, up to the outermost visible one."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # a kernel without control groups
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Version 2 has one tree for all controllers (cgroups(7)), version 1 a tree for some. A container may be given a
        # path that only its host knows, and then sees its own group as the outermost.
        tree = root / "sys/fs/cgroup" / controllers
        for group in (PurePosixPath(path), *PurePosixPath(path).parents):
            with suppress(OSError, ValueError):  # no such group here, or "max": no quota
                yield _quota(tree / group.relative_to("/"), is_first=bool(controllers))


def _quota(group: Path, *, is_first: bool) -> float:
    """Return a group's quota in cores. Raises OSError, ValueError where it has none."""
    if is_first:
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        quota_us, period_us = (int((group / name).read_text()) for name in names)
    else:
        quota_us, period_us = map(int, (group / "cpu.max").read_text().split())
    if quota_us <= 0 or period_us <= 0:  # version 1 says -1 for none
        raise ValueError("no quota")
    return quota_us / period_us
