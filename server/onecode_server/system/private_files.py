"""Private files: who besides their owner may open a file with a secret."""

import os
import stat
from typing import Final

_ROOT: Final = 0
_BEYOND_READING: Final = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


def is_private(found: os.stat_result) -> bool:
    """Return whether nobody can open a regular file but its owner, or those to whom root gives it.

    Root gives a secret to a service by the service's group: Kubernetes does so with ``fsGroup``, and leaves the file
    root's, with mode 0440. So the group may read a file of root's, and do nothing else with it, where it is a group of
    this process. A process that owns the file itself needs no group, also where it is root's.
    """
    mode = stat.S_IMODE(found.st_mode)
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return True
    is_given = found.st_uid == _ROOT != os.geteuid()
    is_own_group = found.st_gid == os.getegid() or found.st_gid in os.getgroups()
    return is_given and is_own_group and not mode & _BEYOND_READING
