"""Whether this machine's state is that of the others, by the digests in their marks."""

from typing import Final

from onecode_server.errors import OnecodeError
from onecode_server.replication.messages import Mark

MACHINES_MAX: Final = 256
"""The machines of one partition that are heard: more than a log has. Of more, the one heard longest ago is dropped."""


class Diverged(OnecodeError):
    """This machine's state differs from that of other machines: the store is damaged, or a program has a fault."""

    def __init__(self, partition: int, offset: int, machine: bytes) -> None:
        super().__init__(
            f"partition {partition} differs after offset {offset} from machine {machine.hex()}: restore this machine's "
            "store from a backup of another one"
        )
        self.partition = partition
        self.offset = offset
        self.machine = machine


class Agreement:
    """The last comparison with each other machine, for each partition.

    A single machine with a fault must not stop all others, and must stop itself: a machine goes on while more than half
    of those heard, itself included, have its state. Of two machines that differ both stop, since neither is known to be
    right.
    """

    def __init__(self, own: bytes) -> None:
        """``own`` is this machine's id (16 bytes)."""
        self._own = own
        self._equal: dict[int, dict[bytes, bool]] = {}

    def copy(self) -> "Agreement":
        """Return what stands for this one once the marks of a transaction, which it notes, are committed."""
        other = Agreement(self._own)
        other._equal = {partition: heard.copy() for partition, heard in self._equal.items()}
        return other

    def note(self, partition: int, mark: Mark, *, is_equal: bool) -> None:
        """Note a comparison with a mark. Raises Diverged once this machine is outvoted."""
        if mark.machine == self._own:
            if not is_equal:
                raise Diverged(partition, mark.offset, mark.machine)
            return
        heard = self._equal.setdefault(partition, {})
        heard.pop(mark.machine, None)
        heard[mark.machine] = is_equal
        if len(heard) > MACHINES_MAX:
            del heard[next(iter(heard))]
        differing = len(self.differing(partition))
        if not is_equal and differing >= 1 + len(heard) - differing:
            raise Diverged(partition, mark.offset, mark.machine)

    def differing(self, partition: int) -> list[bytes]:
        """Return the machines whose last mark showed another state than this machine's: a fault to be reported."""
        return [machine for machine, is_equal in self._equal.get(partition, {}).items() if not is_equal]
