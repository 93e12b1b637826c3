"""The topics of a log: their names, the settings without which records could be lost, and their making and checking."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from onecode_server.errors import LogUnavailable
from onecode_server.log.address import LogAddress
from onecode_server.log.client_settings import TOPIC_BYTES_MAX, client_settings, made, reason
from onecode_server.model.partition import ALL, DECISIONS, STATUS_PARTITIONS

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

REPLICAS: Final = 3
"""The least number of replicas. Two of three must have a message before it counts: one may fail without a stop, and
another one without a loss."""
ADMIN_S: Final = 20.0
"""The time for an answer on topics: a cluster that is choosing a controller takes seconds."""
_WEEK_MS: Final = 7 * 86_400_000
_ANSWER_MORE_S: Final = 5.0
"""Beyond the time that the library has been told, after which it must have answered itself."""
_ASKED_MAX: Final = 3
"""How often a question that was dropped on this side is asked. There are as many brokers as a rule."""

_T = TypeVar("_T")


class Setting(NamedTuple):
    """What a setting of a topic must be: ``value``, or at least that much."""

    value: str
    is_least: bool = False

    def allows(self, found: str) -> bool:
        """Return whether a value is as it must be. In Kafka -1 is without an end."""
        if not self.is_least or found == self.value:
            return found == self.value
        return found == "-1" or (found.isdecimal() and self.value.isdecimal() and int(found) >= int(self.value))


class Topic(NamedTuple):
    """A topic without the prefix of its name."""

    name: str
    partitions: int
    settings: Mapping[str, Setting]


_OF_BOTH: Final = {
    "min.insync.replicas": Setting(str(REPLICAS // 2 + 1), is_least=True),
    # Else a replica that lacks acknowledged messages could become leader.
    "unclean.leader.election.enable": Setting("false"),
    "message.timestamp.type": Setting("LogAppendTime"),
    # A key's newest message is not the whole truth: a record may count from tomorrow on.
    "cleanup.policy": Setting("delete"),
    "retention.bytes": Setting("-1"),
    "compression.type": Setting("uncompressed"),
    "max.message.bytes": Setting(str(TOPIC_BYTES_MAX), is_least=True),
}
TOPICS: Final = (
    Topic("status", STATUS_PARTITIONS, _OF_BOTH | {"retention.ms": Setting(str(_WEEK_MS), is_least=True)}),
    # The audit record is proved by replaying it from its beginning. Decisions are few: each may wait for the disks.
    Topic("decisions", 1, _OF_BOTH | {"retention.ms": Setting("-1"), "flush.messages": Setting("1")}),
)


def topic_of(address: LogAddress, partition: int) -> tuple[str, int]:
    """Return the topic of one of our partitions (0 to 12), and the partition's number in it."""
    if partition == DECISIONS:
        return f"{address.prefix}{TOPICS[1].name}", 0
    return f"{address.prefix}{TOPICS[0].name}", partition


def partitions_of(address: LogAddress) -> dict[tuple[str, int], int]:
    """Return our numbers of partitions, by topic and number in it."""
    return {topic_of(address, partition): partition for partition in ALL}


def names(address: LogAddress) -> list[str]:
    """Return the names of both topics."""
    return [f"{address.prefix}{topic.name}" for topic in TOPICS]


def create(address: LogAddress, replication_factor: int) -> list[str]:
    """Make the topics that are not there, and return their names. Raises LogUnavailable.

    With fewer than three replicas, which suits a developer's machine alone, so many must be in sync as there are.
    """
    from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415
    from confluent_kafka.admin import NewTopic  # noqa: PLC0415

    in_sync = str(replication_factor // 2 + 1)
    new = [
        NewTopic(
            name,
            num_partitions=topic.partitions,
            replication_factor=replication_factor,
            config={key: setting.value for key, setting in topic.settings.items()} | {"min.insync.replicas": in_sync},
        )
        for name, topic in zip(names(address), TOPICS, strict=True)
    ]
    done = []
    with admin(address) as client:
        times = {"operation_timeout": ADMIN_S, "request_timeout": ADMIN_S}
        for name, future in client.create_topics(new, **times).items():
            try:
                answer(address, future)
                done.append(name)
            except KafkaException as fault:
                if fault.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise LogUnavailable(f"{name} was not made: {reason(fault.args[0])}") from None
    return done


def check(address: LogAddress) -> list[str]:
    """Return one line for each way in which the topics are not as they must be. Raises LogUnavailable."""
    from confluent_kafka import KafkaException  # noqa: PLC0415

    found: list[str] = []
    with admin(address) as client:
        asked = descriptions(client, address)
        for name, topic in zip(names(address), TOPICS, strict=True):
            try:
                description = answer(address, asked[name])
                settings = answer(address, _settings(client, name))
            except KafkaException as fault:
                found.append(f"{name}: {reason(fault.args[0])}")
                continue
            found += [f"{name}: {line}" for line in _faults(topic, description, settings)]
    return found


def topic_ids(address: LogAddress) -> dict[str, str]:
    """Return the topics' ids, by name: a topic that was made anew has another one. Raises LogUnavailable."""
    from confluent_kafka import KafkaException  # noqa: PLC0415

    with admin(address) as client:
        try:
            described = descriptions(client, address)
            return {name: str(answer(address, future).topic_id) for name, future in described.items()}
        except KafkaException as fault:
            raise LogUnavailable(f"{address}: {reason(fault.args[0])}") from None


def admin(address: LogAddress, client: str = "onecode") -> "AdminClient":
    """Return a client for administration; it is a context manager. Raises Misconfigured."""
    settings = client_settings(address, client)
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    return made(AdminClient, settings)


def answer(address: LogAddress, future: "Future[_T]") -> _T:
    """Return an answer on topics. Raises KafkaException, and LogUnavailable where no broker answers in time."""
    from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415

    try:
        return future.result(ADMIN_S + _ANSWER_MORE_S)
    except TimeoutError:
        raise LogUnavailable(f"{address} does not answer") from None
    except KafkaException as fault:
        if fault.args[0].code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
            raise LogUnavailable(f"{address} does not answer: {reason(fault.args[0])}") from None
        raise


def descriptions(client: "AdminClient", address: LogAddress) -> "dict[str, Future[Any]]":
    """Ask for the descriptions of both topics, by their names.

    It asks again where the library closed the connection by which it had asked: it does so with an address that it was
    given, once it knows the broker's own.
    """
    from confluent_kafka import TopicCollection  # noqa: PLC0415

    for _ in range(_ASKED_MAX):
        asked: dict[str, Future[Any]] = client.describe_topics(TopicCollection(names(address)), request_timeout=ADMIN_S)
        if not any(_was_dropped(future) for future in asked.values()):
            break
    return asked


def _was_dropped(future: "Future[Any]") -> bool:
    from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415

    try:
        fault = future.exception(ADMIN_S + _ANSWER_MORE_S)
    except TimeoutError:
        return False
    return isinstance(fault, KafkaException) and fault.args[0].code() == KafkaError._DESTROY_BROKER


def _settings(client: "AdminClient", name: str) -> "Future[Any]":
    from confluent_kafka.admin import ConfigResource, ResourceType  # noqa: PLC0415

    resource = ConfigResource(ResourceType.TOPIC, name)
    asked: Future[Any] = client.describe_configs([resource], request_timeout=ADMIN_S)[resource]
    return asked


def _faults(topic: Topic, description: Any, settings: Mapping[str, Any]) -> Iterator[str]:
    if len(description.partitions) != topic.partitions:
        yield f"{len(description.partitions)} partitions, which must be {topic.partitions}"
    replicas = min((len(one.replicas) for one in description.partitions), default=0)
    if replicas < REPLICAS:
        yield f"{replicas} replicas, which must be at least {REPLICAS}"
    for key, must in topic.settings.items():
        value = settings[key].value if key in settings else "unknown to the brokers"
        if not must.allows(value):
            yield f"{key} is {value}, and must be {'at least ' if must.is_least else ''}{must.value}"
