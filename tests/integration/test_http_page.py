"""docs/http.md and docs/openapi.json: commands are run as they stand there, and the gateway holds what both say."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from onecode.v1 import exceptions_pb2, recognition_pb2, status_pb2, trust_list_pb2

from tests.integration.deployment import Deployment, Server, free_port
from tests.integration.http_gateway import ROOT, gateway, needed
from tests.integration.test_deploying import blocks as deploying
from tests.integration.test_readme import run

PAGE = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
OPENAPI = ROOT / "docs" / "openapi.json"
GO = ROOT / "clients" / "go"
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXCLUDED = "positive_data_acceptance,negative_data_rejection"
"""Regions, times and states have rules that no schema has; proto3's JSON takes null for a member that is left out, and
numbers for values of enums."""


def blocks(heading: str) -> list[str]:
    """Return the shell blocks under a heading."""
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section is not None, heading
    return re.findall(r"^```sh\n(.*?)^```$", section[1], re.DOTALL | re.MULTILINE)


def verdict(printed: str) -> str:
    """Return the decision of an answer."""
    return str(json.loads(printed)["verdict"]["decision"])


@needed
def test_the_first_request_and_the_records_of_the_page_are_answered(
    deployment: Deployment, serve: Callable[..., Server]
) -> None:
    here = deployment.path.parent
    start, ask = blocks("A first request")
    (publish,) = blocks("Records are published one a line")
    server = serve(deployment)
    command = start.splitlines()[-1].partition("&")[0].replace("127.0.0.1:50051", server.address)
    with gateway(here, script=f"{command} --listen 127.0.0.1:0") as http:
        assert verdict(run(ask.replace("127.0.0.1:8080", http.address), here)) == "DECISION_ADMIT"
        *_, last = run(publish.replace("127.0.0.1:8080", http.address), here).splitlines()
    assert json.loads(last) == {"result": {"durable_through": "2", "rejections": []}}


@needed
def test_the_gateway_of_the_page_carries_the_token_of_the_trial(
    deployment: Deployment, serve: Callable[..., Server]
) -> None:
    here = deployment.path.parent
    run(re.sub(r"^onecode init .*\n", "", deploying("A trial needs one machine")[0]), here)
    own = ("--tls-cert", here / "server.crt", "--tls-key", here / "server.key", "--tls-client-ca", here / "pki/ca.crt")
    server = serve(deployment, *own, "--token-keys", here / "pki/jwks.json")
    start, ask = blocks("The gateway carries its callers' tokens")
    made, _, command = start.removesuffix(" &\n").partition("onecode-gateway ")
    run(made, here)
    address = f"127.0.0.1:{free_port()}"
    command = command.replace("127.0.0.1:50051", server.address).replace("127.0.0.1:8443", address)
    with gateway(here, script=f"onecode-gateway {command}"):
        assert verdict(run(ask.replace("127.0.0.1:8443", address), here)) == "DECISION_ADMIT"


def test_the_page_and_the_description_have_every_address_of_the_mapping() -> None:
    rules = yaml.safe_load((GO / "gateway.yaml").read_text("utf-8"))["http"]["rules"]
    described = {
        (path, kind, operation["operationId"].replace("_", "."))
        for path, operations in json.loads(OPENAPI.read_text("utf-8"))["paths"].items()
        for kind, operation in operations.items()
    }
    mapped = {
        (rule[kind], kind, rule["selector"].removeprefix("onecode.v1."))
        for rule in rules
        for kind in ("get", "post")
        if kind in rule
    }
    assert described == mapped
    for path, _, method in mapped:
        assert path.partition("{id}")[0] in PAGE, path
        assert re.search(rf"\| [^|]*\b{method.partition('.')[2]}\b", PAGE), method


def test_every_method_but_one_has_an_address() -> None:
    files = (recognition_pb2, status_pb2, exceptions_pb2, trust_list_pb2)
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    methods = {method.full_name for service in services for method in service.methods}
    rules = yaml.safe_load((GO / "gateway.yaml").read_text("utf-8"))["http"]["rules"]
    assert methods - {rule["selector"] for rule in rules} == {"onecode.v1.RecognitionService.StreamVerify"}


def test_the_page_has_every_reason_of_the_gateway() -> None:
    source = "".join(
        file.read_text("utf-8")
        for file in sorted((GO / "cmd" / "onecode-gateway").glob("*.go"))
        if not file.name.endswith("_test.go")
    )
    given = set(re.findall(r'\b(?:failed|refused|invalid|unauthenticated)\([^"\n]*"([A-Z_]+)"', source))
    section = PAGE.partition("## An error is a google.rpc.Status")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", section))
    assert given == listed
    assert len(given) > 15


def test_the_description_is_what_the_last_build_generated() -> None:
    generated = GO / "onecode" / "openapi.swagger.json"
    if not generated.exists():
        pytest.skip("the Go programs are not built: run 'make go-client' (needs Go)")
    assert OPENAPI.read_text("utf-8") == generated.read_text("utf-8"), "run 'make openapi'"


@needed
@pytest.mark.timeout(600)
@pytest.mark.skipif(not SCHEMATHESIS.exists(), reason="schemathesis is not installed")
def test_answers_to_made_requests_are_as_the_description_says(
    deployment: Deployment, serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(deployment)
    with gateway(tmp_path, "--server", server.address) as http:
        asked = [
            str(SCHEMATHESIS),
            "--no-color",
            "run",
            str(OPENAPI),
            "--url",
            http.url,
            "--phases",
            "coverage,fuzzing",
        ]
        asked += ["--exclude-checks", EXCLUDED, "--max-examples", "20", "--seed", "1", "--continue-on-failure"]
        asked += ["--generation-database", "none", "--suppress-health-check", "all"]
        given = os.environ | {"SCHEMATHESIS_HOOKS": "tests.integration.openapi_lines", "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(asked, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=500, check=False)
        assert ran.returncode == 0, ran.stdout
        assert "11 selected / 11 total" in ran.stdout
        assert re.search(r"Tested: +11\n", ran.stdout), ran.stdout
        assert http.log() == ""
