"""deploy/compose.yaml: read as Docker Compose reads it, closed; what its services run is run here, in their order."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificate

from tests.deploy_files import DEPLOY, ROOT, compose, program, services
from tests.dockerfile import environment
from tests.integration.deployment import LOOPBACK, ONECODE, Deployment, Server, command, expect

ENDS_ONCE = {"certificates", "data"}
"""The services that prepare, and end."""
PLACES = ("/pki", "/tls", "/ops", "/callers", "/data")


def read(file: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Read a Compose file by Compose's own library."""
    asked, given = [program("compose-config"), str(file)], os.environ | variables
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, env=given, check=False)


def test_compose_reads_it() -> None:
    file = read(DEPLOY / "compose.yaml", GRAFANA_PASSWORD="secret")
    assert file.returncode == 0, file.stderr
    found: dict[str, Any] = json.loads(file.stdout)
    assert found["services"].keys() == services().keys()
    assert found["services"]["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "secret"


@pytest.mark.parametrize(
    ("said", "mistaken"),
    [("mem_limit: 2g", "mem_limt: 2g"), ("tls:/tls:ro", "tsl:/tls:ro"), ("service_healthy", "service_helthy")],
)
def test_compose_refuses_a_mistake(tmp_path: Path, said: str, mistaken: str) -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    assert said in text
    (tmp_path / "compose.yaml").write_text(text.replace(said, mistaken), encoding="utf-8")
    assert read(tmp_path / "compose.yaml", GRAFANA_PASSWORD="secret").returncode == 1


def test_there_is_no_password_that_everybody_knows() -> None:
    refused = read(DEPLOY / "compose.yaml", GRAFANA_PASSWORD="")
    assert refused.returncode == 1
    assert "GRAFANA_PASSWORD" in refused.stderr


def test_every_service_is_confined_and_bounded() -> None:
    for name, service in services().items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert {"mem_limit", "pids_limit"} <= service.keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        if name in ENDS_ONCE:
            assert service["network_mode"] == "none"
            assert "ports" not in service
        else:
            assert service["restart"] == "unless-stopped"
            assert name == "onecode" or "test" in service["healthcheck"]  # its image has one
        assert ("cap_add" in service) == (name == "certificates")


def test_the_key_of_the_authority_is_seen_by_nobody_who_serves() -> None:
    see = {name for name, service in services().items() if any(one.startswith("pki:") for one in service["volumes"])}
    assert see == {"certificates"}
    assert {volume for volume, options in compose()["volumes"].items() if options} == set()


class Host:
    """A directory in place of the volumes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for place in PLACES[:-1]:
            (path / place.lstrip("/")).mkdir()

    def placed(self, text: str) -> str:
        """Return a text with the places of the volumes here."""
        for place in PLACES:
            text = re.sub(rf"(?<![\w/]){place}(?=[/\s\"']|$)", f"{self.path}{place}", text, flags=re.MULTILINE)
        return text

    def run(self, service: str) -> None:
        """Run what a service runs that ends. Users are not changed here."""
        self.run_lines(service, None)

    def run_lines(self, service: str, lines: int | None) -> None:
        """Run the first lines, as where its container is ended after them."""
        shell, option = services()[service]["entrypoint"]
        (script,) = services()[service]["command"]
        script = "".join(script.splitlines(keepends=True)[:lines])
        script = re.sub(r"^chown .*\n", "", self.placed(script), flags=re.MULTILINE)
        path = f"{Path(ONECODE).parent}{os.pathsep}{os.environ['PATH']}"
        subprocess.run([shell, option, script], check=True, timeout=100, env=os.environ | {"PATH": path})

    def variables(self) -> dict[str, str]:
        """Return the variables of the server."""
        given = environment() | services()["onecode"]["environment"]
        return {name: self.placed(value) for name, value in given.items()}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    """What the services that end have made, each run twice, as they are at each start."""
    made = Host(tmp_path_factory.mktemp("compose"))
    for service in ("certificates", "data"):
        made.run(service)
        before = _contents(made.path)
        made.run(service)
        assert _contents(made.path) == before
    return made


def test_certificates_whose_making_was_interrupted_are_made_anew(host: Host, tmp_path: Path) -> None:
    again = Host(tmp_path)
    again.run_lines("certificates", -1)  # all but the mark that says so
    (tmp_path / "pki" / "authority" / "ca.crt").unlink()  # as after a kill between the authority's files
    again.run("certificates")
    whole = {file.relative_to(host.path) for file in _contents(host.path)}
    made = {file.relative_to(tmp_path) for file in _contents(tmp_path)}
    assert made == {file for file in whole if file.parts[0] != "data"}
    authority = load_pem_x509_certificate((tmp_path / "tls" / "ca.crt").read_bytes())
    for file in ("tls/tls.crt", "tls/health.crt", "ops/ops.crt", "callers/gate-7.crt"):
        load_pem_x509_certificate((tmp_path / file).read_bytes()).verify_directly_issued_by(authority)


def test_a_data_directory_whose_making_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    again = Host(tmp_path)
    again.run_lines("data", -1)
    (left,) = (tmp_path / "data").iterdir()
    (left / "root.pub").unlink()  # as after a kill while init runs: it writes this file last
    again.run("data")
    assert [made.name for made in (tmp_path / "data").iterdir()] == ["onecode"]
    assert (tmp_path / "data" / "onecode" / "root.pub").exists()


@pytest.fixture(scope="module")
def served(host: Host) -> Iterator[Server]:
    """The server, on loopback."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in host.variables().items():
            patch.setenv(name, value)
        running = Server(Deployment(host.path / "data" / "onecode"), *LOOPBACK)
    try:
        yield running
    finally:
        assert running.end(signal.SIGTERM) == 0


def test_the_server_serves_and_its_health_check_passes(host: Host, served: Server) -> None:
    variables = host.variables() | {"ONECODE_SERVER": served.address}
    assert expect(command("health", **variables)) == "SERVING\n"


def test_the_first_call_of_the_page_is_answered(host: Host, served: Server) -> None:
    page = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"compose\.yaml exec onecode sh -c '(.*?)'$", page, re.DOTALL | re.MULTILINE)
    path = f"{Path(ONECODE).parent}{os.pathsep}{os.environ['PATH']}"
    variables = os.environ | host.variables() | {"ONECODE_SERVER": served.address, "PATH": path}
    asked = ["sh", "-ec", host.placed(script)]
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=60, env=variables, check=False)
    assert "ADMIT" in ran.stdout, ran.stderr


def _contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}
