"""The address of a log: brokers by name or IP address, one clear line for everything else."""

import pytest

from onecode_server.log.address import LogAddress, read_address, read_prefix


@pytest.mark.parametrize(
    "text",
    [
        "kafka://127.0.0.1:9092",
        "kafka://broker-1.example:9092,broker-2.example:9093",
        "kafka://[::1]:9092",
        "kafka://" + ",".join(f"b{number}:1" for number in range(16)),
    ],
)
def test_an_address_is_written_as_it_was_read(text):
    address = read_address(text)
    assert address is not None
    assert str(address) == text
    assert address.brokers == tuple(text.removeprefix("kafka://").split(","))


def test_an_empty_text_is_no_log():
    assert read_address("") is None


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:9092",
        "kafka://",
        "kafka://broker",
        "kafka://broker:",
        "kafka://broker:0",
        "kafka://broker:65536",
        "kafka://broker:90920",
        "kafka://broker:²",
        "kafka://:9092",
        "kafka://a:1,",
        "kafka://a:1,,b:1",
        "kafka://a:1, b:1",
        "kafka://user:word@a:1",
        "kafka://a:1/topic",
        "kafka://::1:9092",
        "kafka://a\n:1",
        "kafka://" + "a" * 256 + ":1",
        "amqp://a:1",
        "kafka://" + ",".join(f"b{number}:1" for number in range(17)),
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="expected"):
        read_address(text)


@pytest.mark.parametrize(
    ("brokers", "is_loopback"),
    [
        (("127.0.0.1:9092", "localhost:9093", "[::1]:1"), True),
        (("127.0.0.1:9092", "10.0.0.1:9092"), False),
        (("localhost.example:9092",), False),
        (("broker:9092",), False),
    ],
)
def test_an_address_knows_whether_others_could_read_what_is_sent_there(brokers, is_loopback):
    assert LogAddress(brokers).is_loopback is is_loopback


def test_a_prefix_is_part_of_a_topics_name():
    assert read_prefix("onecode.staging_2-") == "onecode.staging_2-"
    for bad in ("", "a b", "a/b", "a:b", "ä", "x" * 65):
        with pytest.raises(ValueError, match="expected up to 64"):
            read_prefix(bad)
