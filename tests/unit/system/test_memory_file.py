"""A file in memory: read by its path, in no directory, and gone afterwards."""

import os
import tempfile
from pathlib import Path

import pytest

from onecode_server.system.memory_file import memory_file


def test_what_is_in_it_is_read_by_its_path() -> None:
    with memory_file(b"a secret") as path:
        assert Path(path).read_bytes() == b"a secret"
        assert Path(path).read_bytes() == b"a secret"
    assert not Path(path).exists()


def test_no_directory_for_temporary_files_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with memory_file(b"a secret") as path:
        assert Path(path).read_bytes() == b"a secret"


def test_without_files_in_memory_its_owner_alone_may_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with memory_file(b"a secret") as path:
        assert Path(path).read_bytes() == b"a secret"
        assert Path(path).stat().st_mode & 0o777 == 0o600
    assert not Path(path).exists()
