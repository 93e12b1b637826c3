"""Holds connections as gates do that wait for a bearer: ``python -m benchmarks.connections.holder ADDRESS COUNT``.

Each has made one check, and answers PING. Standard input has a code; standard output tells how many connections were
answered, and after the line that comes next on standard input how many are still open. It ends with standard input.
"""

import asyncio
import sys
from typing import Final

import uvloop

from onecode.v1 import recognition_pb2 as pb
from onecode_server.system import descriptors

from benchmarks.attacks.connection import Connection, Lost, call_headers, message
from benchmarks.load import METHOD
from benchmarks.workload import HOST_REGION

AT_ONCE: Final = 64
"""Connections that are opened at once: fewer than the server takes in one turn."""
ANSWER_S: Final = 60.0
"""The time in which a check must be answered while thousands of others arrive."""
_LOOK_S: Final = 0.01


async def run(address: str, count: int) -> None:
    """Open connections, and hold them. Only a program on this machine is asked. Raises ValueError."""
    if not address.startswith("127.0.0.1:"):
        raise ValueError("connections go to loopback only")
    request = pb.VerifyRequest(code=sys.stdin.buffer.readline().strip(), host_region=HOST_REGION)
    body = message(request.SerializeToString())
    held: list[Connection] = []
    left = iter(range(count))

    async def open_some() -> None:
        for _ in left:
            try:
                held.append(await _checked(address, body))
            except (Lost, TimeoutError):
                return  # there is no room for more

    await asyncio.gather(*(open_some() for _ in range(AT_ONCE)))
    print(len(held), flush=True)
    while await asyncio.to_thread(sys.stdin.buffer.readline):
        print(sum(not one.is_lost for one in held), flush=True)


async def _checked(address: str, body: bytes) -> Connection:
    """Return a connection over which one code was checked. Raises Lost and TimeoutError."""
    connection = await Connection.open(address)
    await connection.send(await connection.begin(call_headers(f"{METHOD}Verify")), body, ends=True)
    async with asyncio.timeout(ANSWER_S):
        while connection.streams:
            if connection.is_lost:
                raise Lost
            await asyncio.sleep(_LOOK_S)
    return connection


if __name__ == "__main__":
    descriptors.raise_limit()
    uvloop.run(run(sys.argv[1], int(sys.argv[2])))
