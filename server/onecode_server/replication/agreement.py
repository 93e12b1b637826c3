"""Whether this machine's state is that of the others, by the digests in their marks. No I/O, and the log's clock."""

from typing import Final, NamedTuple, Protocol

from onecode_server.errors import OnecodeError
from onecode_server.replication.messages import Mark

MACHINES_MAX: Final = 256
"""The machines of one partition that are heard: more than a log has. Of more, the one heard longest ago is dropped."""
WORD_US: Final = 10_000_000
"""The time for which a machine's last word counts: ten of its marks. One that has gone speaks for nobody."""
SETTLED_US: Final = 5_000_000
"""The time after which a machine that does not have a majority stops: others that run have sent five marks by then, so
that one which has just started has heard all of them. Until then its own marks confirm nothing."""


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


class Comparisons(Protocol):
    """Takes note of each comparison of this machine's state with a mark."""

    def note(self, partition: int, mark: Mark, time: int, *, is_equal: bool) -> None:
        """Note a comparison at the partition's ``time`` (Unix microseconds). May raise Diverged."""
        ...


class _Word(NamedTuple):
    """The last comparison with a machine: the place that it named, and the log's time (Unix microseconds)."""

    is_equal: bool
    offset: int
    time: int


class Agreement:
    """The last comparison with each other machine, for each partition.

    A single machine with a fault must not stop all others, and must stop itself: a partition is disputed while no more
    than half of those heard, this machine included, have its state, and a machine stops that finds it disputed for
    SETTLED_US. Of two machines that differ both stop, since neither is known to be right.
    """

    def __init__(self, own: bytes, incarnation: bytes) -> None:
        """``own`` is this machine's id (16 bytes), ``incarnation`` that of this process (8): what an earlier process
        with this id said of its store is nobody's word on the present one."""
        self._own, self._incarnation = own, incarnation
        self._words: dict[int, dict[bytes, _Word]] = {}
        self._disputed: dict[int, int] = {}

    def copy(self) -> "Agreement":
        """Return what stands for this one once the marks of a transaction, which it notes, are committed."""
        other = Agreement(self._own, self._incarnation)
        other._words = {partition: words.copy() for partition, words in self._words.items()}
        other._disputed = self._disputed.copy()
        return other

    def note(self, partition: int, mark: Mark, time: int, *, is_equal: bool) -> None:
        """Note a comparison with a mark at the partition's ``time`` (Unix microseconds).

        Raises Diverged at an own mark, which shows all others the digest that this machine has: of two machines that
        differ, neither stops before the other one can know of it.
        """
        words = self._words.setdefault(partition, {})
        if mark.machine != self._own:
            words.pop(mark.machine, None)
            words[mark.machine] = _Word(is_equal, mark.offset, time)
            if len(words) > MACHINES_MAX:
                del words[next(iter(words))]
        for machine in [machine for machine, word in words.items() if word.time < time - WORD_US]:
            del words[machine]
        differing = self.differing(partition)
        if not differing or len(differing) < 1 + len(words) - len(differing):
            self._disputed.pop(partition, None)
        else:
            self._disputed.setdefault(partition, time)
        if (mark.machine, mark.incarnation) == (self._own, self._incarnation):
            self._judge(partition, mark, time, is_equal=is_equal)

    def differing(self, partition: int) -> list[bytes]:
        """Return the machines whose last mark showed another state than this machine's: a fault to be reported."""
        return [machine for machine, word in self._words.get(partition, {}).items() if not word.is_equal]

    def is_disputed(self, partition: int) -> bool:
        """Return whether no majority has this machine's state, so that its own marks confirm nothing."""
        return partition in self._disputed

    def _judge(self, partition: int, own: Mark, time: int, *, is_equal: bool) -> None:
        if not is_equal:
            raise Diverged(partition, own.offset, own.machine)
        if partition in self._disputed and time - self._disputed[partition] >= SETTLED_US:
            machine = self.differing(partition)[-1]
            raise Diverged(partition, self._words[partition][machine].offset, machine)
