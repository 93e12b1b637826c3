"""The faults of brokers and machines that a drill brings about, each for some seconds."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final, NamedTuple

from benchmarks.log_drills import networks
from benchmarks.log_drills.networks import Link
from demo.brokers.node import Node
from demo.cluster.cluster import Cluster
from demo.cluster.machine import Machine

AWAY_S: Final = 8.0
"""How long a broker is away or paused, and its disk is full: longer than it takes until another one leads."""
PAUSED_S: Final = 4.0
"""How long a replicator is paused."""
CUT_S: Final = 20.0
"""How long a network is cut."""
NOTICED_S: Final = 2.0
"""After the kill of a replicator, which its supervisor starts again."""


class Field(NamedTuple):
    """What faults are brought about in. ``links`` join brokers, machines and sites to the network by their names;
    without them nothing is cut. ``small`` is the broker whose disk can be filled, None where there is none."""

    cluster: Cluster
    links: Mapping[str, Link]
    small: Node | None
    chance: random.Random


class Struck(NamedTuple):
    """A fault that has begun: what was done, for how long it lasts, and the machine that is cut off, if any."""

    what: str
    lasts_s: float
    cut_off: Machine | None = None


def _leader(field: Field) -> Node:
    node = field.cluster.leader()
    if node is None:
        raise SystemExit("no broker is up")
    return node


@contextmanager
def kill_broker(field: Field) -> Iterator[Struck]:
    """Kill the broker that leads most, and start it again."""
    node = _leader(field)
    node.kill()
    yield Struck(f"broker {node.number} killed", AWAY_S)
    field.cluster.brokers.start(node)


@contextmanager
def pause_broker(field: Field) -> Iterator[Struck]:
    """Stop the broker that leads most, and let it go on."""
    node = _leader(field)
    node.pause()
    yield Struck(f"broker {node.number} paused", AWAY_S)
    node.resume()


@contextmanager
def fill_disk(field: Field) -> Iterator[Struck]:
    """Fill the disk of a broker, which cannot go on then; free it, and start the broker again."""
    node = field.small
    if node is None:
        raise ValueError("no broker has a small disk")
    with networks.filled(node.data):
        yield Struck(f"broker {node.number}, disk full", AWAY_S)
    if not node.is_running:
        field.cluster.brokers.start(node)


@contextmanager
def cut_broker(field: Field) -> Iterator[Struck]:
    """Cut the network of the broker that leads most."""
    node = _leader(field)
    link = field.links[f"broker {node.number}"]
    link.cut()
    yield Struck(f"broker {node.number} cut off", CUT_S)
    link.mend()


@contextmanager
def cut_machine(field: Field) -> Iterator[Struck]:
    """Cut the network of a machine to the log. Callers go on to reach it."""
    machine = field.chance.choice(field.cluster.machines)
    link = field.links[f"machine {machine.number}"]
    link.cut()
    yield Struck(f"machine {machine.number} cut off", CUT_S, machine)
    link.mend()


@contextmanager
def cut_site(field: Field) -> Iterator[Struck]:
    """Cut the site of the broker that leads most from the others, with its machine. Callers go on to reach it."""
    number = _leader(field).number
    link = field.links[f"site {number}"]
    link.cut()
    yield Struck(f"site {number} cut off", CUT_S, field.cluster.machines[number - 1])
    link.mend()


@contextmanager
def kill_replicator(field: Field) -> Iterator[Struck]:
    """Kill the process of a machine that applies the log."""
    machine = field.chance.choice(field.cluster.machines)
    os.kill(applier(machine), signal.SIGKILL)
    yield Struck(f"replicator {machine.number} killed", NOTICED_S)


@contextmanager
def pause_replicator(field: Field) -> Iterator[Struck]:
    """Stop the process of a machine that applies the log, and let it go on where its supervisor has not ended it."""
    machine = field.chance.choice(field.cluster.machines)
    pid = applier(machine)
    os.kill(pid, signal.SIGSTOP)
    yield Struck(f"replicator {machine.number} paused", PAUSED_S)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


Fault = Callable[[Field], AbstractContextManager[Struck]]
ANYWHERE: Final[tuple[Fault, ...]] = (kill_broker, pause_broker, kill_replicator, pause_replicator)
WITH_NAMESPACES: Final[tuple[Fault, ...]] = (cut_machine, cut_broker, fill_disk)


def order(times: int, chance: random.Random, kinds: tuple[Fault, ...]) -> list[Fault]:
    """Return so many faults in random order: of each kind as many as of any other, or one more."""
    chosen: list[Fault] = []
    while len(chosen) < times:
        chosen += chance.sample(kinds, len(kinds))
    return chosen[:times]


def applier(machine: Machine, patience_s: float = 30.0) -> int:
    """Return the id of the process that applies the log. Ends the program where the machine does not tell."""
    ends_s = time.monotonic() + patience_s
    while time.monotonic() < ends_s:
        with suppress(OSError, ValueError, KeyError):
            return int(machine.health()["log"]["pid"])
        time.sleep(0.1)
    raise SystemExit(f"machine {machine.number} does not tell which process applies the log")
