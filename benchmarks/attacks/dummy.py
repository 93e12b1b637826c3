"""A listener that takes whatever comes and answers nothing: ``python -m benchmarks.attacks.dummy [CERTS]``. With an
authority's directory it makes the handshakes of TLS.

An attack on it costs the attacker and the machine what it costs on a server: what the polite client waits beside it is
no server's doing.
"""

import asyncio
import struct
import sys
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.attacks.connection import INITIAL_WINDOW_SIZE, SETTINGS, WINDOW_MAX, WINDOW_UPDATE, frame
from benchmarks.shown import Authority


class _Sink(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        """Let the caller send as much as HTTP/2 can say."""
        settings = frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, WINDOW_MAX))
        transport.write(settings + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW_MAX - 65_535)))


async def listen(certs: str = "") -> None:
    """Listen until the process is ended."""
    tls = Authority(Path(certs)).server_context() if certs else None
    server = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    print(f"ready grpc={host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(listen(*sys.argv[1:]))
