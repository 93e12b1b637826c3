"""Control groups of version 1 that bound the memory of a process, pages of files among it. They need root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

GROUPS: Final = Path("/sys/fs/cgroup/memory")


class NoGroups(Exception):
    """The system has no control groups of version 1, or allows none to be made; the text says which in one line."""


@contextmanager
def group(limit: int, groups: Path = GROUPS) -> Iterator[Path | None]:
    """Make a control group whose processes have ``limit`` bytes of memory; none, and yield None, where that is 0.

    It is removed at the end, when its processes must have ended. Raises NoGroups.
    """
    if not limit:
        yield None
        return
    made = groups / f"onecode-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as fault:
        raise NoGroups(f"memory cannot be bounded: {made}, a control group of version 1: {fault.strerror}") from None
    try:
        (made / "memory.limit_in_bytes").write_text(str(limit))
        yield made
    finally:
        with suppress(OSError):  # pages of the file count for it until they are dropped
            (made / "memory.force_empty").write_text("0")
        made.rmdir()


def enter(made: Path | None) -> None:
    """Have what this process takes from now on count for a group; what it has is not counted."""
    if made is not None:
        (made / "cgroup.procs").write_text(str(os.getpid()))


def expect(groups: Path = GROUPS) -> None:
    """Raise NoGroups where no group can be made."""
    if not (groups / "memory.limit_in_bytes").exists():
        raise NoGroups(f"memory cannot be bounded: {groups} has no control groups of version 1")
    if os.geteuid():
        raise NoGroups("memory cannot be bounded: control groups of version 1 are made by root")
    with group(2**30, groups):
        pass
