"""README's example of publishing, run as it stands there: what it says is what happens."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.status import Level

from tests.integration.deployment import ONECODE, Deployment, Server

README = Path(__file__).parents[2] / "README.md"


def example(heading: str) -> str:
    """Return the first shell block under a heading."""
    found = re.search(
        rf"^## {heading}$.*?^```sh\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found is not None, heading
    return found[1]


def test_the_published_red_refuses_the_code_that_was_issued_before_it(
    deployment: Deployment, serve: Callable[..., Server]
) -> None:
    server = serve(deployment)
    script = example("Publish a status").replace("127.0.0.1:50051", server.address)
    assert script.count(server.address) == 3
    assert script.index("onecode issue") < script.index("status publish")
    path = f"{Path(ONECODE).parent}{os.pathsep}{os.environ['PATH']}"
    script = f'set -e\n{script}\nprintf %s "$CODE" > code\n'
    asked = ["/bin/sh", "-c", script]
    here = deployment.path.parent
    assert deployment.path == here / "data"
    ran = subprocess.run(asked, cwd=here, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "1 of 1 records published" in ran.stdout
    assert re.search(r"REFUSE.*RED", ran.stdout), ran.stdout
    verdict = server.verify((here / "code").read_bytes()).verdict
    assert (verdict.decision, verdict.level, verdict.reason) == (pb.DECISION_REFUSE, Level.RED, pb.REASON_RED)
    assert verdict.status == pb.STATUS_CURRENT
