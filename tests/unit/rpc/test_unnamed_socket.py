"""The socket between two parts of a process has no name that another process could use, and leaves nothing behind."""

import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from onecode_server.rpc.unnamed_socket import UnnamedSocket, private_path


def bound_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[UnnamedSocket, socket.socket]:
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    listening = socket.socket(socket.AF_UNIX)
    with private_path() as path:
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        listening.bind(str(path))
        listening.listen()
        return UnnamedSocket(path), listening


def test_this_process_connects_and_the_file_system_has_no_name_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnamed, listening = bound_in(tmp_path, monkeypatch)
    with listening, socket.socket(socket.AF_UNIX) as calling:
        assert list(tmp_path.iterdir()) == []
        calling.connect(unnamed.path)
        accepted, _ = listening.accept()
        with accepted:
            accepted.sendall(b"here")
            assert calling.recv(4) == b"here"
    unnamed.close()


def test_another_process_finds_nothing_under_the_same_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unnamed, listening = bound_in(tmp_path, monkeypatch)
    program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    with listening:
        for path in (unnamed.path, listening.getsockname()):
            ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, timeout=60, check=False)
            assert ran.returncode != 0
    unnamed.close()
