"""A Unix socket without a name in the file system, through which one part of this process reaches another.

gRPC binds a Unix socket by its path alone. So it is bound in a new directory that only this user may enter. Then a
descriptor of it is opened, and path and directory are removed. What is left is ``/proc/self/fd/N``, by which this
process connects (proc(5): the link leads to the socket even when it has no name any more). A process that is killed
leaves nothing behind, and another process gets in only where it may open this one's descriptors, as a debugger of the
same user may. grpc.aio does not show whose connection a call came by (SO_PEERCRED), so the calls of such a process are
refused by a token (``reserved_metadata.Gate``).
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UnnamedSocket:
    """A listening socket that is reached by a descriptor. Close it once nobody connects any more."""

    def __init__(self, bound: Path) -> None:
        """Keep the socket that is bound to a path. Raises OSError."""
        self._descriptor = os.open(bound, os.O_PATH | os.O_CLOEXEC)

    @property
    def path(self) -> str:
        """The path by which this process connects."""
        return f"/proc/self/fd/{self._descriptor}"

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


@contextmanager
def private_path() -> Iterator[Path]:
    """Lend a path in a new directory of mode 0700, both of which are gone afterwards. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix="onecode-") as directory:  # mkdtemp(3), which sets the mode
        yield Path(directory, "s")
