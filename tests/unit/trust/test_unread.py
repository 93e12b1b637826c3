"""A trust list that is not read: tried again at each look, said everywhere, and after a time nobody is admitted."""

import asyncio
import errno
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from onecode_server.crypto.signing import Signer
from onecode_server.errors import StoreUnavailable
from onecode_server.model.code import Scan, Scans
from onecode_server.model.verdict import Authenticity, Decision, Reason
from onecode_server.system import watched_file
from onecode_server.system.clock import every
from onecode_server.system.watched_file import SETTLING_S
from onecode_server.trust import document as trust_list
from onecode_server.trust.source import LATE_S, TrustSource

from tests.pairwise import each_value
from tests.world import HOUR, World

UNREAD_MAX_S = 30.0
ERRNOS = [
    errno.EMFILE,
    errno.ENFILE,
    errno.EACCES,
    errno.EIO,
    errno.ESTALE,
    errno.ENOENT,
    errno.ENOMEM,
    errno.ETIMEDOUT,
]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose list must be looked at."""
    made = World(tmp_path, trust_list_unread_max_s=UNREAD_MAX_S)
    await made.start()
    yield made
    await made.store.close()


@contextmanager
def failing(name: str, fault: Exception, path: Path) -> Iterator[None]:
    """Let one of the system's calls fail: of all files, where it is not told a path."""
    real = getattr(os, name)

    def fails(*given: Any, **more: Any) -> Any:
        if name != "open" or Path(given[0]) == path:
            raise fault
        return real(*given, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, name, fails)
        yield


def revoke(world: World, region: str = "420000") -> None:
    """Write the next list, in which a region's key is revoked."""
    world.entry(region)["keys"][0]["state"] = "revoked"
    world.sign_list()


def in_place(file: Path, content: bytes) -> None:
    """Write over a file, and leave its size and its time of modification as they are."""
    status = file.stat()
    assert status.st_size == len(content)
    with file.open("r+b") as opened:
        opened.write(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == (status.st_mtime_ns, status.st_ino)


def with_a_wrong_bit(content: bytes) -> bytes:
    """Return a list of the same length whose signature is wrong."""
    return content[:-5] + (b"A" if content[-5:-4] != b"A" else b"B") + content[-4:]


def sample(world: World, name: str) -> float | None:
    return world.metrics.registry.get_sample_value(name)


async def pass_by(world: World, seconds: float) -> None:
    """Let time pass, and the file be looked at then."""
    world.monotonic_s += seconds
    await world.trust.refresh()


async def answers(world: World) -> set[tuple[Decision, Reason]]:
    """Return what a green code is answered, by itself, in columns, and by whoever translates it."""
    codes = [world.code("420000", subject=f"id-{n}") for n in range(40)]
    one = (await world.batcher.submit(Scan(codes[0], "110000"))).verdict
    together = (await world.batcher.submit_batch(Scans.at("110000", codes))).verdicts
    translation = await world.translate(codes[0], "440000")
    assert bool(translation.code) == (translation.verdict.decision is Decision.ADMIT)
    return {(verdict.decision, verdict.reason) for verdict in (one, *together, translation.verdict)}


ADMITTED = {(Decision.ADMIT, Reason.GREEN)}
HELD_UP = {(Decision.CHECK, Reason.TRUST_LIST_OUT_OF_DATE)}
REVOKED = {(Decision.REFUSE, Reason.KEY_REVOKED)}


@pytest.mark.parametrize(("number", "name"), each_value(ERRNOS, ["open", "fstat", "read"]))
async def test_what_could_not_be_read_for_a_moment_is_tried_again_at_each_look(world: World, name: str, number: int):
    revoke(world)
    with failing(name, OSError(number, os.strerror(number)), world.file):
        for _ in range(3):
            await world.trust.refresh()
            assert str(world.trust.fault) == f"the trust list cannot be read: {os.strerror(number)}"
    assert sample(world, "onecode_trust_list_refused_total") == 1  # the fault, not each look
    assert await answers(world) == ADMITTED
    await world.trust.refresh()
    assert (world.trust.current.version, world.trust.fault) == (2, None)
    assert await answers(world) == REVOKED


@pytest.mark.parametrize(
    "fault", [MemoryError(), RuntimeError("can't start new thread"), ValueError("a bug")], ids=repr
)
@pytest.mark.parametrize("where", ["read", "thread", "believe", "prepare", "durable"])
async def test_whatever_fails_on_the_way_fails_no_look_after_it(
    world: World, monkeypatch, where: str, fault: Exception
):
    def fails(*_: Any, **__: Any) -> Any:
        raise fault

    revoke(world)
    with monkeypatch.context() as patched:
        target, name = {
            "read": (os, "read"),
            "thread": (asyncio, "to_thread"),
            "believe": (trust_list, "parse"),
            "prepare": (world.backend, "prepare"),
            "durable": (world.store, "remember_list"),
        }[where]
        patched.setattr(target, name, fails)
        await world.trust.refresh()
        await pass_by(world, 1)
        assert (world.trust.current.version, world.trust.fault is None, world.trust.unread_s) == (1, False, 1)
    await world.trust.refresh()
    assert (world.trust.current.version, world.trust.fault, world.trust.unread_s) == (2, None, 0)


async def test_a_look_that_was_cancelled_is_made_again(world: World, monkeypatch):
    revoke(world)
    asked, stays = asyncio.Event(), asyncio.Event()

    async def waits(*_: Any) -> Any:
        asked.set()
        await stays.wait()

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "remember_list", waits)
        refresh = asyncio.create_task(world.trust.refresh())
        await asked.wait()
        refresh.cancel()
        assert (await asyncio.gather(refresh, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    await world.trust.refresh()
    assert world.trust.current.version == 2


async def test_the_watch_goes_on_through_every_fault(world: World):
    watch = asyncio.create_task(every(0.001, world.trust.refresh))
    try:
        for fault in (OSError(errno.EIO, "x"), MemoryError(), RuntimeError("x"), StoreUnavailable("x"), KeyError("x")):
            with failing("read", fault, world.file):
                world.file.touch()
                await _until(lambda: world.trust.fault is not None)
            await _until(lambda: world.trust.fault is None)
        revoke(world)
        await _until(lambda: world.trust.current.version == 2)
        assert not watch.done()
    finally:
        watch.cancel()


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(4000):
        if holds():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("not within 20 s")


async def test_a_file_that_changes_while_it_is_read_is_read_again(world: World):
    good, real = world.file.read_bytes(), os.read
    revoke(world)

    def read(handle: int, size: int) -> bytes:
        part = real(handle, size)
        world.file.write_bytes(good)
        return part

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "read", read)
        await world.trust.refresh()
        assert "changed while it was read" in str(world.trust.fault)
        assert world.trust.current.version == 1
    revoke(world)
    await world.trust.refresh()
    assert (world.trust.current.version, world.trust.fault) == (3, None)


async def test_a_read_that_ends_too_soon_is_none(world: World):
    revoke(world)
    parts = [world.file.read_bytes()[:100], b""] * 2
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "read", lambda *_: parts.pop(0))
        await world.trust.refresh()
        assert "changed while it was read" in str(world.trust.fault)
    await world.trust.refresh()
    assert (world.trust.current.version, world.trust.fault) == (2, None)


async def test_a_refused_list_is_tried_again_when_nothing_but_its_ctime_changes(world: World):
    world.file.write_bytes(with_a_wrong_bit(world.file.read_bytes()))
    await world.trust.refresh()
    await pass_by(world, SETTLING_S + 1)
    await world.trust.refresh()
    assert sample(world, "onecode_trust_list_refused_total") == 1
    world.file.chmod(0o640)
    await world.trust.refresh()
    assert sample(world, "onecode_trust_list_refused_total") == 2


async def test_a_list_that_is_mended_in_place_with_its_old_size_and_time_is_taken(world: World):
    revoke(world)
    good = world.file.read_bytes()
    in_place(world.file, with_a_wrong_bit(good))
    await world.trust.refresh()
    assert world.trust.current.version == 1
    await pass_by(world, SETTLING_S + 1)
    in_place(world.file, good)
    await world.trust.refresh()
    assert (world.trust.current.version, world.trust.fault) == (2, None)


async def test_a_list_that_is_written_in_the_step_of_the_clock_in_which_it_was_read_is_read_again(world: World):
    same = watched_file.Stamp(1, 2, 3, 4, 5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(watched_file, "_stamp", lambda _: same)
        await world.trust.refresh()
        revoke(world)
        await pass_by(world, SETTLING_S - 1)
        assert world.trust.current.version == 2


async def test_a_file_that_has_settled_is_opened_and_not_read(world: World):
    await world.trust.refresh()
    await pass_by(world, SETTLING_S)
    with failing("read", AssertionError("it was read"), world.file):
        await world.trust.refresh()
    assert world.trust.fault is None


def _write(content: Callable[[bytes], bytes]) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        world.file.write_bytes(content(world.file.read_bytes()))

    return spoil


def _make(kind: Callable[[Path], None]) -> Callable[[World], None]:
    def spoil(world: World) -> None:
        world.file.unlink()
        kind(world.file)

    return spoil


UNREAD: dict[str, Callable[[World], None]] = {
    "missing": lambda world: world.file.unlink(),
    "its directory is missing": lambda world: _point(world, world.path / "none" / "trust-list.jws"),
    "a directory": _make(Path.mkdir),
    "a FIFO": _make(os.mkfifo),
    "a link to nothing": _make(lambda file: file.symlink_to("nothing")),
    "a link to itself": _make(lambda file: file.symlink_to(file.name)),
    "empty": _write(lambda _: b""),
    "half": _write(lambda good: good[: len(good) // 2]),
    "but for its last byte": _write(lambda good: good.strip()[:-1]),
    "zeros": _write(lambda good: bytes(len(good))),
    "noise": _write(lambda _: secrets.token_bytes(1000)),
    "too large": _write(lambda good: good + b" " * trust_list.FILE_BYTES_MAX),
    "a wrong bit": _write(with_a_wrong_bit),
    "another root's": _write(lambda _: _signed(Signer(secrets.token_bytes(32)), version=9)),
}


def _point(world: World, file: Path) -> None:
    world.trust._watched._path = file


def _signed(root: Signer, **document: Any) -> bytes:
    given = {"version": 2, "regions": [], "issued_at": 1, "next_update": 2, **document}
    return trust_list.put_together({name: value for name, value in given.items() if value is not None}, root.sign)


@pytest.mark.parametrize("spoil", UNREAD.values(), ids=UNREAD)
async def test_what_is_not_read_for_too_long_admits_nobody_until_it_is_read(world: World, spoil: Any):
    path, good = world.file, world.file.read_bytes()
    await world.trust.refresh()
    spoil(world)
    await pass_by(world, UNREAD_MAX_S)
    assert (world.trust.is_read, world.trust.unread_s) == (True, UNREAD_MAX_S)
    assert await answers(world) == ADMITTED
    await pass_by(world, 0.5)
    assert (world.trust.is_read, sample(world, "onecode_trust_list_unread_seconds")) == (False, 30.5)
    assert await answers(world) == HELD_UP
    assert world.trust.current.version == 1  # the last good list says what else there is to say
    assert (await world.verify(b"noise")).authenticity is Authenticity.MALFORMED
    _point(world, path)
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(good)
    await world.trust.refresh()
    assert (world.trust.fault, sample(world, "onecode_trust_list_unread_seconds")) == (None, 0)
    assert await answers(world) == ADMITTED


REFUSED: dict[str, Callable[[World], bytes]] = {
    "older": lambda world: _signed(world.root, version=1, regions=world.document["regions"]),
    "other content": lambda world: _signed(world.root, regions=[]),
    "no version": lambda world: _signed(world.root, version=None),
    "a version that is none": lambda world: _signed(world.root, version="9"),
    "no regions": lambda world: _signed(world.root, version=9, regions={}),
    "no times": lambda world: _signed(world.root, version=9, next_update=None),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
async def test_a_list_of_the_roots_that_is_refused_is_read_and_the_last_good_one_stays(world: World, refused: Any):
    await world.publish_list()
    world.file.write_bytes(refused(world))
    for _ in range(3):
        await pass_by(world, UNREAD_MAX_S)
    assert world.trust.fault is not None
    assert (sample(world, "onecode_trust_list_fault"), sample(world, "onecode_trust_list_unread_seconds")) == (1, 0)
    assert await answers(world) == ADMITTED


async def test_a_version_that_cannot_be_made_durable_is_not_in_force_and_counts_as_unread(world: World, monkeypatch):
    async def fails(*_: Any) -> Any:
        raise StoreUnavailable("no disk")

    revoke(world)
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "remember_list", fails)
        await pass_by(world, UNREAD_MAX_S + 1)
        assert await answers(world) == HELD_UP
    await world.trust.refresh()
    assert await answers(world) == REVOKED


@pytest.mark.parametrize("why", ["older", "unread"])
async def test_the_last_good_list_is_the_newest_that_any_process_on_the_store_has_taken(world: World, why: str):
    other = TrustSource(
        world.file, world.root.public_key, world.backend, world.store, world.metrics, lambda: world.now, lambda: 0.0
    )
    await other.refresh()
    world.sign_list()
    older = world.file.read_bytes()
    revoke(world)
    await world.trust.refresh()
    if why == "older":
        world.file.write_bytes(older)
        await other.refresh()
    else:
        with failing("open", OSError(errno.EMFILE, "x"), world.file):
            await other.refresh()
    assert (world.trust.current.version, other.current.version) == (3, 3)
    assert other.fault is not None


async def test_a_restart_without_the_file_serves_the_list_of_the_store_for_a_time(world: World):
    world.file.unlink()
    await world.restart()
    assert await answers(world) == ADMITTED
    await pass_by(world, UNREAD_MAX_S + 1)
    assert await answers(world) == HELD_UP


async def test_looks_that_are_not_made_count_as_a_file_that_is_not_read(world: World):
    await world.trust.refresh()
    world.monotonic_s += LATE_S
    assert world.trust.unread_s == 0  # a look is late, which is the loop's to say
    world.monotonic_s += UNREAD_MAX_S
    assert await answers(world) == HELD_UP
    await world.trust.refresh()
    assert await answers(world) == ADMITTED


async def test_a_file_system_that_does_not_answer_holds_up_the_loop_for_no_moment(world: World):
    gate, real = threading.Event(), os.open

    def waits(path: Any, *given: Any) -> int:
        if Path(path) == world.file:
            assert gate.wait(20)
        return real(path, *given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "open", waits)
        refresh = asyncio.create_task(world.trust.refresh())
        await asyncio.sleep(0.01)
        world.monotonic_s += UNREAD_MAX_S + 1
        assert await answers(world) == HELD_UP
        gate.set()
        await refresh
    await world.trust.refresh()
    assert await answers(world) == ADMITTED


@pytest.mark.parametrize("how", ["single", "batch"])
async def test_a_list_that_is_read_while_a_call_runs_does_not_speak_for_the_one_on_which_the_call_rests(
    world: World, monkeypatch, how: str
):
    codes, real = [world.code("420000", subject=f"id-{n}") for n in range(40)], world.store.statuses
    world.monotonic_s += UNREAD_MAX_S + 1
    revoke(world)

    async def statuses(subjects: Any) -> Any:
        await world.trust.refresh()
        return await real(subjects)

    monkeypatch.setattr(world.store, "statuses", statuses)
    if how == "single":
        results = (await world.batcher.submit(Scan(codes[0], "110000"))).results
    else:
        results = await world.batcher.submit_batch(Scans.at("110000", codes))
    assert (results.trust.version, world.trust.current.version, world.trust.is_read) == (1, 2, True)
    assert {(verdict.decision, verdict.reason) for verdict in results.verdicts} == HELD_UP


async def test_the_same_list_read_again_stays_what_it_is(world: World):
    before = world.trust.current
    world.file.chmod(0o640)
    await world.trust.refresh()
    assert world.trust.current is before


async def test_without_patience_a_list_admits_only_while_its_file_is_read(world: World):
    source = TrustSource(
        world.file,
        world.root.public_key,
        world.backend,
        world.store,
        world.metrics,
        lambda: world.now,
        lambda: world.monotonic_s,
        0.0,
    )
    await source.refresh()
    assert source.is_read
    world.file.unlink()
    world.monotonic_s += 0.5
    await source.refresh()
    assert not source.is_read
    source.close()


async def test_a_list_past_its_grace_admits_nobody_however_lately_it_was_read(world: World):
    world.now += 30 * HOUR
    await world.trust.refresh()
    code = world.code("420000")
    assert (await world.verify(code)).reason is Reason.TRUST_LIST_OUT_OF_DATE
    assert (await world.translate(code, "440000")).code == b""
