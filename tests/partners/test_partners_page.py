"""The page for partners is walked from an empty folder: its commands are run and its files written as they stand there.

Programs are built by the toolchains that are here, with the packages of their registries. The clone of the repository
is the part of it that partners use.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import ONECODE
from tests.integration.served_page import served
from tests.partners.page import blocks, files
from tests.partners.programs import ROOT

ADDRESS = "localhost:50051"
PREPARE = "A server to try runs on your machine"
ANSWERS, REFUSAL = blocks(PREPARE, "text")
BUILD_S = 900
"""A build from nothing fetches and compiles gRPC, on a busy machine."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(BUILD_S)]
TOOLS = os.pathsep.join([str(Path(ONECODE).parent), os.environ["PATH"]])
AWAY = re.compile(
    r"no such host|dial tcp|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|Temporary failure in name resolution"
    r"|Failed to establish a new connection|Could not transfer artifact|Unknown host"
)
"""What Go, npm, pip and Maven say where their registry cannot be reached."""


class Folder(NamedTuple):
    """The partner's folder, the address of the server for it, and that of a later one."""

    here: Path
    address: str
    later: str

    def write(self, heading: str) -> None:
        """Write the files under a heading."""
        for name, content in files(heading).items():
            file = self.here / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")

    def build(self, script: str) -> None:
        """Run commands that fetch and build; skip where a registry is out of reach."""
        ran = shell(script, self.here, of_a_partner=True)
        if ran.returncode and (away := AWAY.search(ran.stdout + ran.stderr)):
            pytest.skip(f"a registry of packages cannot be reached: {away[0]}")
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def run(self, script: str, address: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a program of the page against the server, or another one."""
        assert ADDRESS in script, script
        return shell(script.replace(ADDRESS, address or self.address), self.here, of_a_partner=True)

    def expect_as_the_page_says(self, script: str) -> None:
        """Fail unless a program prints the verdicts of the page, for a bad host the page's message, and CHECK for what
        only a later server says."""
        ran = self.run(script)
        assert (ran.stdout, ran.returncode) == (ANSWERS, 0), ran.stderr
        refused = self.run(script.replace(" 440000 ", " 42 "))
        assert (refused.stdout, refused.stderr, refused.returncode) == ("", REFUSAL, 1)
        unknown = self.run(script, self.later)
        assert re.fullmatch(r"(CHECK (99|UNRECOGNIZED)\n){3}", unknown.stdout), (unknown.stdout, unknown.stderr)


def shell(script: str, here: Path, *, of_a_partner: bool = False) -> "subprocess.CompletedProcess[str]":
    """Run a shell script in a directory. A partner's programs find no module of this repository by a variable."""
    hidden = ("PYTHON", "ONECODE") if of_a_partner else ()
    given = {name: value for name, value in os.environ.items() if not name.startswith(hidden or "ONECODE_")}
    return subprocess.run(
        ["/bin/sh", "-c", f"set -e\n{script}"],
        cwd=here,
        env=given | {"PATH": TOOLS, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skip a test where a tool is not installed."""
    missing = [tool for tool in tools if shutil.which(tool, path=TOOLS) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what an operator would have sent, and codes."""
    here = tmp_path_factory.mktemp("partner")
    for part in ("protos", "clients/python"):
        unneeded = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "released")
        shutil.copytree(ROOT / part, here / "onecode" / part, ignore=unneeded)
    clone, prepare, _ = blocks(PREPARE)
    assert clone.split("\n", 1)[0].startswith("git clone REPOSITORY onecode ")
    made = shell(prepare, here)
    assert made.returncode == 0, made.stderr
    return here


@contextmanager
def later_server(here: Path) -> Iterator[str]:
    """Serve with the certificates of the page's server, answer with values that no stub has, and yield the address."""
    unknown = pb.Verdict.FromString(b"\x08\x63\x10\x63\x18\x63\x30\x63")
    assert {unknown.decision, unknown.level, unknown.authenticity, unknown.reason} == {99}
    answer = pb.VerifyResponse(verdict=unknown).SerializeToString()
    handlers: dict[str, Any] = {"Verify": grpc.unary_unary_rpc_method_handler(lambda request, context: answer)}
    own = [((here / "server.key").read_bytes(), (here / "server.crt").read_bytes())]
    security = grpc.ssl_server_credentials(own, (here / "ca.crt").read_bytes(), require_client_auth=True)
    server = grpc.server(ThreadPoolExecutor(2))
    service = grpc.method_handlers_generic_handler("onecode.v1.RecognitionService", handlers)
    server.add_generic_rpc_handlers((service,))
    port = server.add_secure_port("localhost:0", security)
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(scope="module")
def folder(prepared: Path) -> Iterator[Folder]:
    """The same with the server of the page, on a port that the system chooses."""
    with served(blocks(PREPARE)[2], prepared, TOOLS) as (calls, _), later_server(prepared) as later:
        yield Folder(prepared, f"localhost:{calls.rpartition(':')[2]}", later)


@pytest.fixture(scope="module")
def python(folder: Folder) -> Folder:
    """The folder with the page's installation of the Python package."""
    folder.write("Python")
    folder.build(blocks("Python")[0])
    return folder


def test_a_first_code_in_python(python: Folder) -> None:
    python.expect_as_the_page_says(blocks("Python")[1])


def test_our_program_runs_from_the_same_installation(python: Folder) -> None:
    (script,) = blocks("Our program needs no code of yours")
    ran = python.run(script)
    lines = [line.split("\t")[1:4:2] for line in ran.stdout.splitlines()]
    assert lines == [["ADMIT", "GREEN"], ["REFUSE", "RED"], ["REFUSE", "FORMAT_UNKNOWN"]], ran.stderr


def test_codes_are_checked_without_a_server(python: Folder) -> None:
    heading = "Codes are checked without a server too"
    python.write(heading)
    (script,), (answers,) = blocks(heading), blocks(heading, "text")
    assert python.run(script).stdout == answers
    assert '"version"' in (python.here / "trust-list-version").read_text(encoding="utf-8")


@needs("go", "buf")
def test_a_first_code_in_go(folder: Folder) -> None:
    build, use = blocks("Go")
    folder.write("Go")
    folder.build(build)
    folder.expect_as_the_page_says(use)
    assert shell("gofmt -l main.go", folder.here / "gate-go").stdout == ""


@needs("mvn", "javac")
def test_a_first_code_in_java(folder: Folder) -> None:
    build, use = blocks("Java")
    folder.write("Java")
    folder.build(build)
    folder.expect_as_the_page_says(use)


@needs("node", "npm", "buf")
def test_a_first_code_in_typescript(folder: Folder) -> None:
    build, use = blocks("TypeScript")
    folder.write("TypeScript")
    folder.build(build)
    folder.expect_as_the_page_says(use)


@needs("openssl")
def test_a_certificate_for_the_request_of_the_page_is_a_partners(folder: Folder, tmp_path: Path) -> None:
    (request,) = blocks("The operator gives you a certificate or a token")
    pki = folder.here / "pki"
    sign = f"openssl x509 -req -in acme.csr -CA {pki}/ca.crt -CAkey {pki}/ca.key -copy_extensions copy -out acme.crt"
    made = shell(f"{request}{sign}\n", tmp_path)
    assert made.returncode == 0, made.stderr
    for kept in ("ca.crt", "codes.txt"):
        shutil.copy(folder.here / kept, tmp_path)
    (script,) = blocks("Our program needs no code of yours")
    ours = script.replace("gate-py/bin/onecode-partner", f"'{sys.executable}' -m onecode_client")
    ran = shell(ours.replace(ADDRESS, folder.address), tmp_path)
    assert ran.stdout.startswith("1\tADMIT\t"), ran.stderr
