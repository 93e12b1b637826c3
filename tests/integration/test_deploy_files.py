"""The image, Compose, Kubernetes, the unit and the settings say the same: ports, users, settings, files and times."""

import re
import tomllib
from pathlib import Path

import pytest

from onecode_server.settings.config import Settings
from onecode_server.settings.values import address

from tests.deploy_files import (
    DEPLOY,
    ROOT,
    compose,
    container,
    exposed,
    image_user,
    pod,
    pod_settings,
    resource,
    seconds,
    services,
    unit,
)
from tests.dockerfile import environment, stages

DRAIN_S = Settings(Path()).drain_s
CLOSING_S = 5
"""The time in which a worker that does not end is killed (``workers.supervisor.CLOSING_S``)."""


def test_all_know_the_same_two_ports() -> None:
    usual = Settings(Path())
    image = environment()
    variables = {address(image[name]).port for name in ("ONECODE_LISTEN", "ONECODE_METRICS")}
    file = tomllib.loads((DEPLOY / "onecode.toml").read_text(encoding="utf-8"))
    pods = {one["containerPort"]: one["name"] for one in container("onecode")["ports"]}
    assert exposed() == variables == {usual.listen.port, usual.metrics.port} == pods.keys()
    assert {address(file[name]).port for name in ("listen", "metrics")} == exposed()
    for name in ("onecode", "onecode-servers"):
        ports = resource("Service", name)["spec"]["ports"]
        assert {one["port"]: one["targetPort"] for one in ports} == pods
        assert all(one["name"] == one["targetPort"] for one in ports)
    published = [one.split(":") for one in services()["onecode"]["ports"]]
    assert {int(inner) for _, outer, inner in published if outer == inner} == exposed()
    assert {host for host, *_ in published} == {"127.0.0.1"}


def test_all_run_as_the_user_of_the_image() -> None:
    user = image_user()
    security = pod()["spec"]["securityContext"]
    assert {security[name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {user}
    assert "user" not in services()["onecode"]
    assert "user" not in services()["data"]
    assert re.search(rf"^chown -R {user}:{user} /tls ", _certificates(), re.MULTILINE)


def test_all_run_the_programs_of_the_image() -> None:
    last = {one.keyword: one.program() for one in stages()[-1] if one.keyword in ("ENTRYPOINT", "CMD")}
    assert container("onecode")["args"] == services()["onecode"]["command"] == last["CMD"]
    assert "command" not in container("onecode")
    assert "entrypoint" not in services()["onecode"]
    program, *rest = unit()["ExecStart"].split()
    assert (Path(program).name, rest[0]) == (last["ENTRYPOINT"][0], last["CMD"][0])


@pytest.mark.parametrize("place", ["kubernetes", "compose"])
def test_the_settings_of_a_container_are_settings(place: str, tmp_path: Path) -> None:
    if place == "kubernetes":
        given, file = pod_settings()
        settings_file = tmp_path / "onecode.toml"
        settings_file.write_text(file, encoding="utf-8")
        assert Path(given.pop("ONECODE_CONFIG")) == _mounted("settings") / settings_file.name
        assert Path(given["ONECODE_DATA_DIR"]).parent == _mounted("data")  # never the root of a volume
    else:
        given, settings_file = services()["onecode"]["environment"], None
    settings = Settings.read({}, environment() | given | {"ONECODE_DATA_DIR": str(tmp_path)}, settings_file)
    assert settings.serves_tls
    assert settings.metrics_tls
    assert not settings.insecure_plaintext
    assert settings.workers == 2  # by themselves there would be one for each core of the machine


def test_nothing_is_killed_before_it_has_drained() -> None:
    least_s = DRAIN_S + CLOSING_S
    spec = pod()["spec"]
    begins_s = container("onecode")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > begins_s + least_s
    assert tomllib.loads(pod_settings()[1])["drain_s"] == DRAIN_S
    assert seconds(services()["onecode"]["stop_grace_period"]) > least_s
    assert int(unit()["TimeoutStopSec"]) > least_s


def test_the_files_of_tls_are_those_that_the_image_reads() -> None:
    needed = {Path(value).name for value in environment().values() if value.startswith("/tls/")}
    made = re.findall(r"--out /tls/(\w+)$", _certificates(), re.MULTILINE)
    there = {f"{name}.{end}" for name in made for end in ("crt", "key")} | {"ca.crt"}
    assert there == needed
    assert "cp /pki/authority/ca.crt /tls/ca.crt" in _certificates()
    # cert-manager's Secret has these three; the pod's probe shows no certificate.
    assert {name for name in needed if not name.startswith("health")} == {"ca.crt", "tls.crt", "tls.key"}
    assert {"name": "tls", "mountPath": "/tls", "readOnly": True} in container("onecode")["volumeMounts"]


def test_prometheus_finds_the_files_that_compose_makes() -> None:
    file = DEPLOY / "prometheus" / "prometheus.yml"
    text = file.read_text(encoding="utf-8")
    read = set(re.findall(r"^ +(?:ca|cert|key)_file: tls/(\S+)$", text, re.MULTILINE))
    (name,) = re.findall(r"--out /ops/(\w+)$", _certificates(), re.MULTILINE)
    assert read == {"ca.crt", f"{name}.crt", f"{name}.key"}
    assert "ops:/etc/prometheus/tls:ro" in services()["prometheus"]["volumes"]
    rules = set(re.findall(r"^ +- (onecode\.\w+\.yml)$", text, re.MULTILINE))
    assert {f"./prometheus/{rule}:/etc/prometheus/{rule}:ro" for rule in rules} < set(
        services()["prometheus"]["volumes"]
    )
    assert re.findall(r"targets: \[\"(onecode:\d+)\"\]", text) == ["onecode:9464"]


def test_what_compose_mounts_is_in_the_tree_or_a_volume_of_its_own() -> None:
    for service in services().values():
        for source, target, *_ in (volume.split(":") for volume in service["volumes"]):
            assert Path(target).is_absolute()
            if not source.startswith("."):
                assert source in compose()["volumes"]
            else:
                assert (DEPLOY / source).exists(), source


def test_images_are_pinned_and_ours_has_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = f"onecode:{project['version']}"
    images = {service["image"] for service in services().values()}
    assert ours in images
    assert all(re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image) for image in images), images
    spec = pod()["spec"]
    assert {one["image"] for one in (*spec["initContainers"], *spec["containers"])} == {ours}


def test_the_page_installs_what_the_unit_names() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    program, _, _, config = unit()["ExecStart"].split()
    data_dir = tomllib.loads((DEPLOY / "onecode.toml").read_text(encoding="utf-8"))["data_dir"]
    assert f"python3 -m venv {Path(program).parents[1]}" in page
    assert f"deploy/onecode.toml {config}" in page
    assert Path(data_dir) == Path("/var/lib") / unit()["StateDirectory"]
    assert f"onecode init --data-dir {data_dir}" in page


def _certificates() -> str:
    (script,) = services()["certificates"]["command"]
    return str(script)


def _mounted(volume: str) -> Path:
    (path,) = (one["mountPath"] for one in container("onecode")["volumeMounts"] if one["name"] == volume)
    return Path(path)
