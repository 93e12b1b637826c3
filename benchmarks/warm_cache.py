"""Has a server check all codes of a pool before a round, so that what it remembers of their bearers is there.

onecode reads the status of a bearer without a record again after 24 to 30 s. A server's rounds are further apart than
that, so that without this half of a round's statuses would come from the store and half from the cache.
"""

import asyncio
from typing import Final

from onecode.v1 import recognition_pb2 as pb

from benchmarks.http2 import Connection, framed
from benchmarks.load import METHOD
from benchmarks.processes import with_children
from benchmarks.servers import Server
from benchmarks.shown import NOTHING, Shown
from benchmarks.workload import HOST_REGION

BATCH_CODES: Final = 1_000
CONNECTIONS_TO_WORKERS: Final = 8
"""Of a server with several workers, each with a cache of its own. Connections are dealt out among them by chance: that
all of these go to one of two happens in one of 128 rounds. Each sends all codes."""
CHECKS_NOTHING: Final = frozenset({"echo"})
NEVER_READS_AGAIN: Final = frozenset({"first try", "go", "rust"})
"""Go and Rust keep all statuses in maps from their start on, the first try looks into the store at each check. They are
warmed up before their first round only, for their memory and tables: each time would take half a second or more."""


def warm(server: Server, codes: list[bytes], turn: int) -> None:
    """Have the codes checked before a server's round in a turn, counted from 0, where that changes anything."""
    if server.name not in CHECKS_NOTHING and (turn == 0 or server.name not in NEVER_READS_AGAIN):
        workers = sum(1 for _ in with_children(server.pid)) - 1
        asyncio.run(send_all(server.address, codes, CONNECTIONS_TO_WORKERS if workers > 1 else 1, server.shown))


async def send_all(address: str, codes: list[bytes], connections: int = 1, shown: Shown = NOTHING) -> None:
    """Have a server check all codes in batches, by each of some connections."""
    for _ in range(connections):
        connection = await Connection(f"{METHOD}BatchVerify", address, shown=shown).open()
        for start in range(0, len(codes), BATCH_CODES):
            request = pb.BatchVerifyRequest(codes=codes[start : start + BATCH_CODES], host_region=HOST_REGION)
            await connection.call(framed(request.SerializeToString()))
        connection.close()
