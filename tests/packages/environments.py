"""Environments with nothing but what a package asks for, and a server that runs from one."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.packages.building import ROOT

END_S = 60


class Environment:
    """A virtual environment, outside of the tree, in which no variable says where else Python should look."""

    def __init__(self, path: Path, requirements: str) -> None:
        """Make it, with the pinned packages of a file in ``requirements`` alone."""
        self.path = path
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
        self.pip("install", "--require-hashes", "--no-deps", "-r", str(ROOT / requirements))

    def install(self, package: Path, **environment: str) -> None:
        """Install a wheel, or a source distribution with the build's tools that are there, and nothing else with it."""
        self.pip("install", "--no-index", "--no-deps", "--no-build-isolation", str(package), **environment)
        self.pip("check")

    def pip(self, *arguments: str, **environment: str) -> None:
        """Run its pip."""
        self.run("python", "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments, **environment)

    def run(self, program: str, *arguments: str, **environment: str) -> str:
        """Run one of its programs, and return what it printed."""
        ran = subprocess.run(
            self.command(program, *arguments),
            cwd=self.path,
            env=self._variables() | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}:\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    @contextmanager
    def serving(self, data_dir: Path) -> Iterator["Served"]:
        """Serve from it until the block ends. Raises RuntimeError where the server does not start or end well."""
        flags = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1")
        command = self.command("onecode", "serve", "--data-dir", str(data_dir), *flags)
        with subprocess.Popen(
            command, cwd=self.path, env=self._variables(), stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""  # ends, at the latest, with the server
                ready = re.fullmatch(r"ready grpc=(\S+) metrics=(\S+)\n", line)
                if ready is None:
                    raise RuntimeError(f"the server did not start: {line!r}")
                yield Served(*ready.groups())
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    status = process.wait(END_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise
        if status:
            raise RuntimeError(f"the server ended with status {status}")

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return a command line of one of its programs."""
        return [str(self.path / "bin" / program), *arguments]

    def _variables(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ONECODE"))}


class Served(NamedTuple):
    """Where a server listens."""

    address: str
    page: str

    def backend(self) -> str:
        """Return what checks signatures there."""
        page = http.client.HTTPConnection(self.page, timeout=60)
        try:
            page.request("GET", "/healthz")
            return str(json.load(page.getresponse())["signature_backend"]["name"])
        finally:
            page.close()
