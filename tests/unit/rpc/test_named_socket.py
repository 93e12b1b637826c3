"""A Unix socket with a name: its owner's alone, never another server's, and gone afterwards."""

import os
import socket
import stat
from pathlib import Path

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.rpc.named_socket import NamedSocket


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    return made


def test_it_is_its_owners_alone_and_the_umask_is_as_before(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = tmp_path / "s"
        named, made = NamedSocket(path), list[socket.socket]()
        named.bind(lambda: made.append(listening(path)))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(0o022) == 0o022
        named.remove()
        assert not path.exists()
        named.remove()
        made[0].close()
    finally:
        os.umask(before)


def test_what_an_ended_server_has_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listening(path).close()
    made = list[socket.socket]()
    NamedSocket(path).bind(lambda: made.append(listening(path)))
    made[0].close()


def test_another_server_and_another_file_are_left_alone(tmp_path: Path) -> None:
    path, file = tmp_path / "s", tmp_path / "file"
    file.write_text("text")
    with listening(path):
        with pytest.raises(Misconfigured, match="another server"):
            NamedSocket(path).bind(lambda: pytest.fail("it listens"))
        with pytest.raises(Misconfigured, match="something else"):
            NamedSocket(file).bind(lambda: pytest.fail("it listens"))
    assert path.exists()
    assert file.read_text() == "text"


def test_a_place_where_no_socket_can_be_made_is_said(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "s"
    with pytest.raises(Misconfigured, match="no socket can be made there"):
        NamedSocket(path).bind(lambda: listening(path))
