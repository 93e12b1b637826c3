"""What the Dockerfile runs, run here: no engine is needed to see that it says what is meant."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.settings.config import Settings

from tests.dockerfile import DOCKERFILE, Instruction, environment, stages
from tests.integration.deployment import ONECODE, Deployment, Ended, command, expect, free_port
from tests.proxies import CountingProxy

COMPILED = (
    "onecode_server.crypto._kernel",
    "onecode_server.codes.encodings._columns",
    "onecode_server.codes.encodings._rows",
    "onecode_server.rpc._front",
)
BUILT = all(find_spec(part) for part in COMPILED)


def last(keyword: str) -> Instruction:
    """Return the last instruction with a keyword, the one that counts."""
    return next(one for one in reversed(stages()[-1]) if one.keyword == keyword)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the head of the Dockerfile asks for."""
    path = tmp_path_factory.mktemp("image") / "tls"
    expect(command("certs", "init", path))
    expect(command("certs", "issue", path, "--server", "localhost", "--out", path / "tls"))
    expect(command("certs", "issue", path, "--role", "gateway", "--name", "health", "--out", path / "health"))
    return path


def placed(tls: Path, data: Path, **other: str) -> dict[str, str]:
    """Return the variables of the image, with its directories here, and loopback in place of all addresses."""
    places = {"/tls/": f"{tls}/", "/data": str(data), "0.0.0.0:": "127.0.0.1:"}
    placed = {}
    for name, value in environment().items():
        for image, here in places.items():
            value = value.replace(image, here)  # noqa: PLW2901 - several in turn
        placed[name] = value
    return placed | other


@contextmanager
def running(variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run what the image runs, until the block ends."""
    program = [*last("ENTRYPOINT").program(), *last("CMD").program()]
    assert program.pop(0) == "onecode"
    with subprocess.Popen(
        [ONECODE, *program],
        env=os.environ | variables | {"ONECODE_WORKERS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def health(variables: dict[str, str]) -> Ended:
    """Run the health check of the image."""
    program = last("HEALTHCHECK").program()
    assert program.pop(0) == "onecode"
    return command(*program, **variables)


def test_all_base_images_can_be_named_by_digest() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${FRONT_IMAGE}", "${BUILD_IMAGE}", "${RUN_IMAGE}"]
    assert re.findall(r"^ARG (\w+)=", text, re.MULTILINE) == ["FRONT_IMAGE", "BUILD_IMAGE", "RUN_IMAGE"]


def test_it_runs_as_a_user_of_its_own() -> None:
    (made,) = (one.text for one in stages()[-1] if "useradd" in one.text)
    assert f" {last('USER').text} " in made
    assert "--uid 10001" in made


@pytest.mark.skipif(not BUILT, reason="the kernels or the native front were not built")
@pytest.mark.parametrize("part", COMPILED)
def test_it_is_not_built_where_a_compiled_part_is_missing(part: str) -> None:
    (program,) = (one.program()[2] for one in stages()[-1] if one.keyword == "RUN" and "[" in one.text)

    def status(text: str) -> int:
        return subprocess.run([sys.executable, "-c", text], stderr=subprocess.PIPE, check=False).returncode

    assert status(program) == 0
    assert status(f"import sys; sys.modules[{part!r}] = None; {program}") != 0


def test_it_listens_on_all_addresses_and_not_without_tls(tmp_path: Path) -> None:
    variables = environment() | {"ONECODE_DATA_DIR": str(tmp_path)}
    settings = Settings.read({}, variables)
    assert (settings.listen.host, settings.metrics.host) == ("0.0.0.0", "0.0.0.0")
    assert settings.serves_tls
    assert settings.metrics_tls
    for name in ("ONECODE_TLS_CERT", "ONECODE_METRICS_TLS"):
        with pytest.raises(Misconfigured):
            Settings.read({}, variables | {name: ""})


def test_it_does_not_start_without_its_certificate(deployment: Deployment, tmp_path: Path) -> None:
    with running(placed(tmp_path, deployment.path)) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"{tmp_path}/tls.crt: No such file" in said


def test_its_health_check_passes_while_it_serves_and_uses_no_proxy(deployment: Deployment, tls: Path) -> None:
    port = free_port()
    variables = placed(
        tls,
        deployment.path,
        ONECODE_LISTEN=f"127.0.0.1:{port}",
        ONECODE_METRICS="127.0.0.1:0",
        ONECODE_SERVER=f"localhost:{port}",
    )
    with CountingProxy() as proxy, running(variables) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        assert expect(health(variables | proxy.environment)) == "SERVING\n"
        stranger = health(variables | {"ONECODE_TLS_CLIENT_CERT": "", "ONECODE_TLS_CLIENT_KEY": ""})
        assert stranger.status == 1, stranger
        assert proxy.asked == []
    assert health(variables).status == 1
