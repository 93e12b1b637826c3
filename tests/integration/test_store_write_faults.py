"""A server whose store cannot be written: seen, named, checks go on, and over when a write succeeds again."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest

from onecode_client import OperatorClient, ServerError, status_record

from tests.integration.deployment import Deployment, Server, eventually, record
from tests.integration.full_disk import full_disk, publish_many

SEEN_S = 60


def logged_of_writing(server: Server) -> list[tuple[str, str | None]]:
    """Return what was logged of whether the store can be written."""
    lines = [line for line in server.log() if re.match("the store can(not)? be written", line["message"])]
    return [(line["level"], line.get("errno")) for line in lines]


def test_a_full_disk_is_named_in_log_metric_and_health_and_is_over_by_itself(
    deployment: Deployment, serve: Any
) -> None:
    (code,) = deployment.issue("420000")
    server: Server = serve(deployment)
    assert server.health("onecode.store") == "SERVING"
    assert server.samples("onecode_store_write_fault") == {(): 0}
    with full_disk(server, deployment):
        with pytest.raises(grpc.RpcError) as refused:
            publish_many(server)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert server.health("onecode.store") == "NOT_SERVING"
        assert server.health() == "SERVING"
        assert server.verify(code).verdict.decision == 1
        assert server.samples("onecode_store_write_fault") == {(): 1}
        assert server.samples("onecode_store_failures_total")["write",] >= 1
        status, report = server.healthz()
        assert (status, report["store"]["write_fault"].split(":")[0]) == (200, "EFBIG")
        # The server's own tries fail too, and say nothing more.
        failed = server.samples("onecode_store_failures_total")["write",]
        eventually(lambda: server.samples("onecode_store_failures_total")["write",] > failed, SEEN_S)
        assert logged_of_writing(server) == [("error", "EFBIG")]
    eventually(lambda: server.health("onecode.store") == "SERVING", SEEN_S)
    assert logged_of_writing(server) == [("error", "EFBIG"), ("info", None)]
    assert server.samples("onecode_store_write_fault") == {(): 0}
    assert server.healthz()[1]["store"]["write_fault"] is None
    publish_many(server)


def test_nothing_that_was_acknowledged_before_a_full_disk_is_lost(deployment: Deployment, serve: Any) -> None:
    server: Server = serve(deployment)
    with OperatorClient(server.address) as client:
        assert [answer.durable_through for answer in client.publish([status_record(record("420000", "RED", "wang"))])]
        with full_disk(server, deployment), pytest.raises(grpc.RpcError):
            publish_many(server)
        assert len(client.get_status(region="420000", local_id="wang")) == 1
    assert server.end() == 0
    again: Server = serve(deployment)
    with OperatorClient(again.address) as client:
        assert len(client.get_status(region="420000", local_id="wang")) == 1


def test_a_worker_whose_store_lmdb_gave_up_is_replaced_by_one_that_opens_it_anew(
    deployment: Deployment, serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim, fails = tmp_path / "failing_meta.so", tmp_path / "fails"
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here")
    source = Path(__file__).with_name("failing_meta.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    monkeypatch.setenv("FAIL_IF", str(fails))
    (code,) = deployment.issue("420000")
    server: Server = serve(deployment, "--workers", 2)
    with OperatorClient(server.address) as client:
        list(client.publish([status_record(record("420000", "GREEN", "before"))]))
        fails.touch()
        with pytest.raises(ServerError):
            list(client.publish([status_record(record("420000", "GREEN", "meanwhile"))], patience_s=0))
        fails.unlink()
        assert [line["errno"] for line in server.log() if "cannot be written" in line["message"]] == ["EIO"]
        eventually(lambda: sum(server.samples("onecode_worker_restarts_total").values()) == 1, SEEN_S)
        eventually(lambda: server.healthz()[0] == 200, SEEN_S)
        list(client.publish([status_record(record("420000", "GREEN", "after"))], patience_s=SEEN_S))
        assert [len(client.get_status(region="420000", local_id=name)) for name in ("before", "after")] == [1, 1]
    assert server.verify(code).verdict.decision == 1
