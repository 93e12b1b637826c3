"""A real Prometheus on a port of its own (Debian's package prometheus). Tests that need it skip where it is missing."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

START_S: Final = 60
"""Only a machine that is busy with other things takes as long."""


class Series(NamedTuple):
    """A series of an instant query: its labels and its value."""

    labels: dict[str, str]
    value: float


def binary() -> str:
    """Return the command, or skip the test."""
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("Prometheus is not installed (Debian's package prometheus)")
    return found


class Prometheus:
    """A process that scrapes ``targets`` and evaluates rules at an interval. Its data lie below ``path``."""

    def __init__(
        self,
        path: Path,
        targets: Iterable[str],
        rules: Iterable[Path] = (),
        consoles: Path | None = None,
        interval: str = "1s",
    ) -> None:
        """Start it, and wait until it answers. Rules and console pages are read from where they lie."""
        path.mkdir(parents=True, exist_ok=True)
        config = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval, "scrape_timeout": interval},
            "rule_files": [str(rule) for rule in rules],
            "scrape_configs": [{"job_name": "onecode", "static_configs": [{"targets": list(targets)}]}],
        }
        (path / "prometheus.yml").write_text(json.dumps(config), "utf-8")  # JSON is YAML
        flags = [f"--web.console.templates={consoles}"] if consoles else []
        self.log_file = path / "prometheus.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    binary(),
                    f"--config.file={path / 'prometheus.yml'}",
                    f"--storage.tsdb.path={path / 'data'}",
                    "--web.listen-address=127.0.0.1:0",
                    *flags,
                ],
                stdout=log,
                stderr=log,
                cwd=path,
            )
        self.address = ""
        try:
            self.address = self._listens()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()

    def query(self, expression: str) -> list[Series]:
        """Return what an expression gives now. Raises ValueError with what Prometheus says of a bad one."""
        found = self.get("/api/v1/query", query=expression)["result"]
        return [Series(one["metric"], float(one["value"][1])) for one in found]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {labels["alertname"] for labels in self.alerts()}

    def alerts(self) -> list[dict[str, str]]:
        """Return the labels of the alerts that fire."""
        return [one.labels for one in self.query('ALERTS{alertstate="firing"}')]

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the API."""
        try:
            with urlopen(f"http://{self.address}{path}?{urlencode(parameters)}", timeout=30) as response:
                return json.load(response)["data"]
        except HTTPError as fault:
            with fault:
                raise ValueError(f"{parameters}: {fault.read().decode()}") from None

    def page(self, name: str, **parameters: str) -> tuple[int, str]:
        """Return the HTTP status and the text of a console page."""
        try:
            with urlopen(f"{self.page_address(name)}?{urlencode(parameters)}", timeout=60) as response:
                return int(response.status), response.read().decode()
        except HTTPError as fault:
            with fault:
                return fault.code, fault.read().decode()

    def page_address(self, name: str) -> str:
        """Return the address of a console page."""
        return f"http://{self.address}/consoles/{name}.html"

    def _listens(self) -> str:
        """Return the address that the system has chosen: the log does not name it, the process's sockets do."""
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and self.process.poll() is None:
            for address in _listening(self.process.pid):
                try:
                    with urlopen(f"http://{address}/-/ready", timeout=10):
                        return address
                except OSError:
                    continue  # it listens, and does not answer yet
            time.sleep(0.1)
        raise AssertionError(f"Prometheus did not start: {self.log_file.read_text('utf-8')[-2000:]}")


def _listening(pid: int) -> list[str]:
    """Return the addresses on which a process listens on loopback (proc_net(5): state 0A)."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(file.readlink()))
        except OSError:
            continue  # it has been closed meanwhile
    rows = (line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:])
    return [
        f"127.0.0.1:{int(row[1].partition(':')[2], 16)}"
        for row in rows
        if row[3] == "0A" and f"socket:[{row[9]}]" in inodes
    ]
