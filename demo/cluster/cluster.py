"""The cluster: it is made as an operator would make it, and parts of it are killed, paused and started again."""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from demo.brokers.cluster import NODES, READY_S, Brokers
from demo.brokers.node import HERE, BrokersFailed, Node, Place
from demo.cluster.machine import Machine
from demo.cluster.traffic import REGION, SUBJECTS
from demo.deployment import Deployment

MACHINES: Final = 3
_ATTEMPTS: Final = 5
"""The attempts to make the topics. One takes 20 s at most, and brokers on a busy computer may need more."""
_CODES: Final = ("--level", "GREEN", "--count", str(SUBJECTS))
_TOPICS: Final = ("onecode.status", "onecode.decisions")


class Cluster:
    """Three brokers and three machines below ``path``. Its methods block, and are called one at a time."""

    def __init__(
        self,
        path: Path,
        tell: Callable[[str], None],
        brokers_at: Sequence[Place] = (HERE,) * NODES,
        machines_at: Sequence[Place] = (HERE,) * MACHINES,
    ) -> None:
        """Start all of it, each in its place; ``tell`` takes a line for each step.

        Raises BrokersFailed, MachineFailed, BrokersMissing and CalledProcessError, after all that was started has
        ended.
        """
        self.machines: list[Machine] = []
        # What starts machines is one thread, which lives as long as they do: they end with it.
        self._starter = ThreadPoolExecutor(1)
        tell("starting three brokers of Apache Kafka ...")
        self.brokers = Brokers(path / "brokers", places=brokers_at)
        try:
            tell("making the topics, the cluster's key and three memberships ...")
            deployment = Deployment(path / "machine-1")
            issued = deployment.run("issue", "--data-dir", str(path / "machine-1"), "--region", REGION, *_CODES)
            self.codes = issued.encode().splitlines()
            for number in range(2, MACHINES + 1):
                shutil.copytree(path / "machine-1", path / f"machine-{number}")
            log = ["--log", f"kafka://{self.brokers.plaintext}"]
            _make_topics(deployment, log)
            self.brokers.await_topics(*_TOPICS)
            key = str(path / "machine-1" / "cluster.key")
            for number, place in enumerate(machines_at, 1):
                if number > 1:
                    deployment.run("log", "join", "--data-dir", str(path / f"machine-{number}"), "--cluster-key", key)
                tell(f"starting machine {number} ...")
                self.machines.append(Machine(number, path / f"machine-{number}", log, place))
                self._starter.submit(self.machines[-1].start).result()
        except BaseException:
            self.close()
            raise

    def leads(self) -> Mapping[int, int]:
        """Return the number of partitions that each broker leads, by its number; nothing where no broker answers."""
        from confluent_kafka import KafkaException  # noqa: PLC0415

        try:
            found = self.brokers.admin.list_topics(timeout=2)
        except KafkaException:
            return {}
        leads = dict.fromkeys((node.number for node in self.brokers.nodes), 0)
        for name in _TOPICS:
            for partition in found.topics[name].partitions.values() if name in found.topics else ():
                # Metadata name a leader that was killed or paused for two seconds more.
                if partition.leader in leads and self.brokers.nodes[partition.leader - 1].answers:
                    leads[partition.leader] += 1
        return leads

    def act(self, key: str) -> str:
        """Do what a key stands for, and return a line about it."""
        return {"b": self._kill_broker, "p": self._pause_broker, "s": self._kill_machine, "r": self._restore}[key]()

    def close(self) -> None:
        """End all processes."""
        for machine in self.machines:
            machine.end()
        self.brokers.kill()
        self._starter.shutdown()
        for machine in self.machines:
            machine.kill()  # one that was just being started

    def leader(self) -> Node | None:
        """Return the broker that leads the most partitions, None where none is up."""
        answering = [node for node in self.brokers.nodes if node.answers]
        leads = self.leads()
        return max(answering, key=lambda node: leads.get(node.number, 0)) if answering else None

    def _kill_broker(self) -> str:
        if (node := self.leader()) is None:
            return "no broker is up"
        node.kill()
        return f"broker {node.number} was killed (SIGKILL)"

    def _pause_broker(self) -> str:
        paused = [node for node in self.brokers.nodes if node.is_running and not node.answers]
        for node in paused:
            node.resume()
        if paused:
            return f"broker {paused[0].number} goes on (SIGCONT)"
        if (leader := self.leader()) is None:
            return "no broker is up"
        leader.pause()
        return f"broker {leader.number} is paused (SIGSTOP)"

    def _kill_machine(self) -> str:
        running = [machine for machine in self.machines if machine.is_running]
        if not running:
            return "no machine is up"
        running[-1].kill()
        return f"machine {running[-1].number} was killed (SIGKILL), its supervisor and its children"

    def _restore(self) -> str:
        back = []
        for node in self.brokers.nodes:
            if not node.answers:
                back.append(f"broker {node.number}")
                node.resume()
                if not node.is_running:
                    self.brokers.start(node)
        for machine in self.machines:
            if not machine.is_running:
                back.append(f"machine {machine.number}")
                self._starter.submit(machine.start).result()
        return f"started again: {', '.join(back)}" if back else "nothing is away"

    def await_whole(self) -> None:
        """Start what is away, and wait until the brokers have all replicas in sync again, for READY_S at most."""
        self._restore()
        with suppress(BrokersFailed):  # what is missing then shows whether it matters
            self.brokers.await_ready(READY_S)


def _make_topics(deployment: Deployment, log: list[str]) -> None:
    """Make the topics, and the deployment the first machine. Raises CalledProcessError."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(subprocess.CalledProcessError):
            deployment.run("log", "init", *log)
            break
    deployment.run("log", "init", *log, "--data-dir", str(deployment.data_dir))
