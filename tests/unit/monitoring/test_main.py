"""The command that writes the generated files, as `make dashboards` and `make dashboards-fresh` run it."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_command_writes_what_its_check_then_takes_and_names_what_is_stale(tmp_path):
    def run(*flags):
        command = [sys.executable, "-m", "monitoring", "--out", str(tmp_path), *flags]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert run("--check").returncode == 1
    assert run().returncode == 0
    assert run("--check").returncode == 0
    (tmp_path / "grafana" / "onecode-trust.json").write_text("{}\n")
    stale = run("--check")
    assert stale.returncode == 1
    assert "grafana/onecode-trust.json" in stale.stderr
    assert "grafana/onecode-overview.json" not in stale.stderr
