"""The binary layout of what a replica keeps beside the records: how far it has applied the log. No I/O.

Keys are big-endian, so that LMDB keeps them in the order of partitions, times and offsets.
"""

import json
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from onecode_server.errors import StoredDamaged
from onecode_server.model.partition_state import DIGEST_BYTES, PartitionState

IDENTIFIER_BYTES: Final = 16
CHECKPOINTS_MAX: Final = 1200
"""The newest checkpoints of a partition that are kept, one for each mark of any machine, which sends one a second: of a
hundred machines those of twelve seconds, of three those of more than six minutes. A mark names one of a second or two
ago."""
FIRST_RULES: Final = 1
"""The version of the rules under which a new log begins."""
STOP_KEY: Final = b"log-stop"
"""The key of a Stop in the table ``meta``."""
_STATE: Final = struct.Struct(">qqq32s")
_OUTCOME: Final = struct.Struct(">Bq")
_PLACE: Final = struct.Struct(">Bq")
_BEGUN: Final = struct.Struct(">q32s")
_MARKS: Final = struct.Struct(">16s")
_MARK: Final = struct.Struct(">q")
_DAMAGED: Final = (struct.error, ValueError, TypeError, KeyError, AttributeError)


class Membership(NamedTuple):
    """The log to which a store belongs: the cluster's public key (32 bytes), this machine's id (16 bytes), and the ids
    of the topics by their names."""

    cluster: bytes
    machine: bytes
    topics: Mapping[str, str]


class AppliedMarks(NamedTuple):
    """When this machine sent the newest mark of its own that it has applied: microseconds of the monotonic clock for
    each partition, 0 for none. ``boot`` (16 bytes) is the system's boot in which that clock counts."""

    boot: bytes
    sent_us: tuple[int, ...]


class Stop(NamedTuple):
    """That this machine applies no more of the log: the reason, one line, and when that was (Unix microseconds).

    ``is_lasting`` tells that the store is at fault, so that no start makes it good. Any other fault is found again by
    the next start, where it is still there.
    """

    reason: str
    at: int
    is_lasting: bool


class BegunDecisions(NamedTuple):
    """How many parts of the store with which a log began were applied, and the digest of decisions after the last one
    (32 bytes)."""

    parts: int
    digest: bytes


NOT_BEGUN: Final = BegunDecisions(0, bytes(DIGEST_BYTES))


def partition_key(partition: int) -> bytes:
    """Return the key of a partition's state, and the beginning of the keys of all that belongs to it."""
    return bytes([partition])


def place_key(partition: int, place: int) -> bytes:
    """Return the key of an offset or a time (microseconds) of a partition."""
    return _PLACE.pack(partition, place)


def pack_state(state: PartitionState) -> bytes:
    """Return a partition's state as 56 bytes."""
    return _STATE.pack(*state)


def unpack_state(data: bytes) -> PartitionState:
    """Return a partition's state. Raises StoredDamaged, as every ``unpack_`` function here does."""
    try:
        return PartitionState(*_STATE.unpack(data))
    except _DAMAGED:
        raise StoredDamaged("the stored state of a partition cannot be read") from None


def pack_outcome(partition: int, time: int, outcome: bytes) -> bytes:
    """Return the outcome of a message, with its partition and the log's time (Unix microseconds)."""
    return _OUTCOME.pack(partition, time) + outcome


def unpack_outcome(data: bytes) -> tuple[int, int, bytes]:
    """Return the partition, time and outcome of a message."""
    try:
        return (*_OUTCOME.unpack_from(data), data[_OUTCOME.size :])
    except _DAMAGED:
        raise StoredDamaged("the stored outcome of a message cannot be read") from None


def pack_marks(marks: AppliedMarks) -> bytes:
    """Return a machine's own marks: 16 bytes, and 8 for each partition."""
    return _MARKS.pack(marks.boot) + b"".join(map(_MARK.pack, marks.sent_us))


def unpack_marks(data: bytes) -> AppliedMarks:
    """Return a machine's own marks."""
    try:
        (boot,) = _MARKS.unpack_from(data)
        return AppliedMarks(boot, tuple(sent_us for (sent_us,) in _MARK.iter_unpack(data[_MARKS.size :])))
    except _DAMAGED:
        raise StoredDamaged("the stored marks cannot be read") from None


def pack_stop(stop: Stop) -> bytes:
    """Return why and when a machine has stopped, as JSON, which a person can read."""
    return json.dumps(stop._asdict(), sort_keys=True).encode()


def unpack_stop(data: bytes) -> Stop:
    """Return why and when a machine has stopped."""
    try:
        members = json.loads(data)
        return Stop(str(members["reason"]), int(members["at"]), bool(members["is_lasting"]))
    except _DAMAGED:
        raise StoredDamaged("the stored reason of a stop cannot be read") from None


def pack_begun(begun: BegunDecisions) -> bytes:
    """Return how much was applied of a log's beginning, as 40 bytes."""
    return _BEGUN.pack(*begun)


def unpack_begun(data: bytes) -> BegunDecisions:
    """Return how much was applied of a log's beginning."""
    try:
        return BegunDecisions(*_BEGUN.unpack(data))
    except _DAMAGED:
        raise StoredDamaged("the stored beginning of the log cannot be read") from None


def pack_membership(membership: Membership) -> bytes:
    """Return the log to which a store belongs, as JSON."""
    members = {
        "cluster": membership.cluster.hex(),
        "machine": membership.machine.hex(),
        "topics": dict(membership.topics),
    }
    return json.dumps(members, sort_keys=True).encode()


def unpack_membership(data: bytes) -> Membership:
    """Return the log to which a store belongs."""
    try:
        members = json.loads(data)
        topics = {str(name): str(identifier) for name, identifier in members["topics"].items()}
        return Membership(bytes.fromhex(members["cluster"]), bytes.fromhex(members["machine"]), topics)
    except _DAMAGED:
        raise StoredDamaged("the stored name of the log cannot be read") from None
