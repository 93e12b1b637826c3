"""Stores whose files were cut or changed: named, refused or answered around, and never the end of a process."""

import os
from pathlib import Path
from typing import Any

import lmdb
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OperatorClient, status_record
from onecode_server.model.subject import pseudonym
from onecode_server.settings.data_directory import DataDirectory

from tests.integration.deployment import Deployment, Server, command, eventually, expect, record

SEEN_S = 60


@pytest.fixture
def published(deployment: Deployment) -> Deployment:
    """A deployment whose store has some hundred kilobytes, and no server."""
    expect(deployment.publish(*[record("420000", "GREEN", f"bearer-{number}") for number in range(1500)]))
    return deployment


def data_file(deployment: Deployment) -> Path:
    return deployment.path / "store" / "data.mdb"


def overwrite(deployment: Deployment, table: bytes, key: bytes, data: bytes) -> None:
    """Write bytes into a table that the server would never write."""
    with (
        lmdb.open(str(deployment.path / "store"), max_dbs=8, max_readers=512, map_size=2**36) as env,
        env.begin(db=env.open_db(table), write=True) as txn,
    ):
        txn.put(key, data)


def subject_of(deployment: Deployment, region: str, local_id: str) -> bytes:
    return pseudonym(DataDirectory(deployment.path).read_pseudonym_key(), region, local_id)


def test_a_store_that_was_cut_is_refused_in_one_line_by_server_and_commands(published: Deployment) -> None:
    os.truncate(data_file(published), data_file(published).stat().st_size // 2)
    asked = ("--data-dir", published.path)
    loopback = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    for arguments in (
        ("audit", "verify", *asked),
        ("store", "check", *asked),
        ("serve", *asked, *loopback, "--workers", 1),
        ("serve", *asked, *loopback, "--workers", 2),
    ):
        ended = command(*arguments)
        assert ended.status == 1, (arguments, ended)
        assert "data.mdb was cut: it has" in ended.err.splitlines()[-1]


def test_a_store_that_is_cut_under_a_server_is_unavailable_and_the_server_lives(
    published: Deployment, serve: Any
) -> None:
    (code,) = published.issue("420000", id="bearer-7")
    server: Server = serve(published)
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
    os.truncate(data_file(published), 100)
    eventually(lambda: server.health("onecode.store") == "NOT_SERVING", SEEN_S)
    (unknown,) = published.issue("420000", id="bearer-8")
    verdict = server.verify(unknown).verdict
    assert (verdict.decision, verdict.status) == (pb.DECISION_CHECK, pb.STATUS_UNAVAILABLE)
    with OperatorClient(server.address) as client, pytest.raises(Exception, match=r"UNAVAILABLE|does not answer"):
        list(client.publish([status_record(record("420000", "RED", "bearer-7"))], patience_s=0))
    assert "was cut" in server.healthz()[1]["store"]["write_fault"]
    assert server.process.poll() is None
    assert server.health() == "SERVING"
    assert server.end() == 0


def test_a_damaged_record_is_the_matter_of_its_own_bearer_alone(published: Deployment, serve: Any) -> None:
    hurt, well = (published.issue("420000", id=local_id)[0] for local_id in ("bearer-1", "bearer-2"))
    overwrite(published, b"statuses", subject_of(published, "420000", "bearer-1"), b"noise")
    server: Server = serve(published)
    for code in (hurt, well):
        assert (server.verify(code).verdict.decision == pb.DECISION_ADMIT) is (code is well)
    answer = server.stub().BatchVerify(pb.BatchVerifyRequest(codes=[well, hurt] * 40, host_region="440000"), timeout=60)
    found = [(verdict.decision, verdict.status) for verdict in answer.verdicts]
    assert found == [(pb.DECISION_ADMIT, pb.STATUS_CURRENT), (pb.DECISION_CHECK, pb.STATUS_UNAVAILABLE)] * 40
    with OperatorClient(server.address) as client:
        assert len(client.get_status(region="420000", local_id="bearer-2")) == 1
        with pytest.raises(Exception, match=r"UNAVAILABLE|does not answer"):
            client.get_status(region="420000", local_id="bearer-1")
    assert server.samples("onecode_store_failures_total")["damaged",] >= 3
    assert [line["message"] for line in server.log() if "cannot be read" in line["message"]] == [
        "stored data cannot be read: 'onecode store check' lists all damage"
    ]
    assert server.samples("onecode_store_write_fault") == {(): 0}


def test_store_check_reads_all_there_is_beside_a_server_and_names_what_is_wrong(
    published: Deployment, serve: Any
) -> None:
    serve(published)
    output = expect(command("store", "check", "--data-dir", published.path))
    assert output.splitlines()[-1] == "the store is whole"
    assert "statuses: 1,500 read" in output
    subject = subject_of(published, "420000", "bearer-1")
    overwrite(published, b"statuses", subject, b"noise")
    overwrite(published, b"audit", (9).to_bytes(8), b"{}")
    ended = command("store", "check", "--data-dir", published.path)
    assert ended.status == 1
    assert f"statuses: {subject.hex()}: a stored record cannot be read" in ended.out
    assert "audit: " in ended.out
    assert "2 findings" in ended.err


def test_store_check_finds_pages_that_were_changed(published: Deployment) -> None:
    pytest.importorskip("lmdb.verify")
    expect(command("store", "check", "--data-dir", published.path))
    with data_file(published).open("r+b") as file:
        file.seek(4096 * (data_file(published).stat().st_size // 4096 // 2))
        file.write(b"\xff" * 4096)
    ended = command("store", "check", "--data-dir", published.path)
    assert (ended.status, "pages: " in ended.out) == (1, True)
