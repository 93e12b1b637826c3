"""Two machines that share a log answer as one: what one of them was told, the other one says."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2, status_pb2_grpc
from onecode_server.log.address import LogAddress

from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from tests.brokers.cluster import Brokers
from tests.integration import machines_of_a_log
from tests.integration.deployment import LOOPBACK, Deployment, Server, called, command, eventually, expect, record

SEEN_S = 1 + 10
"""The second that is promised, and room for a machine that is busy with other things."""


@pytest.fixture
def machines(
    made: Deployment, tmp_path: Path, log: LogAddress, serve: Callable[..., Server]
) -> list[tuple[Deployment, Server]]:
    """Two machines that serve, confirmed in all partitions."""
    copies = machines_of_a_log.members(made, tmp_path, 2)
    servers = [serve(copy, *machines_of_a_log.flags(log)) for copy in copies]
    for server in servers:
        machines_of_a_log.await_confirmed(server)
    return list(zip(copies, servers, strict=True))


def publish(server: Server, path: Path, *records: dict[str, Any]) -> str:
    file = path / "records.ndjson"
    file.write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    return expect(called("status", "publish", "--server", server.address, "--file", file))


def test_a_record_that_one_machine_took_refuses_the_code_at_the_other(
    machines: list[tuple[Deployment, Server]], tmp_path: Path
) -> None:
    (deployment, one), (_, other) = machines
    (code,) = deployment.issue("420000", id="traveller")
    assert other.verify(code).verdict.reason == 1  # GREEN
    publish(one, tmp_path, record("420000", "RED", "traveller"))
    assert one.verify(code).verdict.reason == 3  # RED: for the machine that took it at once
    eventually(lambda: other.verify(code).verdict.reason == 3, SEEN_S)


def test_an_exception_is_reported_at_one_and_acknowledged_at_the_other(
    machines: list[tuple[Deployment, Server]],
) -> None:
    (deployment, one), (_, other) = machines
    begins = datetime.now(UTC)
    asked = ("--host", "440000", "--home", "420000", "--reason", "the register is being rebuilt")
    times = ("--from", begins.isoformat(), "--until", (begins + timedelta(hours=2)).isoformat())
    filed = json.loads(expect(called("exception", "report", "--server", one.address, *asked, *times, "--json")))
    expect(called("exception", "acknowledge", filed["id"], "--server", other.address))
    (code,) = deployment.issue("420000")
    eventually(lambda: one.verify(code, "440000").verdict.exception_id == filed["id"], SEEN_S)
    assert other.verify(code, "440000").verdict.exception_id == filed["id"]


def test_a_trust_list_that_one_machine_was_given_is_in_force_at_the_other(
    machines: list[tuple[Deployment, Server]],
) -> None:
    (deployment, one), (_, other) = machines

    def versions() -> list[int]:
        reports = [server.healthz()[1]["workers"]["0"]["trust_list"] for server in (one, other)]
        assert [report["fault"] for report in reports] == [None, None]
        return [report["version"] for report in reports]

    before = versions()
    expect(deployment.trust("add-region", "--code", "660000", "--name", "a corps", "--adopts-national"))
    eventually(lambda: versions() == [version + 1 for version in before], SEEN_S)


def test_all_that_panels_and_alerts_about_the_log_need_is_on_the_page(
    machines: list[tuple[Deployment, Server]],
) -> None:
    (_, one), _ = machines
    panels = (query.expression for dashboard in DASHBOARDS for panel in dashboard.panels for query in panel.queries)
    alerts = (alert.expression for group in GROUPS for alert in group.alerts)
    named = re.findall(r"onecode_log_[a-z_]+", " ".join((*panels, *alerts)))
    assert len(set(named)) >= 6
    text = one.metrics_text()
    for name in set(named):
        assert re.search(rf"^{name}[{{ ]", text, re.MULTILINE), name


def test_both_have_the_same_digests_and_say_so(machines: list[tuple[Deployment, Server]], tmp_path: Path) -> None:
    (_, one), (_, other) = machines
    publish(one, tmp_path, *(record("420000", "YELLOW", f"bearer {number}") for number in range(100)))

    def digests(server: Server) -> dict[str, str]:
        return {name: part["digest"] for name, part in machines_of_a_log.state(server)["partitions"].items()}

    eventually(lambda: digests(one) == digests(other), SEEN_S)
    assert machines_of_a_log.state(one)["stopped"] is None


def test_machines_without_a_majority_of_brokers_admit_nobody_and_acknowledge_nothing(
    machines: list[tuple[Deployment, Server]], brokers: Brokers, tmp_path: Path
) -> None:
    (deployment, one), (_, other) = machines
    (code,) = deployment.issue("420000", id="traveller")
    publish(one, tmp_path, record("420000", "GREEN", "traveller"))

    def statuses() -> list[int]:
        return [server.verify(code).verdict.status for server in (one, other)]

    eventually(lambda: statuses() == [pb.STATUS_CURRENT] * 2, SEEN_S)
    for node in brokers.nodes[:2]:
        node.pause()
    eventually(lambda: statuses() == [pb.STATUS_STALE] * 2, 5 + SEEN_S)
    assert one.verify(code).verdict.decision == pb.DECISION_CHECK
    late = ParseDict(
        record("420000", "LEVEL_RED", "traveller", scope="SCOPE_NATIONAL", revision=2), status_pb2.StatusRecord()
    )
    asked = status_pb2.PublishStatusesRequest(sequence=1, record=late)
    with pytest.raises(grpc.RpcError) as refused:
        list(status_pb2_grpc.StatusServiceStub(one.channel()).PublishStatuses(iter([asked]), timeout=20))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    brokers.restore()
    eventually(lambda: statuses() == [pb.STATUS_CURRENT] * 2, 60)


def test_a_machine_is_added_from_a_backup_of_another_one(
    machines: list[tuple[Deployment, Server]],
    made: Deployment,
    log: LogAddress,
    serve: Callable[..., Server],
    tmp_path: Path,
) -> None:
    (deployment, one), _ = machines
    (code,) = deployment.issue("420000", id="traveller")
    publish(one, tmp_path, record("420000", "RED", "traveller"))
    expect(called("store", "backup", tmp_path / "backup", "--data-dir", deployment.path))
    manifest = json.loads((tmp_path / "backup" / "manifest.json").read_text("ascii"))
    assert len(manifest["log"]["partitions"]) == 13
    third = made.copy_to(tmp_path / "third")
    machines_of_a_log.join(third)
    expect(called("store", "restore", tmp_path / "backup", "--data-dir", third.path))
    added = serve(third, *machines_of_a_log.flags(log))
    machines_of_a_log.await_confirmed(added)
    assert added.verify(code).verdict.reason == 3  # RED
    assert machines_of_a_log.state(added)["machine"] != manifest["log"]["machine"]


def test_a_server_without_the_log_does_not_start_on_a_machines_store(
    machines: list[tuple[Deployment, Server]],
) -> None:
    (deployment, one), _ = machines
    assert one.end() == 0
    refused = command("serve", "--data-dir", deployment.path, "--workers", 1, *LOOPBACK)
    assert refused.status == 2
    assert "start the server with --log" in refused.err.splitlines()[-1]
