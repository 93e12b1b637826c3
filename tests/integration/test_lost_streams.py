"""A standard stream that is closed, full, or of an encoding that lacks characters: one clear line, and no harm."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.deployment import ONECODE, Deployment, Ended, Server, command


def in_shell(line: str, deployment: Deployment, **environment: str) -> Ended:
    """Run a line of shell, with the command as ``$O`` and the data directory as ``$D``."""
    given = os.environ | {"O": ONECODE, "D": str(deployment.path)} | environment
    run = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=100, env=given, check=False)
    return Ended(run.returncode, run.stdout, run.stderr)


@pytest.mark.parametrize("asked", ["trust show", "trust show --json", "audit show"])
def test_a_full_disk_under_the_output_is_one_line(deployment: Deployment, asked: str):
    ended = in_shell(f"$O {asked} --data-dir $D >/dev/full", deployment)
    assert (ended.status, ended.err) == (1, "onecode: standard output: No space left on device\n")


@pytest.mark.parametrize("asked", ["--version", "--help"])
def test_even_help_says_that_it_could_not_be_written(made: Deployment, asked: str):
    ended = in_shell(f"$O {asked} >/dev/full", made)
    assert (ended.status, ended.err) == (1, "onecode: standard output: No space left on device\n")


def test_whoever_reads_no_further_ends_a_command_without_a_word(made: Deployment):
    line = "{ $O issue --data-dir $D --region 110000 --level RED --count 20000; echo $? >&2; } | head -n 1"
    ended = in_shell(line, made)
    assert ended.out.startswith("NC1:")
    assert ended.err == "1\n"


@pytest.mark.parametrize("asked", ["issue --region 420000 --level RED", "trust show", "trust show --json"])
def test_a_closed_standard_output_is_nobody_reading(made: Deployment, asked: str):
    assert in_shell(f"$O {asked} --data-dir $D >&-", made) == Ended(0, "", "")


def test_no_file_of_a_server_takes_the_place_of_a_closed_stream(deployment: Deployment, serve: Callable[..., Server]):
    """Else what a library writes to standard error would land in the store."""
    server = serve(deployment, closed="<&- 2>&-")
    opened = {number: Path(f"/proc/{server.process.pid}/fd/{number}").readlink() for number in (0, 2)}
    assert opened == {0: Path(os.devnull), 2: Path(os.devnull)}
    assert server.end() == 0


def test_a_terminal_without_chinese_is_shown_the_rest(made: Deployment):
    ended = command("trust", "show", "--data-dir", made.path, PYTHONIOENCODING="latin-1")
    assert (ended.status, ended.err) == (0, "")
    assert r"\u7eff\u7801 = GREEN" in ended.out
