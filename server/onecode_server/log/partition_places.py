"""Where the partitions of a log are: their leaders and replicas, and the offsets at their ends."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onecode_server.errors import LogUnavailable
from onecode_server.log.address import LogAddress
from onecode_server.log.client_settings import reason
from onecode_server.log.topics import ADMIN_S, admin, answer, descriptions, names, partitions_of, topic_of

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

_MORE_S: Final = 1.0
"""Beyond the time that the library has been told, after which it must have answered itself."""


class PartitionPlace(NamedTuple):
    """A partition of ours (0 to 12), as the brokers have it.

    ``leader`` is HOST:PORT, "" where there is none; ``first`` is the offset of its first message and ``next`` that of
    the one that will come, both None where no leader tells.
    """

    partition: int
    topic: str
    number: int
    leader: str
    replicas: int
    in_sync: int
    first: int | None
    next: int | None


def places(address: LogAddress) -> list[PartitionPlace]:
    """Return all partitions in order. Raises LogUnavailable, also where a topic is not there."""
    from confluent_kafka import KafkaException  # noqa: PLC0415

    ours = partitions_of(address)
    found: list[PartitionPlace] = []
    with admin(address) as client:
        try:
            described = {name: answer(address, future) for name, future in descriptions(client, address).items()}
        except KafkaException as fault:
            raise LogUnavailable(f"{address}: {reason(fault.args[0])}") from None
        for name in names(address):
            known = [one for one in described[name].partitions if (name, one.id) in ours]
            ends = offsets(client, address, [ours[name, one.id] for one in known], ADMIN_S)
            for one in known:
                partition = ours[name, one.id]
                leader = "" if one.leader is None else f"{one.leader.host}:{one.leader.port}"
                first, following = ends.get(partition, (None, None))
                place = (partition, name, one.id, leader, len(one.replicas), len(one.isr), first, following)
                found.append(PartitionPlace(*place))
    return sorted(found)


def offsets(
    client: "AdminClient", address: LogAddress, partitions: Sequence[int], time_s: float
) -> Mapping[int, tuple[int, int]]:
    """Return the offsets of the first message and of the one that will come next, of each of our partitions that has a
    leader to tell it. It waits for ``time_s`` seconds."""
    from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415
    from confluent_kafka.admin import OffsetSpec  # noqa: PLC0415

    asked = {partition: TopicPartition(*topic_of(address, partition)) for partition in partitions}
    first, following = (
        client.list_offsets(dict.fromkeys(asked.values(), spec), request_timeout=time_s)
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest())
    )
    found: dict[int, tuple[int, int]] = {}
    for partition, place in asked.items():
        try:
            both: list[Any] = [futures[place].result(time_s + _MORE_S).offset for futures in (first, following)]
        except (KafkaException, TimeoutError):
            continue
        if min(both) >= 0:  # a leader that did not answer in time is a result too, with -1
            found[partition] = (int(both[0]), int(both[1]))
    return found
