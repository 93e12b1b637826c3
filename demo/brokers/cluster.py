"""The three brokers as one: they are started, waited for, and asked who leads. They start in 4 to 10 s."""

import base64
import contextlib
import logging
import random
import socket
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from demo.brokers.jars import class_path
from demo.brokers.node import HERE, BrokersFailed, Node, NodeTls, Place, Ports

NODES: Final = 3
STARTED_S: Final = 240.0
"""The time for the first start. Only a machine that is busy with other things takes as long."""
READY_S: Final = 180.0
"""The time for all nodes to be ready again. Only a machine that is busy with other things takes as long."""
WARM_UP: Final = 400
"""Records that are appended at first: a cold virtual machine takes up to a second for some of them."""
_PORTS: Final = (20_000, 32_000)
"""Below those that the system gives to connections (ip_local_port_range): a node that was killed finds its ports free
when it is started again."""
POLL_S: Final = 0.1
"""Between looks at the nodes."""
_quiet = logging.getLogger("demo.brokers")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False
"""The client library writes lines about brokers that are away, which people and tests bring about."""


class Brokers:
    """A cluster of three nodes below ``path``. ``plaintext`` and ``tls`` are lists of HOST:PORT for clients."""

    def __init__(self, path: Path, tls: NodeTls | None = None, places: Sequence[Place] = (HERE,) * NODES) -> None:
        """Start a node in each of the places, and wait until they are ready and warm.

        Raises BrokersMissing, BrokersFailed, ImportError.
        """
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        class_path()
        free = _free_ports(3 * NODES)
        ports = [Ports(*free[first : first + 3]) for first in range(0, len(free), 3)]
        placed = [*enumerate(zip(ports, places, strict=True), 1)]
        voters = ",".join(f"{number}@{place.host}:{one.controller}" for number, (one, place) in placed)
        self.nodes = [Node(number, path / f"node-{number}", one, voters, tls, place) for number, (one, place) in placed]
        self.plaintext = ",".join(node.address for node in self.nodes)
        self.tls = ",".join(f"{place.host}:{one.tls}" for _, (one, place) in placed)
        self.admin = AdminClient(self._settings())
        self._starter = ThreadPoolExecutor(1)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        try:
            with ThreadPoolExecutor() as together:
                [*together.map(lambda node: node.format(cluster), self.nodes)]
            for node in self.nodes:
                self.start(node)
            self.await_ready(STARTED_S)
            self._warm_up()
        except BaseException:
            self.kill()
            raise

    def leader_of(self, topic: str, partition: int) -> Node:
        """Return the node that leads a partition now; waits while there is none."""
        deadline_s = time.monotonic() + READY_S
        while time.monotonic() < deadline_s:
            found = self._metadata().topics.get(topic)
            leader = found.partitions[partition].leader if found is not None and partition in found.partitions else -1
            # Metadata name a leader that was killed or paused for two seconds more.
            if leader > 0 and self.nodes[leader - 1].answers:
                return self.nodes[leader - 1]
            time.sleep(POLL_S)
        raise BrokersFailed(f"{topic} [{partition}] has no leader{self._logs()}")

    def await_loss_of(self, topic: str, partition: int) -> None:
        """Wait until the nodes say that a partition has no leader."""
        deadline_s = time.monotonic() + READY_S
        while self._metadata().topics[topic].partitions[partition].leader > 0:
            self._expect_before(deadline_s)
            time.sleep(POLL_S)

    def restore(self) -> None:
        """Bring all nodes back, and wait until each partition has all its replicas in sync."""
        for node in self.nodes:
            node.resume()
            if not node.is_running:
                self.start(node)
                self._await_answer(node)  # until then metadata may be those of before its death
        self.await_ready()

    def await_ready(self, time_s: float = READY_S) -> None:
        """Wait until all nodes answer and all replicas are in sync."""
        deadline_s = time.monotonic() + time_s
        while time.monotonic() < deadline_s and all(node.is_running for node in self.nodes):
            found = self._metadata()
            partitions = [one for topic in found.topics.values() for one in topic.partitions.values()]
            in_sync = all(one.leader > 0 and len(one.isrs) == len(one.replicas) for one in partitions)
            if len(found.brokers) == NODES and in_sync and self._has_controller():
                return
            time.sleep(POLL_S)
        raise BrokersFailed(f"the brokers are not ready{self._logs()}")

    def await_topics(self, *names: str) -> None:
        """Wait until each node knows that topics are there, and all their replicas are in sync: nodes hear of a new
        topic one after the other."""
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        for node in self.nodes:
            alone = AdminClient(self._settings(node.address))
            deadline_s = time.monotonic() + READY_S
            while not set(names) <= set(alone.list_topics(timeout=READY_S).topics):
                self._expect_before(deadline_s)
                time.sleep(POLL_S)
        self.await_ready()

    def kill(self) -> None:
        """Kill all nodes: their disks are thrown away, so that nothing is gained by an orderly end."""
        for node in self.nodes:
            node.kill()
        self._starter.shutdown()

    def start(self, node: Node) -> None:
        """Start a node that is away. It ends with this object's thread, and so with the program."""
        self._starter.submit(node.start).result()

    def _settings(self, servers: str | None = None) -> dict[str, Any]:
        quiet = {"logger": _quiet, "socket.timeout.ms": 2000, "reconnect.backoff.max.ms": 500}
        return {"bootstrap.servers": servers or self.plaintext} | quiet

    def _await_answer(self, node: Node) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415
        from confluent_kafka.admin import AdminClient  # noqa: PLC0415

        alone = AdminClient(self._settings(node.address))
        deadline_s = time.monotonic() + READY_S
        while node.is_running and time.monotonic() < deadline_s:
            with contextlib.suppress(KafkaException):
                alone.list_topics(timeout=3)
                return
        raise BrokersFailed(f"node {node.number} does not answer{self._logs()}")

    def _metadata(self) -> Any:
        from confluent_kafka import KafkaException  # noqa: PLC0415

        deadline_s = time.monotonic() + STARTED_S
        while True:
            try:
                return self.admin.list_topics(timeout=3)
            except KafkaException:
                if time.monotonic() > deadline_s:
                    raise BrokersFailed(f"no broker answers{self._logs()}") from None

    def _has_controller(self) -> bool:
        """Return whether a controller would make a topic."""
        from confluent_kafka import KafkaException  # noqa: PLC0415
        from confluent_kafka.admin import NewTopic  # noqa: PLC0415

        new = NewTopic("any", num_partitions=1, replication_factor=NODES)
        try:
            self.admin.create_topics([new], validate_only=True, request_timeout=3.0)["any"].result(READY_S)
        except KafkaException:
            return False
        return True

    def _warm_up(self) -> None:
        from confluent_kafka import Producer  # noqa: PLC0415
        from confluent_kafka.admin import NewTopic  # noqa: PLC0415

        new = NewTopic("warm-up", num_partitions=NODES, replication_factor=NODES)
        self.admin.create_topics([new])["warm-up"].result(READY_S)
        producer = Producer(self._settings() | {"enable.idempotence": True})
        for number in range(WARM_UP):
            producer.produce("warm-up", bytes(80), partition=number % NODES)
            producer.poll(0.005)
        if producer.flush(READY_S):
            raise BrokersFailed(f"the brokers do not take messages{self._logs()}")

    def _expect_before(self, deadline_s: float) -> None:
        if time.monotonic() > deadline_s:
            raise BrokersFailed(f"the brokers have not come so far in {READY_S:g} s{self._logs()}")

    def _logs(self) -> str:
        return "".join(f"\n--- node {node.number}\n{node.log_file.read_text('utf-8')[-2000:]}" for node in self.nodes)


def _free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randint(*_PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.add(port)
    return [*found]
