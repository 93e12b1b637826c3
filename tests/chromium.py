"""Chromium without a window (Debian's package chromium). Tests that need it skip where it is missing."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

SETTLED_MS: Final = 10_000
"""Time of the page's own clock, which runs as fast as it can while nothing is waited for, until a page is read."""
END_S: Final = 60
"""Only a machine that is busy with other things takes as long."""


def binary() -> str:
    """Return the command, or skip the test."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed (Debian's package chromium)")
    return found


def document(address: str, profile: Path) -> str:
    """Return the HTML of a page once its scripts have run."""
    return _run(profile, "--dump-dom", address)


def screenshot(address: str, profile: Path, picture: Path, width: int = 1280, height: int = 900) -> None:
    """Draw a page into a PNG file."""
    _run(profile, f"--screenshot={picture}", f"--window-size={width},{height}", "--hide-scrollbars", address)


def _run(profile: Path, *arguments: str) -> str:
    """Run it with a profile of its own, and end all of its processes with it: they are a group."""
    flags = [
        "--headless",
        "--no-sandbox",  # tests may run as root, whom the sandbox refuses
        "--disable-gpu",
        "--disable-background-networking",
        f"--user-data-dir={profile}",
        f"--virtual-time-budget={SETTLED_MS}",
    ]
    process = subprocess.Popen(
        [binary(), *flags, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=END_S)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 0, said
    return out
