"""Mutual TLS with brokers: it carries a log, and without the right files on both sides nothing is said."""

import asyncio

import pytest

from onecode_server.errors import LogUnavailable, Misconfigured
from onecode_server.log import tls_files, topics
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.log.mark_sender import MarkSender

from tests.certificates import Authority
from tests.unit.log.reading import read_count, reader_of, values, wait_until


@pytest.fixture
def by_tls(log, brokers):
    """The test's log, by the brokers' ports for mutual TLS."""
    return log._replace(
        brokers=tuple(brokers.tls.split(",")), ca=brokers.ca, cert=brokers.client_cert, key=brokers.client_key
    )


async def test_a_log_is_appended_to_and_read_over_mutual_tls(by_tls):
    assert topics.check(by_tls) == []
    appender, sender, reader = LogAppender(by_tls, "test"), MarkSender(by_tls, "test"), reader_of(by_tls)
    await appender.append(12, b"by TLS")
    sender.send(11, b"mark")
    read = read_count(reader, 2)
    assert (values(read, 12), values(read, 11)) == ([b"by TLS"], [b"mark"])
    await appender.close()
    sender.close()
    reader.close()


async def test_new_files_are_for_new_connections_and_bad_ones_change_nothing(by_tls, brokers, tmp_path, monkeypatch):
    monkeypatch.setattr(tls_files, "LOOK_S", 0.0)
    cert, key = brokers.authority.issue("spiffe://onecode.internal/machine").write(tmp_path)
    address = by_tls._replace(cert=cert, key=key)
    appender, sender, reader = LogAppender(address, "test"), MarkSender(address, "test"), reader_of(address)
    await appender.append(0, b"0")
    sender.send(1, b"0")
    read = read_count(reader, 2)
    before = appender._producer, sender._producer, reader._consumer
    brokers.authority.issue("spiffe://onecode.internal/machine").write(tmp_path)
    await asyncio.to_thread(wait_until, lambda: appender._producer is not None and appender._producer.is_outdated)
    await appender.append(0, b"1")
    sender.send(1, b"1")
    read += read_count(reader, 2)
    after = appender._producer, sender._producer, reader._consumer
    assert all(one is not other for one, other in zip(before, after, strict=True))
    cert.write_bytes(b"not a certificate")
    await asyncio.to_thread(wait_until, lambda: appender._producer is not None and appender._producer.is_outdated)
    await appender.append(0, b"2")
    sender.send(1, b"2")
    read += read_count(reader, 2)
    assert (appender._producer, sender._producer, reader._consumer) == after
    assert values(read, 0) == values(read, 1) == [b"0", b"1", b"2"]
    await appender.close()
    sender.close()
    reader.close()


@pytest.mark.parametrize("who", ["brokers of another authority", "machine of another authority"])
def test_strangers_are_not_talked_to(by_tls, tmp_path, monkeypatch, who):
    monkeypatch.setattr(topics, "ADMIN_S", 2.0)
    stranger = Authority("another root")
    ca = tmp_path / "other.crt"
    ca.write_bytes(stranger.pem)
    cert, key = stranger.issue("spiffe://onecode.internal/machine").write(tmp_path)
    wrong = by_tls._replace(ca=ca) if who.startswith("brokers") else by_tls._replace(cert=cert, key=key)
    with pytest.raises(LogUnavailable, match="does not answer"):
        topics.topic_ids(wrong)


def test_plaintext_is_not_talked_to_brokers_that_want_tls(by_tls, monkeypatch):
    monkeypatch.setattr(topics, "ADMIN_S", 2.0)
    with pytest.raises(LogUnavailable, match="does not answer"):
        topics.topic_ids(LogAddress(by_tls.brokers, prefix=by_tls.prefix))


def test_files_that_are_no_certificates_are_one_line(by_tls, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(Misconfigured) as refused:
        topics.topic_ids(by_tls._replace(cert=empty))
    assert str(refused.value).startswith("--log: ")
    assert "ssl.certificate.location" in str(refused.value)
    assert "\n" not in str(refused.value)
