"""Stores of the version before: what is upgraded by itself, what is refused, and that a migration loses no RED."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from onecode.v1 import recognition_pb2
from onecode.v1 import status_pb2 as pb
from onecode_client import OperatorClient, status_record
from onecode_server.cli import demo_regions
from onecode_server.codes.national import codec as national
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import Role
from onecode_server.settings.data_directory import DataDirectory

from tests.integration.deployment import Deployment, Server, called, command, expect, record
from tests.integration.older_store import write_older_store
from tests.world import HOUR

TIME = 1_750_000_000_000_000
AGO = "2025-06-15T15:06:40Z"
RED = StatusRecord("370000", Scope.NATIONAL, Level.RED, TIME, None, 7)
RAW, OTHER, TEXT, NATIONS = (bytes([number]) * 16 for number in range(1, 5))
NATIONAL_REGIONS = [one["code"] for one in demo_regions.entries() if one.get("format") == "national"]


def key_of(deployment: Deployment) -> bytes:
    return DataDirectory(deployment.path).read_pseudonym_key()


def stored(deployment: Deployment, *subject: object) -> list[dict[str, Any]]:
    shown = expect(called("status", "get", "--data-dir", deployment.path, "--json", *subject))
    return [json.loads(line) for line in shown.splitlines()]


@pytest.fixture
def older(deployment: Deployment) -> Deployment:
    """The demo's regions, of which some have the format national, on a store of the version before."""
    nation, local = RED._replace(publisher="000000", revision=2), RED._replace(publisher="540000", scope=Scope.LOCAL)
    jwt = RED._replace(publisher="420000", expires_at=TIME + 10**15, revision=2**40)
    statuses = {RAW: (RED,), OTHER: (RED._replace(level=Level.GREEN), nation, local), TEXT: (jwt,), NATIONS: (nation,)}
    write_older_store(deployment.path / "store", statuses, TIME)
    return deployment


def test_a_store_with_national_regions_is_refused_in_one_line_that_names_the_command(
    older: Deployment, serve: Callable[..., Server]
) -> None:
    for flags in ((), ("--workers", 2)):
        server = serve(older, *flags, await_ready=False)
        assert server.process.wait(60) == 1
        last = server.log_file.read_text("utf-8").splitlines()[-1]
        assert f"onecode store migrate --data-dir {older.path}" in last
    got = called("status", "get", "--data-dir", older.path, "--pseudonym", RAW.hex())
    for ended in (got, older.publish(record("420000", "RED", "wang"))):
        assert (ended.status, ended.err.count("\n")) == (1, 1)
        assert f"onecode store migrate --data-dir {older.path}" in ended.err
    audit = called("audit", "verify", "--data-dir", older.path)
    assert audit.status == 0


def test_a_red_holds_over_the_migration_under_both_keys_with_its_revision_and_times(
    older: Deployment, serve: Callable[..., Server]
) -> None:
    output = expect(command("store", "migrate", "--data-dir", older.path)).splitlines()
    counts = dict.fromkeys(NATIONAL_REGIONS, "3 records of 2 subjects") | {"370000": "5 records of 3 subjects"}
    assert output == [*(f"{region}: {count} copied" for region, count in counts.items()), "the store is migrated"]
    server = serve(older)
    times = {"effective_at": AGO, "published_at": AGO}
    red = {"publisher": "370000", "scope": "NATIONAL", "level": "RED", "revision": "7", **times}
    for asked in (("--pseudonym", RAW.hex()), ("--region", "370000", "--id", RAW.hex())):
        (one,) = stored(older, *asked)
        del one["subject"]
        assert one == red
    beside = stored(older, "--region", "370000", "--id", OTHER.hex())
    assert [(one["publisher"], one["level"]) for one in beside] == [
        ("370000", "GREEN"),
        ("000000", "RED"),
        ("540000", "RED"),
    ]
    others = stored(older, "--region", "150000", "--id", OTHER.hex())  # whose bearers may have the same bytes
    assert [(one["publisher"], one["level"]) for one in others] == [("000000", "RED"), ("540000", "RED")]
    for region in NATIONAL_REGIONS:
        (nation,) = stored(older, "--region", region, "--id", NATIONS.hex())
        assert (nation["publisher"], nation["level"], nation["revision"]) == ("000000", "RED", "2")
        assert stored(older, "--region", region, "--id", TEXT.hex()) == []
    assert stored(older, "--region", "150000", "--id", RAW.hex()) == []
    for bearer, level in ((RAW, pb.LEVEL_RED), (OTHER, pb.LEVEL_RED), (bytes(16), pb.LEVEL_GREEN)):
        assert server.verify(carrying(older, bearer), "110000").verdict.level == level
    (jwt,) = stored(older, "--pseudonym", TEXT.hex())
    assert (jwt["revision"], jwt["published_at"]) == (str(2**40), AGO)
    assert server.end() == 0
    entries = expect(called("audit", "show", "--data-dir", older.path, "--json")).splitlines()
    migrated = [json.loads(entry) for entry in entries if "store migrated" in entry]
    assert [entry["details"]["370000"] for entry in migrated] == [{"subjects": 3, "records": 5}]
    again = expect(command("store", "migrate", "--data-dir", older.path))
    assert again == "the store has the layout of this version already\n"


def carrying(deployment: Deployment, identifier: bytes) -> bytes:
    """Return a code of 370000, issued an hour before the records, whose bearer is these bytes."""
    (code,) = deployment.issue("370000")
    signed = national.decode(code)
    (signer,) = DataDirectory(deployment.path).signers("370000", Role.ISSUER).values()
    times = {national.ISSUED_AT: TIME // 10**6 - 3600}
    claims = dict(national.read_claims(signed.payload)) | {national.SUBJECT: identifier, **times}
    return national.mint(claims, signed.key_id, signer.sign)


KILLED = """
import asyncio, os, sys
from pathlib import Path
from onecode_server.composition import open_for_migration
from onecode_server.publication import migration

async def run(directory, steps):
    migration.CHUNK_SUBJECTS = 1

    def done(subjects):
        if subjects == steps:
            os.kill(os.getpid(), 9)

    async with open_for_migration(directory) as started:
        await started.run(done)

asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
"""


def test_a_migration_that_is_killed_is_done_again_and_copies_no_copy(older: Deployment) -> None:
    for number in (1, 2, 3, 4):
        killed = subprocess.run([sys.executable, "-c", KILLED, older.path, str(number)], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert called("status", "get", "--data-dir", older.path, "--pseudonym", RAW.hex()).status == 1
    output = expect(command("store", "migrate", "--data-dir", older.path))
    assert "370000: 5 records of 3 subjects copied" in output
    copy = pseudonym(key_of(older), "370000", RAW.hex())
    assert len(stored(older, "--pseudonym", copy.hex())) == 1
    assert stored(older, "--region", "370000", "--id", copy.hex()) == []


def test_a_migration_does_not_run_beside_a_process_that_has_the_store_open(older: Deployment) -> None:
    reader = (
        "import sys, asyncio; from pathlib import Path; from onecode_server.stores.lmdb import LmdbStore\n"
        "async def run():\n"
        "    store = LmdbStore(Path(sys.argv[1])); await store.statuses([bytes(16)]); print('open', flush=True)\n"
        "    await asyncio.to_thread(sys.stdin.read)\n"
        "asyncio.run(run())"
    )
    asked = [sys.executable, "-c", reader, str(older.path / "store")]
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout
            assert other.stdout.readline() == "open\n"
            ended = command("store", "migrate", "--data-dir", older.path)
            assert (ended.status, ended.err.count("\n")) == (2, 1)
            assert "another process has the store" in ended.err
        finally:
            other.kill()
    expect(command("store", "migrate", "--data-dir", older.path))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_store_without_such_a_region_is_upgraded_at_its_first_start(
    tmp_path: Path, serve: Callable[..., Server], workers: int
) -> None:
    deployment = Deployment(tmp_path / "data")
    expect(called("init", "--data-dir", deployment.path))
    subject = pseudonym(key_of(deployment), "000000", "wang")
    stuck = RED._replace(publisher="000000", revision=2**64 - 1, effective_at=TIME + 10**15)
    write_older_store(deployment.path / "store", {subject: (RED._replace(publisher="000000"), stuck)}, TIME)
    server = serve(deployment, "--workers", workers)
    asked = ("--server", server.address, "--region", "000000", "--id", "wang", "--json")
    shown = [json.loads(line) for line in expect(command("status", "get", *asked)).splitlines()]
    assert [(one["level"], one["revision"], one["published_at"]) for one in shown[:1]] == [("RED", "7", AGO)]
    members = record("000000", "GREEN", "wang", effective_at=AGO, revision=8)
    file = tmp_path / "records.ndjson"
    file.write_text(json.dumps(members), "utf-8")
    expect(command("status", "publish", "--server", server.address, "--file", file))
    (first, *_) = expect(command("status", "get", *asked)).splitlines()
    assert datetime.fromisoformat(json.loads(first)["published_at"]) > datetime.fromisoformat(AGO)
    assert server.end() == 0
    assert expect(called("audit", "show", "--data-dir", deployment.path)).count("store upgraded") == 1
    output = expect(called("store", "migrate", "--data-dir", deployment.path))
    assert output == "the store has the layout of this version already\n"


@pytest.mark.parametrize("layout", [b"2", b"3"])
@pytest.mark.parametrize("workers", [1, 2])
def test_reports_of_an_older_store_are_listed_and_count_as_they_did(
    tmp_path: Path, made: Deployment, serve: Callable[..., Server], layout: bytes, workers: int
) -> None:
    deployment = made.copy_to(tmp_path / "data")
    now = time.time_ns() // 1000
    report = RecognitionException("RE-", "440000", "420000", "why", now, now + 9 * HOUR, now)
    reports = [
        *(report._replace(id=f"RE-{n:04}", effective_until=now - 99 * HOUR, reported_at=n) for n in range(2500)),
        report._replace(id="RE-in-effect", acknowledged_at=now),
        report._replace(id="RE-waits", home="110000"),
    ]
    write_older_store(deployment.path / "store", {}, now, reports, layout)
    if layout == b"2":
        expect(command("store", "migrate", "--data-dir", deployment.path))
    server = serve(deployment, "--workers", workers)
    verdict = server.verify(deployment.issue("420000")[0], "440000").verdict
    assert verdict.exception_id == "RE-in-effect"
    with OperatorClient(server.address) as client:
        assert {one.id for one in client.exceptions()} == {one.id for one in reports}
        assert [one.id for one in client.exceptions(state="EXCEPTION_STATE_REPORTED")] == ["RE-waits"]
        client.acknowledge_exception("RE-waits")
        client.withdraw_exception("RE-in-effect")
    assert server.verify(deployment.issue("420000")[0], "440000").verdict.decision == recognition_pb2.DECISION_ADMIT
    assert server.end() == 0
    assert expect(called("audit", "verify", "--data-dir", deployment.path)).split()[0] == "4"


def test_where_there_is_no_store_there_is_nothing_to_migrate(deployment: Deployment) -> None:
    ended = called("store", "migrate", "--data-dir", deployment.path)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert not (deployment.path / "store").exists()


def test_a_clock_behind_the_newest_stored_time_is_logged_and_shown(
    tmp_path: Path, serve: Callable[..., Server]
) -> None:
    deployment = Deployment(tmp_path / "data")
    expect(called("init", "--data-dir", deployment.path))
    ahead = time.time_ns() // 1000 + 10**9
    write_older_store(deployment.path / "store", {RAW: (RED._replace(publisher="000000"),)}, ahead)
    server = serve(deployment)
    assert server.healthz()[1]["store"]["clock_behind_s"] == 0
    with OperatorClient(server.address) as client:
        published = {
            "publisher": "000000",
            "subject": {"local": {"region": "000000", "id": "wang"}},
            "scope": "NATIONAL",
        }
        (answer,) = client.publish([status_record(published | {"level": "RED", "effective_at": AGO, "revision": 1})])
        assert not answer.rejections
        (record,) = client.get_status(region="000000", local_id="wang")
    assert record.published_at.ToMicroseconds() == ahead
    assert 900 < server.healthz()[1]["store"]["clock_behind_s"] <= 1000
    assert [line["level"] for line in server.log() if "behind the newest stored time" in line["message"]] == ["error"]
