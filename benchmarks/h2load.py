"""A second opinion on single calls: h2load, of nghttp2, which nobody here wrote.

It sends one body again and again, so that what a server remembers of a code helps it; the project's own load sends a
different code each time, and its number is the one that counts. Where the two differ by much, one of them is wrong.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from onecode.v1 import recognition_pb2 as pb

from benchmarks.http2 import framed
from benchmarks.load import METHOD
from benchmarks.servers import Server
from benchmarks.workload import HOST_REGION

CALLS: Final = 4_000
"""To each server: a second or two of its time."""
TIMEOUT_S: Final = 60


def answers_per_cpu_s(
    servers: list[Server],
    code: bytes,
    directory: Path,
    connections: int = 4,
    in_flight: int = 32,
    calls: int = CALLS,
) -> dict[str, int]:
    """Return the answers to a second of each server's CPU, as h2load drives it; nothing where it is not installed.

    ``in_flight`` is the number of calls at once over all ``connections``, and ``calls`` how many there are.
    """
    program = shutil.which("h2load")
    if program is None:
        return {}
    body = directory / "verify.body"
    body.write_bytes(framed(pb.VerifyRequest(code=code, host_region=HOST_REGION).SerializeToString()))
    headers = ("-H", "content-type: application/grpc", "-H", "te: trailers", "-H", "grpc-timeout: 20S")
    found = {}
    for server in servers:
        url = f"http://{server.address}{METHOD}Verify"
        numbers = ("-n", str(calls), "-c", str(connections), "-m", str(in_flight // connections))
        command = [program, *numbers, "-d", str(body), *headers, url]
        before_s = server.cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        used_s = server.cpu_s() - before_s
        succeeded = re.search(r"(\d+) succeeded", done.stdout)
        if succeeded is None or int(succeeded[1]) != calls:
            raise SystemExit(f"h2load was not answered by {server.name}:\n{done.stdout}")
        found[server.name] = round(calls / used_s)
    return found
