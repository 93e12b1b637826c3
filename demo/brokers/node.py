"""A broker of Apache Kafka that is a controller as well: one process, ended by its id."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from demo.brokers.jars import class_path

HEAP: Final = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
"""150 to 210 MB a process. The first compiler alone has it ready in half the time."""
END_S: Final = 5.0
"""The time for an orderly end. A node whose cluster has no quorum may never come to it."""
_FASTER: Final = {
    # A dead leader is replaced within 3 s, a dead controller within 2 s: people and tests wait for both, and a machine
    # that is busy with other things must not seem dead.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
    "replica.lag.time.max.ms": "3000",
    "initial.broker.registration.timeout.ms": "60000",
    # Two cores run three nodes and a server.
    "num.network.threads": "2",
    "num.io.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",  # of 128 MB by default, which the heap does not have
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # As a deployment has it.
    "auto.create.topics.enable": "false",
}


class BrokersFailed(Exception):
    """The brokers did not do what was expected of them; the message ends with what they logged."""


class Ports(NamedTuple):
    """The ports of a node: for plaintext, for mutual TLS, and for the other controllers."""

    plaintext: int
    tls: int
    controller: int


class Place(NamedTuple):
    """Where a process runs: the address on which it is reached, and the beginning of a command that runs there, such as
    in another network."""

    host: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


HERE: Final = Place()


class NodeTls(NamedTuple):
    """PEM files for mutual TLS with clients: the authority, and the nodes' certificate with its key."""

    ca: Path
    server: Path


class Node:
    """A node with its files in a directory of its own. Its number is its ``node.id``, from 1 on."""

    def __init__(
        self, number: int, path: Path, ports: Ports, voters: str, tls: NodeTls | None, place: Place = HERE
    ) -> None:
        self.number = number
        self.ports = ports
        self.address = f"{place.host}:{ports.plaintext}"
        self.data = path / "data"
        self.log_file = path / "node.log"
        self._path = path
        self._voters = voters
        self._tls = tls
        self.place = place
        self._process: subprocess.Popen[bytes] | None = None
        self._is_paused = False

    def format(self, cluster: str) -> None:
        """Write the settings, and give the empty disk the cluster's id."""
        self._path.mkdir(parents=True, exist_ok=True)  # its disk may be there already
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in self._all_settings()), "utf-8")
        # One word, since one id in 64 begins with a hyphen, and would be read as an option.
        command = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(self._settings))
        done = subprocess.run(_java(*command), capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            raise BrokersFailed(done.stdout + done.stderr)

    def start(self) -> None:
        """Start the process, which ends with the thread that called; its cluster tells when it is ready."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                _java("kafka.Kafka", str(self._settings), enter=self.place.enter), stdout=log, stderr=log
            )
        self._is_paused = False

    @property
    def is_running(self) -> bool:
        """Whether there is a process, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def answers(self) -> bool:
        """Whether the process runs and is not paused."""
        return self.is_running and not self._is_paused

    def kill(self) -> None:
        """Kill the process, as a machine that loses its power does, but for what its system had not written yet."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def end(self) -> None:
        """End the process in order, as an operator does; kill it where it does not end."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        self.kill()

    def pause(self) -> None:
        """Stop the process (SIGSTOP): its connections stay open, and nothing answers on them."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # until then its threads may go on
        self._is_paused = True

    def resume(self) -> None:
        """Let a paused process go on."""
        if self._process is not None and self._is_paused:
            self._process.send_signal(signal.SIGCONT)
            self._is_paused = False

    @property
    def _settings(self) -> Path:
        return self._path / "node.properties"

    def _all_settings(self) -> list[tuple[str, str]]:
        host = self.place.host
        clients = f"PLAINTEXT://{self.address}"
        if self._tls is not None:
            clients += f",SSL://{host}:{self.ports.tls}"
        of_node = {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.quorum.voters": self._voters,
            "listeners": f"{clients},CONTROLLER://{host}:{self.ports.controller}",
            "advertised.listeners": clients,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self.data),
        }
        if self._tls is not None:
            of_node |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self._tls.server),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self._tls.ca),
                "ssl.client.auth": "required",
            }
        return [*(of_node | _FASTER).items()]


def bound_to_parent() -> list[str]:
    """Return the beginning of a command that is killed with the thread that starts it, where the system can do so:
    nothing must outlive a program that is killed itself."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def _java(*arguments: str, enter: Sequence[str] = ()) -> list[str]:
    return [*bound_to_parent(), *enter, "java", *HEAP, "-cp", class_path(), *arguments]
