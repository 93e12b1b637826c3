"""What the Dockerfile runs, run here: no engine is needed to see that it says what is meant."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.deployment import Server
from tests.proxies import CountingProxy

KERNELS = ("onecode_server.crypto._kernel", "onecode_server.codes.encodings._columns")
BUILT = all(find_spec(kernel) for kernel in KERNELS)
DOCKERFILE = (Path(__file__).parents[2] / "Dockerfile").read_text()


def python_of(pattern: str) -> str:
    """Return the program in an exec form that runs Python."""
    (found,) = re.findall(pattern, DOCKERFILE, re.MULTILINE)
    interpreter, flag, program = json.loads(found)
    assert (Path(interpreter).name, flag) == ("python", "-c")
    return str(program)


def status_of(program: str, **environment: str) -> int:
    asked = [sys.executable, "-c", program]
    return subprocess.run(asked, env=os.environ | environment, stderr=subprocess.PIPE, check=False).returncode


def test_both_base_images_can_be_named_by_digest() -> None:
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BUILD_IMAGE}", "${RUN_IMAGE}"]
    assert re.findall(r"^ARG (\w+)=", DOCKERFILE, re.MULTILINE) == ["BUILD_IMAGE", "RUN_IMAGE"]


@pytest.mark.skipif(not BUILT, reason="onecode was installed without a compiler")
@pytest.mark.parametrize("kernel", KERNELS)
def test_it_is_not_built_where_a_kernel_is_missing(kernel: str) -> None:
    program = python_of(r"^RUN (\[.*\])$")
    assert status_of(program) == 0
    assert status_of(f"import sys; sys.modules[{kernel!r}] = None; {program}") != 0


def test_it_asks_after_its_own_health_without_a_proxy(server: Server) -> None:
    program = python_of(r"^HEALTHCHECK .*\\\n *CMD (\[.*\])$")
    with CountingProxy() as proxy:
        assert status_of(program, **proxy.environment, ONECODE_METRICS=server.page) == 0
        assert status_of(program, **proxy.environment, ONECODE_METRICS=server.address) != 0
        assert proxy.asked == []
