"""A backup that is made while a server takes records, and a server on what was restored from it."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OperatorClient, status_record
from onecode_server.replication.machine import read_machine
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import Membership, Stop

from tests.integration import machines_of_a_log
from tests.integration.deployment import Deployment, Server, command, eventually, expect, record


def endless(stop: threading.Event) -> Iterator[Any]:
    """Return records of new bearers until ``stop`` is set."""
    number = 0
    while not stop.is_set():
        number += 1
        yield status_record(record("420000", "GREEN", f"bearer-{number}"))


def verdicts(server: Server, codes: list[bytes]) -> list[pb.Verdict]:
    request = pb.BatchVerifyRequest(codes=codes, host_region="440000")
    found = list(server.stub().BatchVerify(request, timeout=60).verdicts)
    for verdict in found:
        verdict.status_age_s = 0
    return found


def test_a_server_on_what_was_restored_gives_the_same_verdicts_and_audit_head(
    deployment: Deployment, serve: Any, tmp_path: Path
) -> None:
    codes = [deployment.issue("420000", id=name)[0] for name in ("red", "yellow", "unknown")]
    levels = [record("420000", "RED", "red"), record("420000", "YELLOW", "yellow")]
    backup, elsewhere = tmp_path / "backup", Deployment(tmp_path / "elsewhere")
    server: Server = serve(deployment)
    acknowledged, stop = [0], threading.Event()

    def publish() -> None:
        with OperatorClient(server.address) as client:
            for answer in client.publish(endless(stop)):
                acknowledged[0] = answer.durable_through

    with OperatorClient(server.address) as client:
        list(client.publish([status_record(one) for one in levels]))
    publishing = threading.Thread(target=publish)
    publishing.start()
    try:
        eventually(lambda: acknowledged[0] >= 2000, 100)
        safe = acknowledged[0]
        output = expect(command("store", "backup", backup, "--data-dir", deployment.path))
    finally:
        stop.set()
        publishing.join()
    assert "not in it: keys/" in output
    assert "root.key" in output
    assert not (backup / "root.key").exists()
    assert not (backup / "keys").exists()
    head = expect(command("audit", "verify", "--data-dir", deployment.path))
    before = verdicts(server, codes)
    assert server.end() == 0
    shutil.rmtree(deployment.path)

    expect(command("store", "restore", backup, "--data-dir", elsewhere.path))
    assert expect(command("audit", "verify", "--data-dir", elsewhere.path)) == head
    assert expect(command("store", "check", "--data-dir", elsewhere.path)).endswith("the store is whole\n")
    again: Server = serve(elsewhere)
    assert verdicts(again, codes) == before
    assert [verdict.level for verdict in before] == [3, 2, 1]
    with OperatorClient(again.address) as client:  # what was acknowledged before the backup began is in it
        for number in (1, safe // 2, safe):
            assert len(client.get_status(region="420000", local_id=f"bearer-{number}")) == 1
    assert (elsewhere.path / "pseudonym.key").stat().st_mode & 0o077 == 0


def test_a_store_is_put_back_beside_the_keys_that_are_there(deployment: Deployment, tmp_path: Path) -> None:
    expect(deployment.publish(record("420000", "RED", "wang")))
    backup = tmp_path / "backup"
    backup.mkdir()
    expect(command("store", "backup", backup, "--data-dir", deployment.path, "--with-signing-keys"))
    assert sorted(os.listdir(backup / "keys")) == sorted(os.listdir(deployment.path / "keys"))
    there = command("store", "restore", backup, "--data-dir", deployment.path)
    assert (there.status, "move it away first" in there.err) == (2, True)
    (deployment.path / "store").rename(tmp_path / "damaged")
    kept = (deployment.path / "root.key").read_bytes()
    expect(command("store", "restore", backup, "--data-dir", deployment.path))
    assert (deployment.path / "root.key").read_bytes() == kept
    shown = expect(
        command("status", "get", "--data-dir", deployment.path, "--region", "420000", "--id", "wang", "--json")
    )
    assert '"RED"' in shown


def test_what_is_no_backup_or_of_another_deployment_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    expect(deployment.publish(record("420000", "RED", "wang")))
    backup, other = tmp_path / "backup", tmp_path / "other"
    expect(command("store", "backup", backup, "--data-dir", deployment.path))
    full = command("store", "backup", backup, "--data-dir", deployment.path)
    assert (full.status, "is not empty" in full.err) == (2, True)
    expect(command("init", "--data-dir", other))
    refused = command("store", "restore", backup, "--data-dir", other)
    assert (refused.status, "another deployment" in refused.err) == (2, True)
    (backup / "root.pub").unlink()
    half = command("store", "restore", backup, "--data-dir", tmp_path / "new")
    assert (half.status, "one that did not end" in half.err) == (2, True)


def test_a_backup_that_cannot_be_written_leaves_nothing_behind(deployment: Deployment, tmp_path: Path) -> None:
    expect(deployment.publish(*[record("420000", "GREEN", f"b-{number}") for number in range(500)]))
    backup = tmp_path / "backup"
    os.truncate(deployment.path / "store" / "data.mdb", 5 * 4096)
    ended = command("store", "backup", backup, "--data-dir", deployment.path)
    assert (ended.status, "was cut" in ended.err) == (1, True)
    assert not backup.exists()


def test_the_store_of_a_machine_that_had_stopped_for_it_is_restored_on_demand_alone(
    deployment: Deployment, tmp_path: Path
) -> None:
    machines_of_a_log.join(deployment)
    machine = read_machine(deployment.path)
    store = LmdbReplica(deployment.path / "store")
    store.join(Membership(machine.cluster, machine.identifier, {"onecode.status": "id-1"}))
    why = "partition 5 differs after offset 7 from machine ab"
    store.apply(lambda state: state.put_stop(Stop(why, 1, is_lasting=True)))
    store.close_here()
    backup = tmp_path / "backup"
    expect(command("store", "backup", backup, "--data-dir", deployment.path))
    (deployment.path / "store").rename(tmp_path / "moved")
    restored = ("store", "restore", backup, "--data-dir", deployment.path)
    refused = command(*restored)
    assert (refused.status, f"is of a machine that had stopped: {why}." in refused.err) == (2, True)
    assert not (deployment.path / "store").exists()
    expect(command(*restored, "--although-stopped"))
    again = LmdbReplica(deployment.path / "store")
    assert again.stop() is None
    again.close_here()


@pytest.mark.parametrize("edit", ["backup", "restore"])
def test_commands_name_what_is_missing(edit: str, tmp_path: Path) -> None:
    ended = command("store", edit, tmp_path / "there", "--data-dir", tmp_path / "nowhere")
    assert ended.status == 2
    assert len(ended.err.splitlines()) == 1
