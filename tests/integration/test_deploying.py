"""The pages about deploying: their commands are run as they stand there, on either front, and their ids are ids."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.identity import spiffe_id
from onecode_server.model.identity import Role
from onecode_server.settings.config import Settings

from tests.fronts import IS_BUILT
from tests.integration.deployment import ONECODE, START_S, eventually, free_port
from tests.integration.served_page import served

ROOT = Path(__file__).parents[2]
PAGES = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("deploying.md", "certificates.md"))
TOOLS = os.pathsep.join([str(Path(ONECODE).parent), str(ROOT / "clients" / "go" / "bin"), os.environ["PATH"]])
UNIT, SETTINGS = ROOT / "deploy" / "onecode.service", ROOT / "deploy" / "onecode.toml"
EXPOSURE_MAX = 1.1
"""What the page says of the unit."""


def needs(tool: str) -> pytest.MarkDecorator:
    """Skip a test where a tool is not installed."""
    return pytest.mark.skipif(shutil.which(tool, path=TOOLS) is None, reason=f"{tool} is not installed")


def blocks(heading: str, kind: str = "sh") -> list[str]:
    """Return the blocks of a kind under a heading."""
    section = re.search(rf"^## {heading}$(.*?)(?=^##? |\Z)", PAGES, re.DOTALL | re.MULTILINE)
    assert section is not None, heading
    return re.findall(rf"^```{kind}\n(.*?)^```$", section[1], re.DOTALL | re.MULTILINE)


class Trial(NamedTuple):
    """The directory of the trial, and the server in it."""

    here: Path
    address: str
    page: str

    def run(self, script: str) -> str:
        """Run commands of the page, and return what they wrote."""
        script = script.replace("127.0.0.1:50051", self.address).replace("127.0.0.1:9464", self.page)
        return run(script, self.here)

    def call(self, tool: str) -> str:
        """Run the block about the first calls whose last command is a tool's, and return what it wrote."""
        (script,) = (
            block for block in blocks("The first calls show that it works") if re.search(rf"^{tool} ", block, re.M)
        )
        return self.run(script)


def run(script: str, here: Path) -> str:
    """Run a shell script in a directory; return what it wrote, on standard error too."""
    ran = subprocess.run(
        ["/bin/sh", "-c", f"set -e\n{script}"],
        cwd=here,
        env=os.environ | {"PATH": TOOLS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the trial."""
    here = tmp_path_factory.mktemp("deploying")
    run(blocks("A trial needs one machine")[0], here)
    (here / "protos").symlink_to(ROOT / "protos")
    return here


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("native", marks=pytest.mark.skipif(not IS_BUILT, reason="the native front was not built")),
        "grpc",
    ],
)
def trial(made: Path, request: pytest.FixtureRequest) -> Iterator[Trial]:
    """The server of the page, on ports that the system chooses."""
    with served(blocks("A trial needs one machine")[1], made, TOOLS, "--front", request.param) as addresses:
        yield Trial(made, *addresses)


@needs("openssl")
def test_openssl_verifies_the_server_and_speaks_tls_1_3(trial: Trial) -> None:
    said = trial.call("openssl")
    assert re.search(r"^Verification: OK$", said, re.M), said
    assert re.search(r"^Protocol version: TLSv1\.3$", said, re.M), said


def test_a_scanner_is_answered_and_so_is_a_gateway_that_carries_its_token(trial: Trial) -> None:
    said = trial.call("onecode verify")
    assert said.count("ADMIT") == 2, said


@needs("grpcurl")
def test_grpcurl_gets_a_verdict(trial: Trial) -> None:
    assert '"decision": "DECISION_ADMIT"' in trial.call("grpcurl")


@needs("onecode-verify")
def test_the_client_in_go_gets_a_verdict(trial: Trial) -> None:
    assert trial.call("onecode-verify").startswith("ADMIT")


@needs("curl")
def test_curl_gets_the_pages_for_operations(trial: Trial) -> None:
    said = trial.call("curl")
    assert '"serving": true' in said
    assert "# TYPE grpc_server_handled_total counter" in said


@needs("prometheus")
@needs("promtool")
def test_prometheus_reads_the_server_and_knows_the_rules(trial: Trial, tmp_path: Path) -> None:
    script, *_ = blocks("Prometheus reads metrics and knows the rules")
    prepare, _, start = script.rpartition("\nprometheus ")
    for name in ("pki", "ops.crt", "ops.key"):
        (tmp_path / name).symlink_to(trial.here / name)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    run(prepare.replace("/127.0.0.1:9464/", f"/{trial.page}/"), tmp_path)
    address = f"127.0.0.1:{free_port()}"
    log = tmp_path / "prometheus.log"
    with (
        log.open("wb") as to,
        subprocess.Popen(
            ["/bin/sh", "-c", f"exec prometheus {start.strip()} --web.listen-address={address}"],
            cwd=tmp_path,
            stdout=to,
            stderr=to,
        ) as process,
    ):
        try:
            eventually(lambda: ask(address, "query", query='up{job="onecode"} == 1').get("result"), START_S)
            groups = ask(address, "rules")["groups"]
            faults = [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]
            assert faults == []
            alerts = {rule["name"] for group in groups for rule in group["rules"] if rule["type"] == "alerting"}
            assert {"OnecodeDown"} <= alerts
        finally:
            process.terminate()


def ask(address: str, what: str, **parameters: str) -> dict[str, Any]:
    """Return what Prometheus's API says, or nothing while it does not answer."""
    try:
        with urlopen(f"http://{address}/api/v1/{what}?{urlencode(parameters)}", timeout=30) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
            return data
    except OSError:
        return {}


def test_every_spiffe_id_of_the_pages_has_a_role_and_no_role_is_left_out() -> None:
    named = set(re.findall(r"spiffe://onecode\.internal/[a-z0-9/._-]+", PAGES))
    others = {one for one in named if "/spire/" in one or "/server/" in one}
    roles = {spiffe_id.read(one, "onecode.internal").role for one in named - others}
    assert roles == set(Role) - {Role.LOCAL, Role.ANONYMOUS}
    entries = [spiffe for block in blocks("SPIRE issues certificates and tokens") for spiffe in _entries(block)]
    assert {spiffe_id.read(one, "onecode.internal").role for one in entries} == roles


def test_the_settings_file_beside_the_unit_reads(tmp_path: Path) -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    file = tmp_path / SETTINGS.name
    file.write_text(text.replace('"/var/lib/onecode"', f'"{tmp_path}"'), encoding="utf-8")
    settings = Settings.read({}, {}, file)
    assert settings.serves_tls
    assert not settings.listen.is_loopback
    assert settings.tls_cert == tmp_path / "tls" / "server.crt"
    file.write_text(re.sub(r"^tls_.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE), encoding="utf-8")
    with pytest.raises(Misconfigured, match="others reach it"):
        Settings.read({}, {}, file)


def test_the_unit_gives_a_drain_its_time_and_does_not_repeat_a_mistake() -> None:
    unit = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE))
    assert int(unit["TimeoutStopSec"]) > Settings(Path()).drain_s + 10
    assert (unit["Restart"], unit["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert unit["ExecStart"].split()[1:] == ["serve", "--config", "/etc/onecode/onecode.toml"]


@needs("systemd-analyze")
def test_the_unit_is_as_little_exposed_as_the_page_says(tmp_path: Path) -> None:
    places = {UNIT: tmp_path / "etc/systemd/system", Path("/bin/true"): tmp_path / "opt/onecode/bin"}
    for file, directory in places.items():
        directory.mkdir(parents=True)
        shutil.copy(file, directory / ("onecode" if file.name == "true" else file.name))
    asked = ["systemd-analyze", "security", "--offline=true", f"--root={tmp_path}", "--no-pager", UNIT.name]
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"exposure level for onecode\.service: ([0-9.]+)", ran.stdout)
    if found is None:
        pytest.skip(f"systemd-analyze cannot look at a unit here: {ran.stderr.strip()}")
    assert float(found[1]) <= EXPOSURE_MAX
    assert f"an exposure of {EXPOSURE_MAX}" in PAGES


def _entries(block: str) -> list[str]:
    given = re.findall(r"-spiffeID (\S+)", block)
    return [one for one in given if "/server/" not in one]
