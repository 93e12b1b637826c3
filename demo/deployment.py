"""A deployment in a temporary directory: made, served and changed by the commands that an operator would use."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

_READY_TIMEOUT_S = 30
ONECODE = Path(sys.executable).with_name("onecode")


class Deployment:
    """A data directory and the server on it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.server = ""
        self.metrics = ""
        self.run("init", "--demo", "--data-dir", str(data_dir))
        self.trust_list: dict[str, Any] = json.loads(self.run("trust", "show", "--json", "--data-dir", str(data_dir)))

    def run(self, *arguments: str) -> str:
        """Run an ``onecode`` command and return what it printed."""
        return subprocess.run([ONECODE, *arguments], check=True, capture_output=True, text=True).stdout

    @contextmanager
    def serving(self, *flags: str) -> Iterator[None]:
        """Serve on loopback ports that the system chooses, until the block ends."""
        command = [str(ONECODE), "serve", "--data-dir", str(self.data_dir)]
        command += ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1", "--log-level", "error"]
        command += flags
        log = (self.data_dir / "server.log").open("w", encoding="utf-8")
        with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
            try:
                os.set_blocking(process.stdout.fileno(), False)  # type: ignore[union-attr]
                self.server, self.metrics = _wait_until_ready(process)
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(_READY_TIMEOUT_S)

    def issue(self, region: str, level: str, local_id: str = "") -> bytes:
        """Return a code of a region, made with its issuer key; an opaque one carries no identifier."""
        named = ["--id", local_id] if local_id else []
        shown = self.run("issue", "--data-dir", str(self.data_dir), "--region", region, "--level", level, *named)
        return shown.strip().encode()

    def publish(self, **record: Any) -> None:
        """Publish a status record that takes effect now."""
        file = self.data_dir / "records.ndjson"
        file.write_text(json.dumps({"effective_at": datetime.now(UTC).isoformat(), **record}) + "\n", encoding="utf-8")
        self.run("status", "publish", "--server", self.server, "--file", str(file))

    def suspend(self, host: str, home: str, reason: str) -> str:
        """Report that a host does not recognise a home for two hours, acknowledge it, and return its id."""
        asked = ("--host", host, "--home", home, "--reason", reason, "--until", "+2h")
        report = json.loads(self.run("exception", "report", "--server", self.server, "--json", *asked))
        self.run("exception", "acknowledge", "--server", self.server, report["id"])
        return str(report["id"])

    def withdraw(self, report: str) -> None:
        """End a report before its time."""
        self.run("exception", "withdraw", "--server", self.server, report)

    def entry(self, region: str) -> dict[str, Any]:
        """Return a region's entry of the trust list."""
        return next(entry for entry in self.trust_list["regions"] if entry["code"] == region)

    def issuer_key(self, region: str) -> tuple[str, SigningKey]:
        """Return the key id and the secret key with which a demo region signs, as the region itself would have them."""
        kid = self.entry(region)["keys"][0]["kid"]
        file = next((self.data_dir / "keys").glob(f"{region}.issuer.*.key"))
        return kid, SigningKey(bytes.fromhex(file.read_text(encoding="ascii")))

    def gateway_key(self, fmt: str) -> tuple[str, bytes]:
        """Return the key id and the public key (32 bytes) of translations into a format."""
        key = next(key for key in self.entry("000000")["keys"] if key.get("format") == fmt)
        return key["kid"], bytes.fromhex(key["public_key"])

    @contextmanager
    def without_store(self) -> Iterator[None]:
        """Take the store's file away, as a lost volume would, and put it back."""
        file, away = self.data_dir / "store" / "data.mdb", self.data_dir / "store" / "away.mdb"
        file.rename(away)
        try:
            yield
        finally:
            away.rename(file)


def _wait_until_ready(process: subprocess.Popen[str]) -> tuple[str, str]:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        line = process.stdout.readline() if process.stdout else ""
        if ready := re.match(r"ready grpc=(\S+) metrics=(\S+)", line):
            return ready[1], ready[2]
        time.sleep(0.05)
    raise RuntimeError("the server did not start")
