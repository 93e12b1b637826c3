"""What the command sets before gRPC is loaded is something that gRPC still knows."""

import os
import subprocess
import sys

SERVE = """
import onecode_server.cli, asyncio, grpc.aio

async def main():
    server = grpc.aio.server()
    print(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    await server.stop(0)

asyncio.run(main())
"""


def printed(**environment: str) -> str:
    """Return what gRPC's core has to say while a server starts."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    run = [sys.executable, "-c", SERVE]
    done = subprocess.run(run, env=clean | environment, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) > 0
    return done.stderr


def test_grpc_knows_the_experiments_that_are_set():
    assert "experiment" not in printed(GRPC_VERBOSITY="INFO").lower()


def test_grpc_would_say_that_it_does_not_know_one():
    assert "experiment" in printed(GRPC_VERBOSITY="INFO", GRPC_EXPERIMENTS="-no_such_thing").lower()
