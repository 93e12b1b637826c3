"""The documents: their examples are run as they stand there, and every link leads to a file and a heading."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2

from tests.integration.deployment import ONECODE, Deployment, Server, command, expect

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "clients/*/*.md", "benchmarks/*.md") for path in ROOT.glob(pattern)
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?: \"[^\"]*\")?\)")


def example(document: str, heading: str) -> str:
    """Return the first shell block under a heading."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.search(rf"^## {heading}$.*?^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def run(script: str, here: Path) -> str:
    """Run a shell script in a directory, with the command on its path, and return what it printed."""
    path = f"{Path(ONECODE).parent}{os.pathsep}{os.environ['PATH']}"
    asked = ["/bin/sh", "-c", f"set -e\n{script}"]
    ran = subprocess.run(asked, cwd=here, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_published_red_refuses_the_code_that_was_issued_before_it(
    deployment: Deployment, serve: Callable[..., Server]
) -> None:
    server = serve(deployment)
    script = example("docs/publishing.md", "Publish and look up").replace("127.0.0.1:50051", server.address)
    assert script.count(server.address) == 3
    assert script.index("onecode issue") < script.index("status publish")
    here = deployment.path.parent
    assert deployment.path == here / "data"
    printed = run(f'{script}\nprintf %s "$CODE" > code\n', here)
    assert "1 of 1 records published" in printed
    assert re.search(r"REFUSE.*RED", printed), printed
    verdict = server.verify((here / "code").read_bytes()).verdict
    assert (verdict.decision, verdict.level, verdict.reason) == (
        pb.DECISION_REFUSE,
        status_pb2.LEVEL_RED,
        pb.REASON_RED,
    )
    assert verdict.status == pb.STATUS_CURRENT


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the example makes the region's key with openssl")
def test_the_region_of_the_example_is_added_with_its_key(deployment: Deployment) -> None:
    run(example("docs/regions.md", "Add a region while the server runs"), deployment.path.parent)
    listed = expect(command("trust", "show", "--data-dir", deployment.path))
    assert re.search(r"659000.*k-1", listed), listed


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    for target in _LINK.findall(_without_code(document)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), target
        if anchor:
            assert anchor in set(_anchors(file)), target


def _without_code(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def _anchors(document: Path) -> Iterator[str]:
    """Yield a document's anchors as GitHub makes them of its headings."""
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", _without_code(document), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).lower().replace(" ", "-")
        count = seen[plain] = seen.get(plain, -1) + 1
        yield f"{plain}-{count}" if count else plain
