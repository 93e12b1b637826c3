"""No list that is older than one that was taken is taken again, whatever ends the process that took it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from onecode_client import OfflineTrustList
from onecode_client.offline import Offline, TrustListUnusable, kept_version
from onecode_client.offline.signed_list import is_signed
from onecode_server.codes.encodings import base64url

from tests.world import World

fcntl = pytest.importorskip("fcntl", reason="files are locked on POSIX systems only")
Verifying = Callable[[World], Offline]


def lists(world: World) -> tuple[bytes, bytes]:
    """Return a list, and the next one."""
    older = world.file.read_bytes()
    world.sign_list()
    return older, world.file.read_bytes()


async def test_an_older_list_is_refused_by_the_next_process_too(world: World, tmp_path: Path) -> None:
    (older, newer), root, kept = lists(world), world.root.public_key, tmp_path / "kept"
    offline = Offline(older, root, kept)
    offline.renew(newer)
    version = offline.version
    for take in (offline.renew, lambda signed: Offline(signed, root, kept)):
        with pytest.raises(TrustListUnusable, match="older"):
            take(older)
    assert offline.version == Offline(newer, root, kept).version == version


async def test_another_list_of_the_same_version_is_refused(world: World, tmp_path: Path) -> None:
    first = world.file.read_bytes()
    Offline(first, world.root.public_key, tmp_path / "kept")
    world.document["version"] -= 1
    world.document["regions"] = world.document["regions"][:1]
    world.sign_list()
    with pytest.raises(TrustListUnusable, match="other content"):
        Offline(world.file.read_bytes(), world.root.public_key, tmp_path / "kept")


async def test_a_list_whose_version_cannot_be_kept_is_not_used(world: World, tmp_path: Path) -> None:
    (older, newer), kept = lists(world), tmp_path / "kept"
    offline = Offline(older, world.root.public_key, kept)
    before = offline.version
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with patch("os.fsync", side_effect=full), pytest.raises(TrustListUnusable, match="No space"):
        offline.renew(newer)
    assert offline.version == before
    assert sorted(name for name in os.listdir(tmp_path) if "kept" in name) == [".kept.lock", "kept"]
    offline.renew(newer)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\0" * 64, b"\xff", b"7", b"[]", b"{" * 1024, b'{"version": 7, "sha2'),
        *(b'{"version": %b, "sha256": "ab"}' % odd for odd in (b'"7"', b"true", b"0", b"-7", b"7.0", b"1e999", b"NaN")),
    ],
)
async def test_a_file_that_says_nothing_is_not_taken_for_none(world: World, tmp_path: Path, content: bytes) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(content)
    with pytest.raises(TrustListUnusable, match="does not hold"):
        Offline(world.file.read_bytes(), world.root.public_key, kept)
    assert kept.read_bytes() == content


async def test_a_running_verifier_takes_no_older_list_where_the_file_is_gone(world: World, tmp_path: Path) -> None:
    (older, newer), kept = lists(world), tmp_path / "kept"
    offline = Offline(newer, world.root.public_key, kept)
    version = offline.version
    kept.unlink()
    with pytest.raises(TrustListUnusable, match="older"):
        offline.renew(older)
    assert not kept.exists()
    offline.renew(newer)
    assert (offline.version, kept.exists()) == (version, True)


async def test_the_file_is_the_same_wherever_the_program_goes_and_by_whatever_link(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = lists(world)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "first")
    offline = Offline(older, world.root.public_key, Path("kept"))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "first" / "kept")
    monkeypatch.chdir(tmp_path / "second")
    offline.renew(newer)
    assert os.listdir() == []
    assert Offline(newer, world.root.public_key, link).version == offline.version
    assert link.is_symlink()
    with pytest.raises(TrustListUnusable, match="older"):
        Offline(older, world.root.public_key, tmp_path / "first" / "kept")


async def test_a_process_that_holds_the_file_is_not_waited_for_without_end(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_version, "LOCK_S", 0.0)
    with (tmp_path / ".kept.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TrustListUnusable, match="cannot be kept"):
            Offline(world.file.read_bytes(), world.root.public_key, tmp_path / "kept")


async def test_nothing_of_a_list_is_read_before_its_signature_was_verified(world: World, tmp_path: Path) -> None:
    _, payload, signature = world.file.read_bytes().split(b".")
    brackets = base64url.encode(b"[" * 1_000_000)
    for header in (brackets, base64url.encode(b"[]"), base64url.encode(b"1"), b"", b"?"):
        signed = b".".join((header, payload, signature))
        with (
            patch("json.loads", side_effect=AssertionError("read")),
            pytest.raises(TrustListUnusable, match="root key"),
        ):
            Offline(signed, world.root.public_key, tmp_path / "kept")
        with patch("json.loads", side_effect=AssertionError("read")), pytest.raises(ValueError, match="root key"):
            OfflineTrustList(signed, world.root.public_key, is_signed)


@pytest.mark.parametrize("header", [b"[]", b"1", b'{"alg":"EdDSA"}', b'{"alg":"none","typ":"onecode-trust-list+jws"}'])
async def test_something_else_that_the_root_signed_is_no_list(world: World, tmp_path: Path, header: bytes) -> None:
    message = base64url.encode(header) + b"." + world.file.read_bytes().split(b".")[1]
    signed = message + b"." + base64url.encode(world.root.sign(message))
    with pytest.raises(TrustListUnusable):
        Offline(signed, world.root.public_key, tmp_path / "kept")
    with pytest.raises(ValueError, match="header"):
        OfflineTrustList(signed, world.root.public_key, is_signed)


async def test_a_list_of_which_a_part_is_there_is_no_list(world: World, tmp_path: Path) -> None:
    whole = world.file.read_bytes().strip()
    for size in (0, 1, whole.index(b"."), whole.index(b".") + 1, len(whole) // 2, whole.rindex(b"."), len(whole) - 1):
        with pytest.raises(TrustListUnusable):
            Offline(whole[:size], world.root.public_key, tmp_path / "kept")
    assert Offline(whole, world.root.public_key, tmp_path / "kept").version == 1


async def test_only_a_list_that_the_root_signed_is_taken(world: World, tmp_path: Path) -> None:
    signed = world.file.read_bytes()
    other = bytes(31) + b"\1"
    changed = signed.replace(b".", b".A", 1)
    for root, content in ((other, signed), (world.root.public_key, changed), (world.root.public_key, b"noise")):
        with pytest.raises(TrustListUnusable):
            Offline(content, root, tmp_path / "kept")
    with pytest.raises(ValueError, match="31 bytes"):
        Offline(signed, bytes(31), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
