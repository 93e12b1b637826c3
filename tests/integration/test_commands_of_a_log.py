"""Commands beside the servers of machines that share a log: what they prove, compare and change, on real brokers."""

import json
import re

import pytest

from onecode_server.model import audit
from onecode_server.stores import layout
from onecode_server.stores.lmdb_replica import LmdbReplica

from tests.integration import machines_of_a_log
from tests.integration.deployment import called, command, eventually, expect, record

APPLIED_S = 11
"""What another machine, which is busy with other things, may need to apply a message."""


@pytest.fixture
def machines(made, tmp_path, log, serve):
    """Two machines that serve, confirmed in all partitions."""
    copies = machines_of_a_log.members(made, tmp_path, 2)
    servers = [serve(copy, *machines_of_a_log.flags(log)) for copy in copies]
    for server in servers:
        machines_of_a_log.await_confirmed(server)
    return list(zip(copies, servers, strict=True))


def verified(deployment, *more):
    return called("audit", "verify", "--data-dir", deployment.path, *more)


def change_store(deployment, work):
    """Change a store by hand, whose server has ended."""
    store = LmdbReplica(deployment.path / "store")
    store.apply(work)
    store.close_here()


def change_entry(deployment, number, change):
    """Change a stored entry by hand, with the hashes that would then belong to it and to those behind it."""

    def work(state):
        last, table = None, state._tables["audit"]
        for key, data in [*state._txn.cursor(db=table)]:
            entry = audit.unpack(data)
            entry = change(entry) if entry.number == number else entry
            last = audit.chain(last, entry.time, entry.event, entry.subject, entry.details)
            state._txn.put(key, audit.pack(last), db=table)

    change_store(deployment, work)


def report_exceptions(server, count):
    asked = ("--host", "440000", "--home", "420000", "--reason", "rebuilding", "--until", "+2h")
    for _ in range(count):
        expect(called("exception", "report", "--server", server.address, *asked))


def test_the_audit_record_is_proved_by_the_log_and_each_change_by_hand_is_named(machines, log):
    (one, first), (other, second) = machines
    report_exceptions(first, 3)
    flags = machines_of_a_log.flags(log)
    eventually(lambda: "4 entries" in expect(verified(other)), APPLIED_S)  # with that of the trust list
    said = [expect(verified(each, *flags)) for each in (one, other)]
    pattern = r"4 entries, hash chain intact, 4 as \d+ messages of the log decide; head ([0-9a-f]{64})\n"
    assert all(re.fullmatch(pattern, line) for line in said)
    assert len({line.split()[-1] for line in said}) == 1
    assert second.end() == 0
    change_entry(other, 3, lambda entry: entry._replace(details={**entry.details, "reason": "no reason"}))
    assert verified(other).status == 0  # the record was rewritten as a whole
    refused = verified(other, *flags)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "audit entry 3 differs from the log's: exception reported of " in refused.err
    assert verified(one, *flags).status == 0


def test_an_audit_record_that_is_longer_or_shorter_than_the_logs_is_refused(machines, log):
    (_, first), (other, second) = machines
    flags = machines_of_a_log.flags(log)
    report_exceptions(first, 1)
    eventually(lambda: "2 entries" in expect(verified(other)), APPLIED_S)
    assert second.end() == 0
    change_store(other, lambda state: state.record(1, "exception reported", "somebody", {}))
    assert "audit entry 3 (exception reported) is not in the log, whose last is 2" in verified(other, *flags).err
    keys = [layout.number(number) for number in (2, 3)]
    change_store(other, lambda state: [state._txn.delete(key, db=state._tables["audit"]) for key in keys])
    refused = verified(other, *flags)
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "audit entry 2 (exception reported of " in refused.err


def test_a_log_that_ends_before_the_store_does_proves_nothing(machines, log):
    (_, _), (other, second) = machines
    assert second.end() == 0
    change_store(other, lambda state: state.set_partition(12, state.partition(12)._replace(offset=1_000_000)))
    refused = verified(other, *machines_of_a_log.flags(log))
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "and this machine has applied 1000000 of them" in refused.err


def test_a_store_without_a_log_is_verified_without_one(deployment, log):
    expect(deployment.publish(record("420000", "RED", "wang")))
    refused = verified(deployment, *machines_of_a_log.flags(log))
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "belongs to no log" in refused.err
    assert verified(deployment).status == 0


def status_rows(deployment, log, status=0):
    ended = called("log", "status", "--data-dir", deployment.path, *machines_of_a_log.flags(log), "--json")
    assert ended.status == status, ended.err
    rows = [json.loads(line) for line in ended.out.splitlines()]
    return rows[:13], {row["machine"]: row for row in rows[13:]}, ended.err


def test_status_shows_how_far_a_machine_is_and_that_all_are_equal(machines, log):
    (one, first), (other, second) = machines
    report_exceptions(first, 1)
    eventually(lambda: "2 entries" in expect(verified(other)), APPLIED_S)
    partitions, heard, _ = status_rows(one, log)
    assert all(0 <= row["confirmed_age_s"] < 60 and row["lag"] >= 0 and row["applied"] > 0 for row in partitions)
    assert [row["digest"] for row in partitions[12:]] == [machines_of_a_log.state(second)["partitions"]["12"]["digest"]]
    assert heard.keys() == {machines_of_a_log.state(server)["machine"] for server in (first, second)}
    assert [row["is_this"] for row in heard.values()].count(True) == 1
    assert all(row["equal"] == [*range(13)] for row in heard.values())
    head = expect(verified(one)).split()[-1]
    assert {row["audit_head"] for row in heard.values()} == {head}
    shown = expect(called("log", "status", "--data-dir", one.path, *machines_of_a_log.flags(log)))
    assert "equal in all" in shown
    assert head[:12] in shown


def test_status_names_the_machine_whose_digest_differs(machines, log):
    (one, first), (_, second) = machines
    away = machines_of_a_log.state(second)["machine"]
    assert second.end() == 0
    machines_of_a_log.await_confirmed(first)  # has applied the last mark of the other one
    assert first.end() == 0

    def spoil(state):
        for key, data in [*state._txn.cursor(db=state._tables["log_checkpoints"])]:
            if key[0] == 7:
                state._txn.put(key, bytes([data[0] ^ 1]) + data[1:], db=state._tables["log_checkpoints"])

    change_store(one, spoil)
    _, heard, line = status_rows(one, log, status=1)
    assert heard[away]["differing"] == [7]
    assert line.startswith("onecode: not all machines are equal: this one differs from ")
    assert away in line


def test_a_revision_is_set_back_through_the_log_on_all_machines(machines, log, tmp_path):
    (one, first), (other, second) = machines
    flags = machines_of_a_log.flags(log)
    file = tmp_path / "records.ndjson"
    file.write_text(json.dumps(record("420000", "YELLOW", "wang", revision=2**61)), "utf-8")
    expect(called("status", "publish", "--server", first.address, "--file", file))
    named = ("--region", "420000", "--id", "wang")
    asked = ("status", "reset-revision", "--data-dir", one.path, *named, "--publisher", "420000", "--to", 4)
    refused = called(*asked)
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "belongs to a log, through which a change must go: give --log" in refused.err
    assert expect(command(*asked, *flags)) == f"the last revision of 420000 was {2**61}, and is 4 now\n"

    def revisions(server):
        shown = expect(called("status", "get", "--server", server.address, *named, "--json"))
        return [json.loads(line)["revision"] for line in shown.splitlines()]

    assert revisions(first) == ["4"]
    eventually(lambda: revisions(second) == ["4"], APPLIED_S)
    eventually(lambda: "revision reset" in expect(called("audit", "show", "--data-dir", other.path)), APPLIED_S)
    again = called(*asked, *flags)
    assert (again.status, again.err.count("\n")) == (2, 1)
    assert "the last revision is 4" in again.err
    assert verified(one, *flags).status == 0


def test_a_revision_is_not_set_back_where_no_server_applies_the_log(machines, log):
    (one, first), _ = machines
    assert first.end() == 0
    named = ("--region", "420000", "--id", "wang", "--publisher", "420000", "--to", 4)
    asked = ("status", "reset-revision", "--data-dir", one.path, *named, *machines_of_a_log.flags(log))
    eventually(lambda: called(*asked).status == 1, APPLIED_S)
    refused = called(*asked)
    assert "no server of this machine has applied the log within 5 s" in refused.err
    assert refused.err.count("\n") == 1
