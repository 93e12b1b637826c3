"""Files that are there, whole, after the power has failed: what is synced, and when."""

import errno
import os
from pathlib import Path

import pytest

from onecode_server.system import durable_files


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in order: files and directories synced, and names given."""
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        steps.append(f"sync {path.name} {path.stat().st_size if path.is_file() else 'directory'}")
        sync(handle)

    def noted_replace(path: Path, target: Path) -> Path:
        steps.append(f"rename {path.name} {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    return steps


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


def test_a_file_is_synced_before_its_name_is_given_and_the_directory_after(directory: Path, done: list[str]) -> None:
    beside = f".list.{os.getpid()}"
    for content in (b"first", b"second content"):
        durable_files.replace(directory / "list", content)
        assert (directory / "list").read_bytes() == content
        assert done == [f"sync {beside} {len(content)}", f"rename {beside} list", "sync data directory"]
        done.clear()
    assert [file.name for file in directory.iterdir()] == ["list"]


def test_a_new_file_is_synced_and_then_its_directory(directory: Path, done: list[str]) -> None:
    durable_files.create(directory / "key", b"secret", 0o600)
    assert done == [f"sync .key.{os.getpid()} 6", "sync data directory"]
    assert [(file.name, file.read_bytes(), file.stat().st_mode & 0o777) for file in directory.iterdir()] == [
        ("key", b"secret", 0o600)
    ]


def test_a_new_file_is_made_where_there_are_no_hard_links(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    durable_files.create(directory / "key", b"secret", 0o600)
    assert [(file.name, file.read_bytes()) for file in directory.iterdir()] == [("key", b"secret")]
    with pytest.raises(FileExistsError):
        durable_files.create(directory / "key", b"second", 0o600)


def test_what_is_there_is_not_created_again(directory: Path) -> None:
    (directory / "key").write_bytes(b"first")
    with pytest.raises(FileExistsError):
        durable_files.create(directory / "key", b"second", 0o600)
    assert (directory / "key").read_bytes() == b"first"


def test_each_directory_that_was_missing_is_written_down_in_the_one_above(directory: Path, done: list[str]) -> None:
    durable_files.make_directories(directory / "a" / "b", 0o700)
    assert sorted(done) == ["sync a directory", "sync data directory"]
    done.clear()
    durable_files.make_directories(directory / "a" / "b", 0o700)
    assert done == []


def test_a_full_disk_leaves_what_was_there_and_nothing_beside_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable_files.replace(directory / "list", b"good")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        durable_files.replace(directory / "list", b"bad")
    with pytest.raises(OSError, match="No space left"):
        durable_files.create(directory / "key", b"half", 0o600)
    assert [(file.name, file.read_bytes()) for file in directory.iterdir()] == [("list", b"good")]


def test_what_a_killed_process_left_beside_a_file_is_in_nobodys_way(directory: Path) -> None:
    (directory / f".list.{os.getpid()}").write_bytes(b"half")
    durable_files.replace(directory / "list", b"whole")
    assert [(file.name, file.read_bytes()) for file in directory.iterdir()] == [("list", b"whole")]


def test_a_file_system_that_syncs_no_directories_is_taken_as_it_is(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def files_alone(handle: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{handle}")).is_dir():
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", files_alone)
    durable_files.replace(directory / "list", b"whole")
    assert (directory / "list").read_bytes() == b"whole"
