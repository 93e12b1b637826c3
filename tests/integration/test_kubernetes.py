"""deploy/kubernetes: valid by schema, closed, whole in itself; its scripts and its probe are run as they stand."""

import os
import re
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from onecode_server.system.private_files import is_private

from tests.certificates import Authority
from tests.deploy_files import (
    KUBERNETES,
    SCHEMAS,
    container,
    pod,
    pod_settings,
    program,
    read_yaml,
    rendered_text,
    resource,
    resources,
)
from tests.dockerfile import environment
from tests.integration.deployment import LOOPBACK, ONECODE, Deployment, Server, command, expect

MADE_BEFORE = {("Secret", "onecode-ca"), ("ConfigMap", "onecode-root")}
"""What the page has the reader make."""
MISTAKES = [
    ("fsGroupChangePolicy:", "fsGroupChangePolice:"),
    ("replicas: 1", 'replicas: "1"'),
    ("dnsNames:", "dnsName:"),
    ("maxUnavailable: 1", "maxUnavailble: 1"),
    ("serverName:", "servername:"),
]


def conforms(text: str) -> subprocess.CompletedProcess[str]:
    """Hold resources to the schemas, and refuse fields that those do not name."""
    kubeconform = program("kubeconform")
    location = f"{SCHEMAS}/kubernetes/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    asked = [kubeconform, "-strict", "-summary", "-schema-location", location, "-"]
    return subprocess.run(asked, input=text, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def with_monitoring(tmp_path: Path) -> str:
    """All resources, with those for Prometheus Operator."""
    above = Path("/".join([".."] * (len(tmp_path.parts) - 1))) / str(KUBERNETES).lstrip("/")
    text = f"resources: [{above}]\ncomponents: [{above}/monitoring]\n"
    (tmp_path / "kustomization.yaml").write_text(text, encoding="utf-8")
    return rendered_text(tmp_path)


def test_every_resource_is_as_its_schema_says(with_monitoring: str) -> None:
    checked = conforms(with_monitoring)
    assert checked.returncode == 0, checked.stdout
    assert re.search(
        rf"Valid: {with_monitoring.count('apiVersion: ')}, Invalid: 0, Errors: 0, Skipped: 0", checked.stdout
    )


@pytest.mark.parametrize(("said", "mistaken"), MISTAKES)
def test_the_schemas_notice_a_mistake(with_monitoring: str, said: str, mistaken: str) -> None:
    assert said in with_monitoring
    assert "Invalid: 1" in conforms(with_monitoring.replace(said, mistaken)).stdout


def test_every_container_is_confined_and_bounded() -> None:
    spec = pod()["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    for one in (*spec["initContainers"], *spec["containers"]):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in one["resources"]["limits"]
        assert one["resources"]["requests"].keys() == {"cpu", "memory"}


def test_everything_that_is_named_is_there() -> None:
    there = {(one["kind"], one["metadata"]["name"]) for one in resources()}
    there |= {
        ("Secret", one["spec"]["secretName"]) for one in resources() if one["kind"] == "Certificate"
    } | MADE_BEFORE
    named: set[tuple[str, str]] = {("Service", resource("StatefulSet")["spec"]["serviceName"])}
    spec = pod()["spec"]
    for volume in spec["volumes"]:
        named |= {("ConfigMap", volume["configMap"]["name"])} if "configMap" in volume else set()
        named |= {("Secret", volume["secret"]["secretName"])} if "secret" in volume else set()
    for issued in (one["spec"] for one in resources() if one["kind"] in ("Certificate", "Issuer")):
        named |= {("Issuer", issued["issuerRef"]["name"])} if "issuerRef" in issued else set()
        named |= {("Secret", issued["ca"]["secretName"])} if "ca" in issued else set()
    assert named <= there
    claims = resource("StatefulSet")["spec"]["volumeClaimTemplates"]
    volumes = {one["name"] for one in (*spec["volumes"], *(claim["metadata"] for claim in claims))}
    mounted = {m["name"] for one in (*spec["initContainers"], *spec["containers"]) for m in one["volumeMounts"]}
    assert mounted == volumes


def test_every_resource_is_in_the_namespace_whatever_that_of_kubectl_is(with_monitoring: str) -> None:
    all_of_them = read_yaml(with_monitoring)
    namespace = resource("Namespace")["metadata"]["name"]
    assert {one["kind"] for one in all_of_them if "namespace" not in one["metadata"]} == {"Namespace"}
    assert {one["metadata"].get("namespace", namespace) for one in all_of_them} == {namespace}
    assert len(all_of_them) == len(resources()) + 4  # those of the component


def test_every_selector_finds_the_pod() -> None:
    labels = pod()["metadata"]["labels"].items()
    selectors = [resource("Service", name)["spec"]["selector"] for name in ("onecode", "onecode-servers")]
    selectors += [
        resource(kind)["spec"][field]["matchLabels"]
        for kind, field in (
            ("StatefulSet", "selector"),
            ("PodDisruptionBudget", "selector"),
            ("NetworkPolicy", "podSelector"),
        )
    ]
    selectors.append(pod()["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"])
    assert all(selector and selector.items() <= labels for selector in selectors)


def test_callers_and_prometheus_get_in_by_their_ports_and_nothing_goes_out() -> None:
    policy = resource("NetworkPolicy")["spec"]
    ports = {one["name"] for one in container("onecode")["ports"]}
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == ports
    assert all(rule["from"] for rule in policy["ingress"])  # an empty one is everybody
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert policy["egress"] == []


def test_the_certificate_is_for_each_name_by_which_a_server_is_called(with_monitoring: str) -> None:
    names = resource("Certificate", "onecode-server")["spec"]["dnsNames"]
    namespace = resource("Namespace")["metadata"]["name"]
    for service in ("onecode", "onecode-servers"):
        assert {f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local"} <= set(names)
    assert {f"*.onecode-servers.{namespace}.svc", "localhost"} <= set(names)
    (asked,) = re.findall(r"serverName: (\S+)", with_monitoring)
    assert asked in names


def test_there_is_one_server_for_one_store() -> None:
    assert resource("StatefulSet")["spec"]["replicas"] == 1
    (claim,) = resource("StatefulSet")["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert resource("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """What the Secret holds, for this user alone: no pod's group is at hand."""
    files = tmp_path / "tls"
    files.mkdir()
    authority = Authority()
    leaf = authority.server()
    for name, content in (("ca.crt", authority.pem), ("tls.crt", leaf.chain_pem), ("tls.key", leaf.key_pem)):
        (files / name).write_bytes(content)
        (files / name).chmod(0o400)
    return files


def test_the_server_takes_the_key_as_the_pod_mounts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = pod()["spec"]
    (mode,) = (one["secret"]["defaultMode"] for one in spec["volumes"] if "secret" in one)
    user, group = spec["securityContext"]["runAsUser"], spec["securityContext"]["fsGroup"]
    # With fsGroup, the kubelet gives the files to that group, lets it read them, and leaves them root's.
    mounted = stat.S_IFREG | mode | stat.S_IRGRP
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "getgroups", lambda: [group])
    assert is_private(os.stat_result((mounted, 1, 1, 1, 0, group, 32, 0, 0, 0)))


@pytest.fixture
def served(made: Deployment, tls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with the settings of the pod, on loopback."""
    given, file = pod_settings()
    (tmp_path / "onecode.toml").write_text(file, encoding="utf-8")
    deployment = made.copy_to(tmp_path / "data")
    given |= {"ONECODE_DATA_DIR": str(deployment.path), "ONECODE_CONFIG": str(tmp_path / "onecode.toml")}
    for name, value in (environment() | given).items():
        monkeypatch.setenv(name, value.replace("/tls/", f"{tls}/"))
    running = Server(deployment, *LOOPBACK)
    yield running
    assert running.end() == 0


def test_the_probe_passes_as_the_kubelet_asks(served: Server) -> None:
    probe = container("onecode")["readinessProbe"]["httpGet"]
    ports: dict[str, Any] = {one["name"]: one["containerPort"] for one in container("onecode")["ports"]}
    # The only pod of the service stays among its addresses while any worker serves.
    assert (probe["path"], probe["scheme"], ports[probe["port"]]) == ("/readyz", "HTTPS", 9464)
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE  # the kubelet looks at no certificate, and shows none
    with urlopen(f"https://{served.page}{probe['path']}", context=anybody, timeout=30) as answer:
        assert answer.status == 200


def test_the_data_directory_is_made_once_and_anew_after_an_interrupted_start(tmp_path: Path) -> None:
    expect(command("keys", "make-root", tmp_path / "safe"))
    shell, option, script = container("init")["command"]
    script = script.replace("/data/", f"{tmp_path}/data/").replace("/root-key/", f"{tmp_path}/safe/")
    script = script.replace("onecode init", f"{ONECODE} init")
    interrupted = tmp_path / "data" / "new" / "keys"
    interrupted.mkdir(parents=True)
    (interrupted.parent / "pseudonym.key").touch()
    made = tmp_path / "data" / "onecode"
    for _ in range(2):
        subprocess.run([shell, option, script], check=True, timeout=60)
        assert list(made.parent.iterdir()) == [made]
    assert not (made / "root.key").exists()
    assert (made / "trust-list.draft.json").exists()
    assert {file.stat().st_mode & 0o077 for file in (made / "keys").iterdir()} == {0}
