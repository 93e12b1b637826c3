"""Machines that share a log: copies of one deployment, each with a membership of its own, on real brokers."""

from pathlib import Path
from typing import Any

from onecode_server.crypto.signing import Signer
from onecode_server.log.address import LogAddress
from onecode_server.replication.enrolment import enrol
from onecode_server.system.clock import wall_clock

from tests.integration.deployment import Deployment, Server, eventually

DAY_US = 86_400_000_000
CLUSTER = Signer(b"c" * 32)
CONFIRMED_S = 60
"""What a machine that is busy with other things may need to be confirmed in all partitions."""


def join(deployment: Deployment) -> None:
    """Make a data directory that of a new member of the cluster."""
    enrol(deployment.path, CLUSTER, wall_clock() + DAY_US)


def members(made: Deployment, path: Path, count: int) -> list[Deployment]:
    """Return copies of a deployment that are members of the cluster."""
    copies = [made.copy_to(path / f"machine-{number}") for number in range(1, count + 1)]
    for copy in copies:
        join(copy)
    return copies


def flags(log: LogAddress) -> tuple[object, ...]:
    """Return the flags with which a server shares a log."""
    return ("--log", log, "--log-topic-prefix", log.prefix)


def state(server: Server) -> dict[str, Any]:
    """Return what a server says of its log."""
    found: dict[str, Any] = server.healthz()[1]["log"]
    return found


def ages_s(server: Server) -> list[float]:
    """Return for how long each partition has not been confirmed."""
    parts = state(server).get("partitions", {}).values()
    return [float("inf") if part["confirmed_age_s"] is None else part["confirmed_age_s"] for part in parts]


def await_confirmed(server: Server) -> None:
    """Wait until a server's machine is confirmed in all partitions."""
    eventually(lambda: (ages := ages_s(server)) and max(ages) < 5, CONFIRMED_S)
