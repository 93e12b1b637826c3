"""What is seen of a server of several workers: processes, sockets, slots, and calls that reach all of them."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import grpc

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import Server

VERIFY: Final = ("Verify", "onecode.v1.RecognitionService", "unary")
STARTED, HANDLED = "grpc_server_started_total", "grpc_server_handled_total"
CONNECTIONS: Final = 64
"""The system spreads connections by a hash: that none of so many falls to a worker has a chance of 2^-64."""
RESPAWNED_S: Final = 2 + 30
"""What is promised, and room for a machine that is busy with other things."""


def workers(server: Server) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = server.healthz()[1]["workers"]
    return found


def pids(server: Server) -> dict[str, int]:
    return {slot: worker["pid"] for slot, worker in workers(server).items()}


def runs(pid: int) -> bool:
    """Tell whether a process runs: one that has ended and that nobody has asked for yet (a zombie) does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def listeners(server: Server) -> set[int]:
    """Return the sockets that listen on the server's port (proc_net(5): state 0A), by inode."""
    port = f"{int(server.address.rpartition(':')[2]):04X}"
    lines = [line.split() for file in ("tcp", "tcp6") for line in Path(f"/proc/net/{file}").read_text().splitlines()]
    return {int(line[9]) for line in lines[1:] if line[1].endswith(f":{port}") and line[3] == "0A"}


def sockets(pid: int) -> set[int]:
    """Return the sockets that a process has open, by inode."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if (name := os.readlink(file)).startswith("socket:["):
                found.add(int(name[8:-1]))
    return found


def taken(server: Server) -> dict[str, int]:
    """Return how many connections each worker has, of those that are open (proc_net(5): state 01)."""
    port = f"{int(server.address.rpartition(':')[2]):04X}"
    lines = [line.split() for file in ("tcp", "tcp6") for line in Path(f"/proc/net/{file}").read_text().splitlines()]
    connected = {int(line[9]) for line in lines if line[1].endswith(f":{port}") and line[3] == "01"}
    return {slot: len(connected & sockets(pid)) for slot, pid in pids(server).items()}


@contextmanager
def connected(server: Server, connections: int = CONNECTIONS) -> Iterator[list[grpc.Channel]]:
    """Open so many connections."""
    with ExitStack() as opened:
        own = [("grpc.use_local_subchannel_pool", 1)]
        channels = [opened.enter_context(grpc.insecure_channel(server.address, own)) for _ in range(connections)]
        for channel in channels:
            grpc.channel_ready_future(channel).result(timeout=30)
        yield channels


def verify_on_each(server: Server, code: bytes, connections: int = CONNECTIONS) -> None:
    """Check a code once on each of so many new connections."""
    with connected(server, connections) as channels:
        for channel in channels:
            verify(channel, code)


def verify(channel: grpc.Channel, code: bytes) -> None:
    """Check a code."""
    ask: grpc.UnaryUnaryMultiCallable[pb.VerifyRequest, pb.VerifyResponse] = channel.unary_unary(
        f"/{VERIFY[1]}/Verify", pb.VerifyRequest.SerializeToString, pb.VerifyResponse.FromString
    )
    request = pb.VerifyRequest(code=code, host_region="110000")
    assert ask(request, timeout=30).verdict.decision == pb.DECISION_ADMIT
