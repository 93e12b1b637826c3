"""``onecode log``: topics are made as they must be, each fault is a line, and a partition without a leader is seen."""

import json

import pytest

from onecode_server.log import topics

from tests.integration.deployment import called, expect


@pytest.fixture
def options(brokers):
    """The options of a log whose topics are not there yet."""
    prefix = brokers.fresh_prefix()
    yield "--log", f"kafka://{brokers.plaintext}", "--log-topic-prefix", prefix
    brokers.restore()
    brokers.admin.delete_topics([f"{prefix}status", f"{prefix}decisions"])


@pytest.fixture
def made(options, brokers):
    """The options of a log whose topics are there."""
    expect(called("log", "init", *options))
    brokers.await_topics(f"{options[-1]}status", f"{options[-1]}decisions")
    return options


def test_topics_are_made_once_and_are_as_they_must_be(options, brokers):
    names = [f"{options[-1]}{topic.name}" for topic in topics.TOPICS]
    assert expect(called("log", "init", *options)).splitlines() == [f"{name}: made" for name in names]
    brokers.await_topics(*names)
    again = expect(called("log", "init", *options)).splitlines()
    assert again == [f"{name}: was there, see onecode log check" for name in names]
    assert expect(called("log", "check", *options)) == "the topics are as they must be\n"


def test_each_fault_is_a_line_and_the_status_is_1(options, brokers):
    ended = called("log", "init", *options, "--replication-factor", 1)
    assert (ended.status, ended.err) == (0, "1 replicas suit a developer's machine alone: 3 keep records\n")
    brokers.await_topics(f"{options[-1]}status", f"{options[-1]}decisions")
    ended = called("log", "check", *options)
    assert ended.status == 1
    assert ended.out.splitlines() == [
        f"{options[-1]}{name}: {fault}"
        for name in ("status", "decisions")
        for fault in ("1 replicas, which must be at least 3", "min.insync.replicas is 1, and must be at least 2")
    ]
    assert ended.err.startswith("onecode: 4 faults: records could be lost.")


def test_each_partition_is_shown_with_its_leader_and_its_ends(made):
    shown = expect(called("log", "status", *made))
    assert "3 of 3" in shown
    rows = [json.loads(line) for line in expect(called("log", "status", *made, "--json")).splitlines()]
    assert [row["partition"] for row in rows] == [*range(13)]
    assert {row["topic"] for row in rows[:12]} == {f"{made[-1]}status"}
    assert (rows[12]["topic"], rows[12]["number"]) == (f"{made[-1]}decisions", 0)
    assert all((row["in_sync"], row["replicas"], row["first"], row["next"]) == (3, 3, 0, 0) for row in rows)
    assert all(row["leader"] in made[1] for row in rows)


def test_a_partition_without_a_leader_is_seen(options, brokers):
    expect(called("log", "init", *options, "--replication-factor", 1))
    status = f"{options[-1]}status"
    brokers.await_topics(status, f"{options[-1]}decisions")
    brokers.leader_of(status, 3).kill()
    brokers.await_loss_of(status, 3)
    ended = called("log", "status", *options)
    assert ended.status == 1
    assert "none" in ended.out
    assert "partitions have no leader: nothing can be written to them" in ended.err


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ((), "--log is missing"),
        (("--log", "127.0.0.1:9092"), "--log '127.0.0.1:9092': expected kafka://HOST:PORT"),
        (("--log", "kafka://127.0.0.1:1", "--log-ca", "ca.pem"), "belong together: give all three"),
        (("--log", "kafka://127.0.0.1:1", "--log-topic-prefix", "a/b"), "--log-topic-prefix 'a/b': expected up to 64"),
    ],
)
@pytest.mark.parametrize("command", ["init", "check", "status"])
def test_a_mistake_is_one_line(command, given, line):
    ended = called("log", command, *given)
    assert ended.status == 2
    assert line in ended.err
    assert ended.err.count("\n") == 1


def test_the_settings_file_of_the_server_says_where_the_log_is(made, tmp_path):
    file = tmp_path / "onecode.toml"
    file.write_text(f'log = "{made[1]}"\nlog_topic_prefix = "{made[-1]}"\nworkers = 2\n')
    assert expect(called("log", "check", "--config", file)) == "the topics are as they must be\n"


def test_brokers_that_are_not_there_are_one_line(monkeypatch):
    monkeypatch.setattr(topics, "ADMIN_S", 1.0)
    ended = called("log", "check", "--log", "kafka://127.0.0.1:9")
    assert ended.status == 1
    assert ended.err.startswith("onecode: kafka://127.0.0.1:9 does not answer")
    assert ended.err.count("\n") == 1
