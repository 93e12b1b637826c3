"""An attack in a process of its own: ``python -m benchmarks.attacks.attacker NAME ADDRESS PAGE RATE SECONDS [CERTS]``.

Standard input has codes that the server admits, one a line. It ends by itself.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

import uvloop

from benchmarks.attacks.catalogue import ATTACKS
from benchmarks.attacks.target import Target
from benchmarks.shown import Authority


async def run(name: str, address: str, page: str, rate: str, seconds: str, certs: str = "") -> None:
    """Attack for so long. Only a program on this machine is attacked. Raises ValueError."""
    if not all(place.startswith("127.0.0.1:") for place in (address, page)):
        raise ValueError("attacks go to loopback only")
    authority = Authority(Path(certs)) if certs else None
    target = Target(address, page, sys.stdin.buffer.read().split(), float(rate), authority)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ATTACKS[name](target), float(seconds))


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))
