"""What the demonstration of a cluster reads and shows, and how it ends where there are no brokers."""

import subprocess
import sys
from pathlib import Path

import pytest

from demo.cluster import keys, screen
from demo.cluster.machine import Report


def test_where_java_is_missing_one_line_says_so(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "demo.cluster"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={"PATH": str(tmp_path)},
        timeout=100,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr == "Java is not installed: no brokers can be run\n"


def test_a_script_is_read_or_its_mistake_named():
    assert keys.read_script("b 5 r 2.5 q") == ["b", 5.0, "r", 2.5, "q"]
    for wrong in ("x", "bp", "-1", "601", "1.2.3"):
        with pytest.raises(ValueError, match="is neither one of b, p, s, r, q nor a number of seconds"):
            keys.read_script(wrong)


def report(digest="a", differs_from=()):
    return Report(None, None, 0, 0.5, (digest,) * 13, differs_from)


def test_digests_are_compared_with_those_that_most_machines_show():
    assert screen.compared([report(), report(), report()]) == ["equal"] * 3
    assert screen.compared([report(), report("b"), report()]) == ["equal", "catching up", "equal"]
    assert screen.compared([report(), None, report(differs_from=("id",))]) == ["equal", "-", "DIFFERENT"]
