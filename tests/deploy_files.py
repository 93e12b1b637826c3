"""What deploy/ says, as data: manifests as kustomize renders them, the Compose file, the unit, the image."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from tests.dockerfile import stages

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
KUBERNETES: Final = DEPLOY / "kubernetes"
SCHEMAS: Final = ROOT / "build" / "schemas"
"""What ``make schemas`` has brought."""
_PATH: Final = os.pathsep.join([str(SCHEMAS / "bin"), os.environ["PATH"]])

Mapping = dict[str, Any]


def read_yaml(text: str) -> list[Any]:
    """Return the documents of a text. Skips the test without PyYAML."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return list(yaml.safe_load_all(text))


def program(name: str) -> str:
    """Return a program of ``make schemas`` or of the machine, or skip the test."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not here: make schemas brings it")
    return found


def rendered_text(directory: Path = KUBERNETES) -> str:
    """Return what kustomize makes of a directory."""
    kustomize = shutil.which("kustomize", path=_PATH)
    command = [kustomize, "build"] if kustomize else [program("kubectl"), "kustomize"]
    ran = subprocess.run([*command, directory], capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@cache
def resources() -> list[Mapping]:
    """Return all resources of deploy/kubernetes."""
    return read_yaml(rendered_text())


def resource(kind: str, name: str = "onecode") -> Mapping:
    """Return one of them."""
    (found,) = (one for one in resources() if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def pod() -> Mapping:
    """Return the pod of the server, as the StatefulSet makes it."""
    template: Mapping = resource("StatefulSet")["spec"]["template"]
    return template


def container(name: str) -> Mapping:
    """Return a container of the pod, one that begins before the server or the server."""
    spec = pod()["spec"]
    (found,) = (one for one in (*spec["initContainers"], *spec["containers"]) if one["name"] == name)
    return dict(found)


def pod_settings() -> tuple[dict[str, str], str]:
    """Return the variables that the pod adds to those of the image, and the text of its settings file."""
    given = {one["name"]: one["value"] for one in container("onecode")["env"]}
    (settings,) = (one for one in resources() if one["kind"] == "ConfigMap")
    return given, settings["data"]["onecode.toml"]


@cache
def compose() -> Mapping:
    """Return the Compose file, with its merge keys resolved."""
    (found,) = read_yaml((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return dict(found)


def services() -> dict[str, Mapping]:
    """Return the services of the Compose file."""
    return dict(compose()["services"])


def unit() -> dict[str, str]:
    """Return the settings of the unit for systemd."""
    text = (DEPLOY / "onecode.service").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def exposed() -> set[int]:
    """Return the ports that the image exposes."""
    (ports,) = (one.text for one in stages()[-1] if one.keyword == "EXPOSE")
    return set(map(int, ports.split()))


def image_user() -> int:
    """Return the number of the user as whom the image runs."""
    (made,) = (one.text for one in stages()[-1] if "useradd" in one.text)
    found = re.search(r"--uid (\d+)", made)
    assert found is not None
    return int(found[1])


def seconds(duration: str) -> float:
    """Return a duration of Compose, such as ``25s``."""
    found = re.fullmatch(r"(\d+)s", duration)
    assert found is not None, duration
    return float(found[1])
