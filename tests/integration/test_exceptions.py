"""Recognition exceptions, from the report to their end, and the audit record of every step."""

import json
from typing import Any

import lmdb
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_client import OperatorClient, ServerError

from tests.integration.deployment import Deployment, Server, command, eventually, expect


@pytest.fixture
def running(deployment: Deployment, serve: Any) -> Server:
    started: Server = serve(deployment)
    return started


def exception(server: Server, *arguments: object) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(expect(command("exception", *arguments, "--server", server.address, "--json")))
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
    code = deployment.issue("420000")[0]
    exception(running, "acknowledge", report(running, ends="+3s")["id"])
    assert running.verify(code, "440000").verdict.recognition == pb.RECOGNITION_SUSPENDED
    eventually(lambda: running.verify(code, "440000").verdict.decision == pb.DECISION_ADMIT, 10)


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
        (("--host", "440000", "--home", "420000", "--from", "2020-01-01T00:00:00Z", "--until", "+1h"), "past"),
        (("--host", "999999", "--home", "420000", "--until", "+1h"), "not a region"),
    ],
)
def test_a_report_against_a_rule_is_refused_in_words(running: Server, arguments: tuple[str, ...], rule: str) -> None:
    ended = command("exception", "report", "--server", running.address, "--reason", "x", *arguments)
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


def test_a_reason_stands_in_the_list_as_it_was_written(running: Server) -> None:
    odd = "[/] [b]x[/b]"  # rich would read it as markup
    asked = ("--host", "440000", "--home", "420000", "--until", "+1h", "--reason", odd)
    assert odd in expect(command("exception", "report", "--server", running.address, *asked))
    assert odd in expect(command("exception", "list", "--server", running.address))


def test_every_step_is_in_the_audit_record_and_a_changed_one_is_found(running: Server, deployment: Deployment) -> None:
    filed = report(running)
    exception(running, "acknowledge", filed["id"])
    exception(running, "withdraw", filed["id"])
    assert running.end() == 0
    lines = expect(command("audit", "show", "--data-dir", deployment.path, "--json")).splitlines()
    events = ["trust list taken", "exception reported", "exception acknowledged", "exception withdrawn"]
    assert [json.loads(line)["event"] for line in lines] == events
    verified = expect(command("audit", "verify", "--data-dir", deployment.path))
    head = verified.split()[-1]
    assert verified.startswith("4 entries, each in its place")
    expect(command("audit", "verify", "--data-dir", deployment.path, "--expect", head))
    with lmdb.open(str(deployment.path / "store"), max_dbs=6) as env:
        table = env.open_db(b"audit")
        with env.begin(db=table, write=True) as txn:
            key = (3).to_bytes(8)
            txn.put(key, txn.get(key).replace(b"a new variant", b"a new pretext"))
    ended = command("audit", "verify", "--data-dir", deployment.path)
    assert (ended.status, ended.err.strip()) == (1, "onecode: audit entry 3 is not what was written in its place")


def test_a_reason_moves_no_cursor_on_the_operators_screen(running: Server) -> None:
    why = "a \x1b[2Jnew\nvariant"
    filed = exception(running, "report", "--host", "440000", "--home", "110000", "--reason", why, "--until", "+1h")
    assert filed["reason"] == why
    shown = expect(command("exception", "list", "--server", running.address))
    assert "\x1b" not in shown
    assert r"\x1b" in shown
