"""A server that a page of the documentation starts as its reader would: by the page's command, in its folder."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.deployment import END_S, LOOPBACK, first_line


@contextmanager
def served(command: str, folder: Path, path: str, *flags: str) -> Iterator[tuple[str, str]]:
    """Run a command that serves, on ports that the system chooses and with ``path`` as PATH; yield its addresses of
    calls and of metrics."""
    given = " ".join((command.removesuffix(" &\n"), *flags, "--workers 1", *LOOPBACK, "2>serve.log"))
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {given}"], cwd=folder, env=os.environ | {"PATH": path}, stdout=subprocess.PIPE
    ) as server:
        try:
            ready = re.fullmatch(r"ready grpc=(\S+) metrics=(\S+)\n", first_line(server))
            assert ready, (folder / "serve.log").read_text(encoding="utf-8")
            yield ready[1], ready[2]
        finally:
            server.terminate()
            assert server.wait(END_S) == 0
