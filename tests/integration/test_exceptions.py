"""Recognition exceptions, from the report to their end, and the audit record of every step."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import lmdb
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OperatorClient, ServerError
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_audit import BLOCK_ENTRIES, KEPT_MIN

from tests.integration.deployment import Deployment, Server, called, eventually, expect
from tests.integration.stored_reports import store_report
from tests.world import HOUR, SECOND


@pytest.fixture
def running(deployment: Deployment, serve: Any) -> Server:
    started: Server = serve(deployment)
    return started


def exception(server: Server, *arguments: object) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(expect(called("exception", *arguments, "--server", server.address, "--json")))
    return made


def report(server: Server, begins: str = "now", ends: str = "+1h", host: str = "440000") -> dict[str, Any]:
    why = ("--reason", "a new variant", "--from", begins, "--until", ends)
    return exception(server, "report", "--host", host, "--home", "420000", *why)


def test_a_report_has_no_effect_until_it_is_acknowledged_and_ends_when_it_is_withdrawn(
    running: Server, deployment: Deployment
) -> None:
    code = deployment.issue("420000")[0]
    filed = report(running)
    assert (filed["state"], filed["reason"]) == ("EXCEPTION_STATE_REPORTED", "a new variant")
    assert running.verify(code, "440000").verdict.decision == pb.DECISION_ADMIT
    assert exception(running, "acknowledge", filed["id"])["state"] == "EXCEPTION_STATE_EFFECTIVE"
    suspended = running.verify(code, "440000").verdict
    assert (suspended.decision, suspended.recognition) == (pb.DECISION_CHECK, pb.RECOGNITION_SUSPENDED)
    assert suspended.exception_id == filed["id"]
    assert running.verify(code, "110000").verdict.decision == pb.DECISION_ADMIT
    assert exception(running, "withdraw", filed["id"])["state"] == "EXCEPTION_STATE_WITHDRAWN"
    assert running.verify(code, "440000").verdict.decision == pb.DECISION_ADMIT


@pytest.mark.parametrize("written", [str.upper, str.lower])
def test_a_report_is_found_however_the_hex_of_its_id_is_written(running: Server, written: Any) -> None:
    filed = report(running)
    assert exception(running, "acknowledge", written(filed["id"]))["id"] == filed["id"]
    assert exception(running, "withdraw", written(filed["id"]))["state"] == "EXCEPTION_STATE_WITHDRAWN"


def test_an_exception_ends_by_itself(running: Server, deployment: Deployment) -> None:
    code, now = deployment.issue("420000")[0], time.time_ns() // 1000
    ends = now + 3 * SECOND
    store_report(deployment.path, RecognitionException("RE-1", "440000", "420000", "why", now - HOUR, ends, now, now))
    checked_at = now
    while checked_at < ends:
        answer = running.verify(code, "440000")
        checked_at = answer.checked_at.ToMicroseconds()
        is_suspended = answer.verdict.recognition == pb.RECOGNITION_SUSPENDED
        assert (is_suspended, answer.verdict.decision == pb.DECISION_ADMIT) == (checked_at < ends, checked_at >= ends)


def test_what_one_server_acknowledges_the_other_on_the_directory_knows(deployment: Deployment, serve: Any) -> None:
    one, other = serve(deployment), serve(deployment)
    code = deployment.issue("420000")[0]
    exception(one, "acknowledge", report(one)["id"])
    eventually(lambda: other.verify(code, "440000").verdict.recognition == pb.RECOGNITION_SUSPENDED, 5)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("--host", "440000", "--home", "440000", "--until", "+1h"), "itself"),
        (("--host", "440000", "--home", "000000", "--until", "+1h"), "national authority"),
        (("--host", "440000", "--home", "420000", "--until", "+31d"), "30 days"),
        (("--host", "440000", "--home", "420000", "--until", "+59m"), "an hour at least"),
        (("--host", "440000", "--home", "420000", "--from", "+31d", "--until", "+32d"), "30 days ahead"),
        (("--host", "440000", "--home", "420000", "--from", "2020-01-01T00:00:00Z", "--until", "+1h"), "past"),
        (("--host", "999999", "--home", "420000", "--until", "+1h"), "not a region"),
    ],
)
def test_a_report_against_a_rule_is_refused_in_words(server: Server, arguments: tuple[str, ...], rule: str) -> None:
    ended = called("exception", "report", "--server", server.address, "--reason", "x", *arguments)
    assert ended.status == 1
    assert "FAILED_PRECONDITION" in ended.err
    assert rule in ended.err


def test_reports_are_listed_newest_first_filtered_and_by_pages(running: Server) -> None:
    ids = [report(running, f"+{n}h", f"+{n + 1}h")["id"] for n in range(5)]
    ids.append(report(running, host="110000")["id"])
    with OperatorClient(running.address) as client:
        assert [one.id for one in client.exceptions()] == ids[::-1]
        assert [one.id for one in client.exceptions(page_size=2)] == ids[::-1]
        assert [one.id for one in client.exceptions(host_region="110000")] == ids[5:]
        client.acknowledge_exception(ids[0])
        assert [one.id for one in client.exceptions(state="EXCEPTION_STATE_EFFECTIVE")] == ids[:1]
        assert list(client.exceptions(state=99)) == []
        with pytest.raises(ServerError, match="no report with this id") as unknown:
            client.acknowledge_exception("RE-nothing")
        assert (unknown.value.code, unknown.value.reason) == ("NOT_FOUND", "EXCEPTION_UNKNOWN")
        with pytest.raises(ServerError, match="acknowledged already"):
            client.acknowledge_exception(ids[0])


def test_the_same_step_under_a_request_id_is_answered_again_and_another_one_refused(running: Server) -> None:
    begins, ends = ((datetime.now(UTC) + timedelta(hours=hours)).isoformat() for hours in (1, 2))
    report = ("--host", "440000", "--home", "420000", "--reason", "x", "--from", begins, "--until", ends)
    asked = ("report", *report, "--request-id", "a" * 16)
    filed = exception(running, *asked)
    assert exception(running, *asked) == filed
    acknowledged = exception(running, "acknowledge", filed["id"], "--request-id", "b" * 16)
    assert exception(running, "acknowledge", filed["id"], "--request-id", "b" * 16) == acknowledged
    withdrawn = exception(running, "withdraw", filed["id"], "--request-id", "c" * 64)
    assert exception(running, "withdraw", filed["id"], "--request-id", "c" * 64) == withdrawn
    assert exception(running, *asked) == filed
    with OperatorClient(running.address) as client:
        assert [one.id for one in client.exceptions()] == [filed["id"]]
        with pytest.raises(ServerError) as used:
            client.withdraw_exception(filed["id"], "a" * 16)
        assert (used.value.code, used.value.reason) == ("ALREADY_EXISTS", "REQUEST_ID_USED")
        with pytest.raises(ServerError) as short:
            client.withdraw_exception(filed["id"], "too short")
        assert (short.value.code, short.value.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_INVALID")


@pytest.mark.parametrize("token", ["x", "!", "绿", "a" * 10_000, urlsafe_b64encode(b"-1 x").decode()])
def test_a_page_token_that_was_not_given_is_an_invalid_request(server: Server, token: str) -> None:
    with OperatorClient(server.address) as client, pytest.raises(ServerError) as refused:
        list(client.exceptions(page_token=token))
    assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


def test_a_reason_stands_in_the_list_as_it_was_written(running: Server) -> None:
    odd = "[/] [b]x[/b]"  # rich would read it as markup
    asked = ("--host", "440000", "--home", "420000", "--until", "+1h", "--reason", odd)
    assert odd in expect(called("exception", "report", "--server", running.address, *asked))
    assert odd in expect(called("exception", "list", "--server", running.address))


def test_every_step_is_in_the_audit_record_and_a_changed_one_is_found(running: Server, deployment: Deployment) -> None:
    filed = report(running)
    exception(running, "acknowledge", filed["id"])
    exception(running, "withdraw", filed["id"])
    assert running.end() == 0
    lines = expect(called("audit", "show", "--data-dir", deployment.path, "--json")).splitlines()
    events = ["trust list taken", "exception reported", "exception acknowledged", "exception withdrawn"]
    assert [json.loads(line)["event"] for line in lines] == events
    verified = expect(called("audit", "verify", "--data-dir", deployment.path))
    head = verified.split()[-1]
    assert verified.startswith("4 entries, hash chain intact")
    expect(called("audit", "verify", "--data-dir", deployment.path, "--expect", head))
    with lmdb.open(str(deployment.path / "store"), max_dbs=6) as env:
        table = env.open_db(b"audit")
        with env.begin(db=table, write=True) as txn:
            key = (3).to_bytes(8)
            written = txn.get(key)
            assert written
            txn.put(key, written.replace(b"a new variant", b"a new pretext"))
    ended = called("audit", "verify", "--data-dir", deployment.path)
    assert (ended.status, ended.err.strip()) == (1, "onecode: audit entry 3 breaks the hash chain")


def test_the_audit_record_is_verified_and_shown_over_its_archive(deployment: Deployment) -> None:
    async def fill() -> list[str]:
        store, heads = LmdbStore(deployment.path / "store"), []

        def write(txn: Any) -> None:
            for number in range(KEPT_MIN + 2 * BLOCK_ENTRIES):
                store._record(txn, number, "event", str(number), {})

        await store._env.write(write)
        heads = [(await store.audit(after))[0].hash.hex() for after in (BLOCK_ENTRIES, KEPT_MIN + BLOCK_ENTRIES)]
        await store.close()
        return heads

    for head in asyncio.run(fill()):
        verified = expect(called("audit", "verify", "--data-dir", deployment.path, "--expect", head))
        assert verified.startswith(f"{KEPT_MIN + 2 * BLOCK_ENTRIES} entries, hash chain intact")
    shown = expect(called("audit", "show", "--data-dir", deployment.path, "--json")).splitlines()
    assert [json.loads(line)["subject"] for line in shown] == [str(n) for n in range(KEPT_MIN + 2 * BLOCK_ENTRIES)]
    with lmdb.open(str(deployment.path / "store"), max_dbs=1) as env:
        table = env.open_db(b"audit_archive")
        with env.begin(db=table, write=True) as txn:
            key, other = (number.to_bytes(8) for number in (BLOCK_ENTRIES, 2 * BLOCK_ENTRIES))
            moved = txn.get(other)
            assert moved
            txn.put(key, moved)
    ended = called("audit", "verify", "--data-dir", deployment.path)
    assert (ended.status, ended.err) == (1, "onecode: audit entry 1 breaks the hash chain\n")


def test_a_reason_moves_no_cursor_on_the_operators_screen(running: Server) -> None:
    why = "a \x1b[2Jnew\nvariant"
    filed = exception(running, "report", "--host", "440000", "--home", "110000", "--reason", why, "--until", "+1h")
    assert filed["reason"] == why
    shown = expect(called("exception", "list", "--server", running.address))
    assert "\x1b" not in shown
    assert r"\x1b" in shown
