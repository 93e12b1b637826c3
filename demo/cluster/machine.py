"""One of the machines: a data directory, and a server on it whose supervisor and children can be killed together."""

import json
import os
import re
import select
import signal
import subprocess
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from demo.brokers.node import HERE, Place, bound_to_parent
from demo.deployment import ONECODE

START_S: Final = 90.0
"""The time for a server's start. Only a computer that is busy with other things takes as long."""
END_S: Final = 20.0
"""The time for an orderly end: the server itself takes 10 s at most for the calls that run."""
PAGE_S: Final = 2.0
"""The time for a page, which is read once a second."""


class MachineFailed(Exception):
    """A server did not start; the message ends with what it logged."""


class Report(NamedTuple):
    """What a server says of its log. ``lag`` is messages, ``confirmed_age_s`` that of the partition that was confirmed
    longest ago, None where one never was; ``digests`` are those of the partitions."""

    stopped: str | None
    fault: str | None
    lag: int
    confirmed_age_s: float | None
    digests: tuple[str, ...]
    differs_from: tuple[str, ...]


class Machine:
    """The machine ``number``, from 1 on. Its server keeps its addresses from one start to the next."""

    def __init__(self, number: int, data_dir: Path, flags: list[str], place: Place = HERE) -> None:
        """``flags`` of ``onecode serve`` say where the log is. ``place`` is where the next start will be."""
        self.number = number
        self.place = place
        self.data_dir = data_dir
        self.address = self.page = f"{place.host}:0"
        self._flags = flags
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers. It ends with the thread that called. Raises MachineFailed."""
        command = [*bound_to_parent(), *self.place.enter, str(ONECODE), "serve", "--data-dir", str(self.data_dir)]
        command += ["--workers", "1"]
        command += ["--listen", self.address, "--metrics", self.page, "--log-level", "error", *self._flags]
        log_file = self.data_dir / "server.log"
        with log_file.open("ab") as log:
            # A session of its own: its processes are killed together, and a terminal's SIGINT does not reach them.
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        line = _first_line(self._process)
        ready = re.match(r"ready grpc=(\S+) metrics=(\S+)", line)
        if ready is None:
            self.kill()
            raise MachineFailed(f"machine {self.number} did not start\n{log_file.read_text('utf-8')[-2000:]}")
        self.address, self.page = ready[1], ready[2]

    @property
    def is_running(self) -> bool:
        """Whether its supervisor is there."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill the supervisor and its children, as a machine that loses its power does."""
        self._signal(signal.SIGKILL)
        self._let_go()

    def end(self) -> None:
        """End the server in order; kill it where it does not end."""
        if self._process is None:
            return
        try:
            if self.is_running:
                self._process.terminate()
                self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def report(self) -> Report | None:
        """Return what the server says of its log, None where it does not answer."""
        try:
            log = self.health()["log"]
            with urlopen(f"http://{self.page}/metrics", timeout=PAGE_S) as answer:
                lag = _lag(str(answer.read(), "utf-8"))
        except (OSError, ValueError, KeyError):
            return None
        return _read(log, lag) if "partitions" in log else None

    def health(self) -> dict[str, Any]:
        """Return what /healthz says. Raises OSError, and ValueError for what is no JSON."""
        with urlopen(f"http://{self.page}/healthz", timeout=PAGE_S) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def _signal(self, number: int) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return

    def _let_go(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _first_line(process: subprocess.Popen[bytes]) -> str:
    if process.stdout is None:
        return ""
    readable, _, _ = select.select([process.stdout], [], [], START_S)
    return process.stdout.readline().decode() if readable else ""


def _read(log: dict[str, Any], lag: int) -> Report:
    parts = list(log["partitions"].values())
    ages = [part["confirmed_age_s"] for part in parts]
    return Report(
        stopped=log["stopped"],
        fault=log["fault"],
        lag=lag,
        confirmed_age_s=None if None in ages else max(ages),
        digests=tuple(part["digest"] for part in parts),
        differs_from=tuple(sorted({one for part in parts for one in part["differs_from"]})),
    )


def _lag(page: str) -> int:
    families = (one for one in text_string_to_metric_families(page) if one.name == "onecode_log_lag_messages")
    return round(sum(sample.value for family in families for sample in family.samples))
