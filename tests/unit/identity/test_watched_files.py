"""Files that are one value: taken whole, the last good one kept, and faults reported once they have lasted."""

import asyncio
import logging
import os
import threading
from pathlib import Path

import pytest

from onecode_server.errors import Malformed, Misconfigured
from onecode_server.identity.watched_files import PATIENCE_S, File, NotNow, WatchedFiles

from tests.unit.identity.conftest import Times

NAME = "server_certificate"


def read(files: list[File]) -> str:
    """Return what both files say, if they say the same."""
    one, other = (file.content.decode() for file in files)
    if one == "tomorrow":
        raise NotNow("not yet")
    if one != other:
        raise Malformed("they do not fit")
    return one


def write(directory: Path, one: str | None = None, other: str | None = None) -> list[Path]:
    paths = [directory / "one", directory / "other"]
    for path, text in zip(paths, (one, other), strict=True):
        if text is not None:
            path.write_text(text)
    return paths


@pytest.fixture
def files(tmp_path: Path, times: Times):
    made = WatchedFiles(NAME, write(tmp_path, "a", "a"), 10, read, times.metrics, times.monotonic)
    yield made
    made.close()


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


async def lasting(files: WatchedFiles[str], times: Times) -> None:
    """Let a fault last until it is reported."""
    await files.refresh()
    times.pass_by(PATIENCE_S)
    await files.refresh()


async def test_both_are_taken_once_they_fit_and_nothing_is_said_in_between(files, tmp_path, times, caplog):
    caplog.set_level(logging.INFO)
    write(tmp_path, one="b")
    assert not await files.refresh()
    times.pass_by(PATIENCE_S - 1)
    assert not await files.refresh()
    assert (files.value, files.fault) == ("a", None)
    write(tmp_path, other="b")
    assert await files.refresh()
    assert (files.value, files.fault) == ("b", None)
    assert caplog.records == []
    assert times.metric("onecode_identity_files_refused_total", file=NAME) is None


async def test_a_fault_that_lasts_is_reported_once_and_its_end_too(files, tmp_path, times, caplog):
    caplog.set_level(logging.INFO)
    write(tmp_path, one="b")
    for _ in range(3):
        await lasting(files, times)
    assert (files.value, files.fault) == ("a", "they do not fit")
    assert times.metric("onecode_identity_files_refused_total", file=NAME) == 1
    assert times.metric("onecode_identity_files_fault", file=NAME) == 1
    write(tmp_path, one="a")
    await files.refresh()
    assert (files.value, files.fault) == ("a", None)
    assert times.metric("onecode_identity_files_fault", file=NAME) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text("x" * 11), "larger than 10 bytes"),
        (_directory, "no regular file"),
        (_pipe, "no regular file"),
    ],
)
async def test_a_file_that_cannot_be_read_keeps_the_last_good_value(files, tmp_path, times, spoil, why):
    spoil(tmp_path / "other")
    await lasting(files, times)
    assert files.value == "a"
    assert why in str(files.fault)
    assert str(tmp_path / "other") in str(files.fault)


async def test_a_change_of_one_file_is_not_lost_while_the_other_cannot_be_read(files, tmp_path):
    (tmp_path / "other").unlink()
    write(tmp_path, one="b")
    await files.refresh()
    write(tmp_path, other="b")
    assert await files.refresh()
    assert files.value == "b"


async def test_the_same_content_anew_is_the_same_object(files, tmp_path):
    value = files.value
    for path in write(tmp_path):
        path.rename(path.with_suffix(".old"))
    write(tmp_path, "a", "a")
    assert not await files.refresh()
    assert files.value is value


async def test_what_is_good_later_is_taken_later_without_another_change(tmp_path, times):
    is_later = False

    def read_later(files: list[File]) -> str:
        if files[0].content == b"b" and not is_later:
            raise NotNow("not yet")
        return files[0].content.decode()

    files = WatchedFiles(NAME, write(tmp_path, "a", "a")[:1], 10, read_later, times.metrics, times.monotonic)
    write(tmp_path, one="b")
    await lasting(files, times)
    assert (files.value, files.fault) == ("a", "not yet")
    is_later = True
    assert await files.refresh()
    assert (files.value, files.fault) == ("b", None)
    files.close()


async def test_a_failure_that_nobody_expected_is_reported_without_its_text_and_tried_again(tmp_path, times):
    def fail(files: list[File]) -> str:
        if files[0].content == b"b":
            raise KeyError("the content of the file")
        return "a"

    files = WatchedFiles(NAME, write(tmp_path, "a", "a")[:1], 10, fail, times.metrics, times.monotonic)
    write(tmp_path, one="b")
    await lasting(files, times)
    assert (files.value, files.fault) == ("a", "KeyError")
    files.close()


async def test_a_change_of_permissions_is_seen(tmp_path, times):
    (path, _) = write(tmp_path, "a", "a")
    path.chmod(0o600)
    files = WatchedFiles(NAME, [path], 10, lambda files: files[0].mode, times.metrics, times.monotonic)
    assert files.value == 0o600
    path.chmod(0o644)
    assert await files.refresh()
    assert files.value == 0o644
    files.close()


async def test_links_to_a_directory_that_is_swapped_are_followed_anew(tmp_path, times):
    """The way in which Kubernetes replaces the files of a mounted secret: one rename for all of them."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        write(tmp_path / version, version, version)
    (tmp_path / "..data").symlink_to("v1")
    for name in ("one", "other"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    files = WatchedFiles(NAME, [tmp_path / "one", tmp_path / "other"], 10, read, times.metrics, times.monotonic)
    assert files.value == "v1"
    (tmp_path / "..data_tmp").symlink_to("v2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert await files.refresh()
    assert files.value == "v2"
    files.close()


async def test_a_look_that_hangs_is_a_fault_until_it_has_ended(files, times, monkeypatch):
    goes_on = threading.Event()

    def hang() -> None:
        goes_on.wait()

    monkeypatch.setattr(files, "_look", hang)
    look = asyncio.create_task(files.refresh())
    await asyncio.sleep(0)
    times.pass_by(PATIENCE_S + 1)
    assert files.fault == "the files were not looked at for 11 s"
    assert times.metric("onecode_identity_files_fault", file=NAME) == 1
    goes_on.set()
    await look
    assert files.fault is None


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("a", "b", "they do not fit"),
        ("a", None, "No such file"),
        ("tomorrow", "a", "not yet"),
        ("x" * 11, "a", "larger"),
    ],
)
def test_bad_files_at_the_start_are_a_mistake_of_the_settings(tmp_path, times, one, other, why):
    with pytest.raises(Misconfigured, match=f"^{NAME}: .*{why}"):
        WatchedFiles(NAME, write(tmp_path, one, other), 10, read, times.metrics, times.monotonic)
