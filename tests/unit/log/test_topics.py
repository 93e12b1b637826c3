"""The topics of a log: made as they must be, told apart by their ids, and each wrong setting is one line."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from onecode_server.errors import LogUnavailable
from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.topics import Setting
from onecode_server.model.partition import ALL


def test_topics_that_were_made_are_as_they_must_be(log):
    assert topics.check(log) == []
    assert topics.create(log, 3) == []  # they are there


def test_each_partition_has_a_place_of_its_own(log):
    places = {topics.topic_of(log, partition) for partition in ALL}
    assert len(places) == 13
    assert topics.partitions_of(log) == {topics.topic_of(log, partition): partition for partition in ALL}
    assert {name for name, _ in places} == set(topics.names(log))


def test_each_wrong_setting_is_one_line(log, brokers):
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

    status, decisions = topics.names(log)
    wrong = {"min.insync.replicas": "1", "message.timestamp.type": "CreateTime", "retention.ms": "604799999"}
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in wrong.items()]
    resource = ConfigResource(ResourceType.TOPIC, status, incremental_configs=entries)
    brokers.admin.incremental_alter_configs([resource])[resource].result(30)
    brokers.delete_topic(decisions)
    settings = {"retention.ms": "3600000", "cleanup.policy": "compact"}
    new = NewTopic(decisions, num_partitions=2, replication_factor=1, config=settings)
    brokers.admin.create_topics([new])[decisions].result(30)
    brokers.await_topics(decisions)
    assert topics.check(log) == [
        f"{status}: min.insync.replicas is 1, and must be at least 2",
        f"{status}: message.timestamp.type is CreateTime, and must be LogAppendTime",
        f"{status}: retention.ms is 604799999, and must be at least 604800000",
        f"{decisions}: 2 partitions, which must be 1",
        f"{decisions}: 1 replicas, which must be at least 3",
        f"{decisions}: min.insync.replicas is 1, and must be at least 2",
        f"{decisions}: message.timestamp.type is CreateTime, and must be LogAppendTime",
        f"{decisions}: cleanup.policy is compact, and must be delete",
        f"{decisions}: compression.type is producer, and must be uncompressed",
        f"{decisions}: retention.ms is 3600000, and must be -1",
        f"{decisions}: flush.messages is 9223372036854775807, and must be 1",
    ]


def test_a_topic_that_is_not_there_is_one_line(log, brokers):
    decisions = topics.names(log)[1]
    brokers.delete_topic(decisions)
    (line,) = topics.check(log)
    assert line.startswith(f"{decisions}: UNKNOWN_TOPIC_OR_PART")
    with pytest.raises(LogUnavailable, match="UNKNOWN_TOPIC_OR_PART"):
        topics.topic_ids(log)
    assert topics.create(log, 3) == [decisions]
    brokers.await_topics(decisions)
    assert topics.check(log) == []


def test_a_topic_that_was_made_anew_has_another_id(log, brokers):
    before = topics.topic_ids(log)
    status, decisions = topics.names(log)
    assert set(before) == {status, decisions}
    brokers.delete_topic(status)
    assert topics.create(log, 3) == [status]
    brokers.await_topics(status)
    after = topics.topic_ids(log)
    assert after[decisions] == before[decisions]
    assert after[status] != before[status]


@pytest.mark.parametrize(("dropped", "asked"), [(0, 1), (2, 3), (9, 3)])
def test_a_question_that_the_library_dropped_is_asked_again(monkeypatch, dropped, asked):
    confluent_kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed (onecode[log])")
    address = LogAddress(("127.0.0.1:1",))
    fault = confluent_kafka.KafkaException(confluent_kafka.KafkaError(confluent_kafka.KafkaError._DESTROY_BROKER))
    questions = 0

    def describe(*_: object, **__: object) -> dict[str, Future[Any]]:
        nonlocal questions
        questions += 1
        answers: dict[str, Future[Any]] = {name: Future() for name in topics.names(address)}
        for answer in answers.values():
            if questions <= dropped:
                answer.set_exception(fault)
            else:
                answer.set_result(SimpleNamespace(topic_id="of the topic"))
        return answers

    monkeypatch.setattr("confluent_kafka.admin.AdminClient.describe_topics", describe)
    if dropped < asked:
        assert topics.topic_ids(address) == dict.fromkeys(topics.names(address), "of the topic")
    else:
        with pytest.raises(LogUnavailable, match="_DESTROY_BROKER"):
            topics.topic_ids(address)
    assert questions == asked


def test_brokers_that_do_not_answer_are_one_line(log, brokers, monkeypatch):
    monkeypatch.setattr(topics, "ADMIN_S", 1.0)
    for node in brokers.nodes:
        node.pause()
    with pytest.raises(LogUnavailable, match="does not answer"):
        topics.check(log)
    with pytest.raises(LogUnavailable, match="does not answer"):
        topics.topic_ids(log)


@pytest.mark.parametrize(
    ("value", "is_least", "found", "is_allowed"),
    [
        ("false", False, "false", True),
        ("false", False, "true", False),
        ("1", False, "2", False),
        ("2", True, "2", True),
        ("2", True, "3", True),
        ("2", True, "1", False),
        ("604800000", True, "-1", True),
        ("2", True, "two", False),
        ("2", True, "", False),
    ],
)
def test_a_setting_is_exactly_so_or_at_least_so_much(value, is_least, found, is_allowed):
    assert Setting(value, is_least).allows(found) is is_allowed
