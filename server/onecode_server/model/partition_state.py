"""How far a machine has applied a partition of the log."""

from typing import Final, NamedTuple

DIGEST_BYTES: Final = 32


class PartitionState(NamedTuple):
    """The state of one partition, which is committed with the records that it stands for.

    ``offset`` is that of the next message, ``epoch`` the leader epoch of the last one (-1: unknown). ``time`` is the
    newest LogAppendTime (Unix microseconds), which never runs backwards here. ``digest`` (32 bytes) chains over all
    changes of the state: machines that have applied the same messages have the same one.
    """

    offset: int
    epoch: int
    time: int
    digest: bytes


INITIAL: Final = PartitionState(0, -1, 0, bytes(DIGEST_BYTES))
