"""What is seen of a server of several workers: processes, sockets, slots, and calls that reach all of them."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc
from prometheus_client.multiprocess import MultiProcessCollector

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


def metrics_directory(server: Server) -> Path:
    """Return where the workers keep their metrics: their second argument says so."""
    pid = next(iter(pids(server).values()))
    return Path(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[5].decode())


def lookups(server: Server, slot: str) -> float:
    """Return how many status lookups one worker has counted, one for each code, from the file of its slot."""
    families = MultiProcessCollector.merge([str(metrics_directory(server) / f"counter_{slot}.db")])
    samples = [sample for family in families for sample in family.samples]
    return sum(one.value for one in samples if one.name == "onecode_status_cache_lookups_total")


def verify_on_each(server: Server, code: bytes, connections: int = CONNECTIONS) -> None:
    """Check a code once on each of so many new connections."""
    for _ in range(connections):
        with grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            ask = channel.unary_unary(f"/{VERIFY[1]}/Verify", response_deserializer=pb.VerifyResponse.FromString)
            request = pb.VerifyRequest(code=code, host_region="110000").SerializeToString()
            assert ask(request, timeout=30).verdict.decision == pb.DECISION_ADMIT
