"""The files of TLS with brokers: a change is told once, and a file that cannot be used is one line before anything."""

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.log import tls_files
from onecode_server.log.address import LogAddress
from onecode_server.log.tls_files import TlsFiles, expect_files


@pytest.fixture
def address(tmp_path, monkeypatch):
    """An address with three files, which are looked at whenever it is asked."""
    monkeypatch.setattr(tls_files, "LOOK_S", 0.0)
    files = [tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem")]
    for file in files:
        file.touch(0o600)
    return LogAddress(("broker:9093",), *files)


def replace(path, text):
    beside = path.with_suffix(".new")
    beside.touch(0o600)
    beside.write_text(text)
    beside.replace(path)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_each_change_of_a_file_is_told_once(address, name):
    files = TlsFiles(address)
    assert not files.have_changed()
    for text in ("one", "two"):
        replace(getattr(address, name), text)
        assert files.have_changed()
        assert not files.have_changed()


def test_a_file_that_is_just_being_replaced_is_a_change_once_it_is_back(address):
    files = TlsFiles(address)
    address.cert.unlink()
    assert not files.have_changed()
    replace(address.cert, "back")
    assert files.have_changed()


def test_the_files_are_not_looked_at_each_time(address, monkeypatch):
    monkeypatch.setattr(tls_files, "LOOK_S", 3600.0)
    files = TlsFiles(address)
    replace(address.cert, "other")
    assert not files.have_changed()


def test_plaintext_has_no_files():
    plaintext = LogAddress(("127.0.0.1:9092",))
    assert not TlsFiles(plaintext).have_changed()
    expect_files(plaintext)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_a_file_that_is_not_there_is_one_line(address, name):
    expect_files(address)
    getattr(address, name).unlink()
    with pytest.raises(Misconfigured, match=rf"cannot read .*{name}\.pem: No such file"):
        expect_files(address)


def test_a_key_that_others_can_read_is_one_line(address):
    address.key.chmod(0o640)
    with pytest.raises(Misconfigured, match="open to more than its owner"):
        expect_files(address)
