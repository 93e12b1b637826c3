"""The holder of connections tells the truth: how many were answered, and how many of them are still open."""

import asyncio
import sys

from benchmarks.servers import ROOT
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import driven, until

pytestmark = NEEDS_FRONT

BOUND = 16


async def _told(holder: asyncio.subprocess.Process, line: bytes) -> int:
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write(line + b"\n")
    return int(await asyncio.wait_for(holder.stdout.readline(), 30))


async def test_a_holder_tells_how_many_connections_there_is_room_for_and_which_are_left():
    async with driven(connections_max=BOUND) as driver:
        pipe = asyncio.subprocess.PIPE
        holder = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.connections.holder", driver.target, str(BOUND + 5)),
            cwd=ROOT,
            stdin=pipe,
            stdout=pipe,
        )
        try:
            assert await _told(holder, b"code") == BOUND
            assert driver.front.counts().connections == BOUND
            assert await _told(holder, b"?") == BOUND
            driver.front.drain()
            await until(lambda: driver.front.counts().connections == 0)
            assert await _told(holder, b"?") == 0
        finally:
            holder.kill()
            await holder.communicate()
