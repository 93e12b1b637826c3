"""Programs that are not ours, or not in Python, on the same contract."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, Server

ROOT = Path(__file__).parents[2]
GO_CLIENT = ROOT / "clients" / "go" / "bin" / "onecode-verify"
GRPCURL = shutil.which("grpcurl")


@pytest.mark.skipif(not GO_CLIENT.exists(), reason="the Go client is not built: run 'make go-client' (needs Go)")
def test_a_go_program_on_generated_stubs_verifies_a_code(server: Server, shared: Deployment) -> None:
    code = shared.issue("440000")[0].decode()
    asked = [GO_CLIENT, "--server", server.address, "--host", "420000", code, "no code"]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    good, bad = (line.split() for line in ended.stdout.splitlines())
    assert good[:4] == ["ADMIT", "GREEN", "GREEN", "440000"]
    assert bad[0] == "REFUSE"


@pytest.mark.skipif(GRPCURL is None, reason="grpcurl is not installed")
def test_grpcurl_calls_what_the_protos_say(server: Server) -> None:
    asked = [str(GRPCURL), "-plaintext", "-import-path", str(ROOT / "protos"), "-proto", "onecode/v1/recognition.proto"]
    asked += ["-d", '{"code": "bm8=", "host_region": "420000"}', server.address, "onecode.v1.RecognitionService/Verify"]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
    assert "REASON_FORMAT_UNKNOWN" in ended.stdout
