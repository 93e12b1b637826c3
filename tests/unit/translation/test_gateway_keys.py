"""Gateway keys in files: taken while a server runs, and kept where a file turns bad."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from nacl.signing import VerifyKey

from onecode_server.crypto.signing import Signer, make_secret, read_secret
from onecode_server.errors import Misconfigured
from onecode_server.telemetry.metrics import Metrics
from onecode_server.translation import gateway_keys
from onecode_server.translation.gateway_keys import FileGatewayKeys

PATTERN = "000000.gateway.*.key"


class Keys:
    """A directory of keys, and what is read of it, on a clock of the test's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_s = 0.0
        self.metrics = Metrics()
        self.make("a")
        self.read = FileGatewayKeys(path, PATTERN, self.metrics, lambda: self.now_s)

    def file(self, name: str) -> Path:
        return self.path / f"000000.gateway.jwt.{name}.key"

    def make(self, name: str) -> bytes:
        """Make a key; return its public key."""
        return Signer(make_secret(self.file(name))).public_key

    def move_away(self) -> Callable[[], Path]:
        """Move the directory; return a function that moves it back."""
        elsewhere = self.path.rename(self.path.with_name("elsewhere"))
        return lambda: elsewhere.rename(self.path)

    async def look(self) -> set[bytes]:
        self.now_s += 0.5
        await self.read.refresh()
        return set(self.read.public_keys)

    def faults(self) -> float | None:
        return self.metrics.registry.get_sample_value("onecode_gateway_keys_fault")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


async def test_a_new_file_is_a_key_at_the_next_look_and_a_removed_one_is_none(keys: Keys) -> None:
    (first,) = keys.read.public_keys
    second = keys.make("b")
    assert await keys.look() == {first, second}
    keys.file("a").unlink()
    assert await keys.look() == {second}
    assert (keys.read.fault, keys.faults()) == (None, 0)
    assert keys.read.report() == {"from": "files", "count": 1, "fault": None}


async def test_each_key_signs_with_its_own_secret(keys: Keys) -> None:
    keys.make("b")
    for public_key in await keys.look():
        signature = await keys.read.sign(public_key, lambda sign: sign(b"message"))
        VerifyKey(public_key).verify(b"message", signature)


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [("ab" * 16, 0o600, "does not hold 32 bytes"), ("zz", 0o600, "is not hex"), (None, 0o644, "open to more")],
)
async def test_a_bad_file_leaves_the_last_good_key_and_is_named_until_it_is_good(
    keys: Keys, content: str | None, mode: int, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    before, good = set(keys.read.public_keys), keys.file("a").read_text()
    keys.file("a").write_text(good if content is None else content)
    keys.file("a").chmod(mode)
    for _ in range(3):
        assert await keys.look() == before
    assert why in str(keys.read.fault)
    assert str(keys.file("a")) in str(keys.read.report()["fault"])
    assert (keys.faults(), [record.levelname for record in caplog.records]) == (1, ["ERROR"])
    keys.file("a").write_text(good)
    keys.file("a").chmod(0o600)
    assert await keys.look() == before
    assert (keys.read.fault, keys.faults()) == (None, 0)


async def test_a_bad_new_file_is_no_key_and_leaves_the_others(keys: Keys) -> None:
    before = set(keys.read.public_keys)
    keys.file("b").touch(0o600)
    assert await keys.look() == before
    assert "does not hold 32 bytes" in str(keys.read.fault)


async def test_a_file_that_is_replaced_by_another_key_is_that_key(keys: Keys) -> None:
    for number in range(5):  # within one step of the file system's clock, and later
        keys.file("a").unlink()
        second = keys.make("a")
        keys.now_s += number
        assert await keys.look() == {second}


async def test_a_directory_that_is_gone_leaves_all_keys(keys: Keys) -> None:
    before = set(keys.read.public_keys)
    back = keys.move_away()
    assert await keys.look() == before
    assert str(keys.read.fault).endswith("No such file or directory")
    back()
    assert await keys.look() == before
    assert keys.read.fault is None


async def test_what_is_no_regular_file_is_not_waited_for(keys: Keys) -> None:
    before = set(keys.read.public_keys)
    keys.file("b").mkdir()
    assert await keys.look() == before
    assert "no regular file" in str(keys.read.fault)


async def test_a_file_that_does_not_change_is_not_read_for_ever(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def noted(file: Path) -> bytes:
        read.append(file)
        return read_secret(file)

    monkeypatch.setattr("onecode_server.translation.gateway_keys.read_secret", noted)
    for _ in range(20):
        await keys.look()
    assert len(read) == gateway_keys.SETTLING_S / gateway_keys.POLL_S - 1


async def test_keys_without_number_are_not_taken_and_take_away_none_in_use(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_keys, "FILES_MAX", 2)
    keys.make("z")
    before = await keys.look()
    for name in "bcd":
        keys.make(name)
    assert await keys.look() == before
    assert "more than 2 gateway keys" in str(keys.read.fault)


def test_a_start_on_a_bad_file_is_refused(keys: Keys) -> None:
    keys.file("b").touch(0o600)
    with pytest.raises(Misconfigured, match="does not hold 32 bytes"):
        FileGatewayKeys(keys.path, PATTERN, Metrics())


async def test_a_file_system_that_hangs_is_shown_and_keeps_the_keys(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, answers = set(keys.read.public_keys), threading.Event()
    look = keys.read._look
    monkeypatch.setattr(keys.read, "_look", lambda: answers.wait() and look())
    hangs = asyncio.create_task(keys.look())
    await asyncio.sleep(0)
    assert keys.read.fault is None
    keys.now_s += gateway_keys.LATE_S + 1
    assert "a look has not ended" in str(keys.read.fault)
    assert (set(keys.read.public_keys), keys.faults()) == (before, 1)
    answers.set()
    assert await hangs == before
    assert keys.read.fault is None
