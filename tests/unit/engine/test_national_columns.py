"""National codes in batches: read by columns where they can be, and answered as they would be alone."""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.engine import national_columns
from onecode_server.formats import national
from onecode_server.formats.base45 import ALPHABET
from onecode_server.model.status import Level
from onecode_server.model.verdict import Authenticity, Decision

from tests.world import HOUR, REGIONS, SECOND, World

ADOPTERS = [region for region, entry in REGIONS.items() if entry.get("adopts_national")]
NATIONAL = [region for region, entry in REGIONS.items() if entry.get("format") == "national"] + ADOPTERS
LEVELS = (Level.GREEN, Level.YELLOW, Level.RED)


def codes(world: World, count: int = 12) -> list[bytes]:
    return [
        world.code(region, level, f"id-{n:03d}", issued_at=world.now - HOUR - n * SECOND)
        for region in NATIONAL
        for level in LEVELS
        for n in range(count)
    ]


async def by_columns(world: World, batch: list[bytes], host: str = "420000") -> Any:
    """Check a batch twice: the first time layouts are learned, the second time they are used."""
    await world.check_all(batch, host)
    return await world.check_all(batch, host)


async def test_a_batch_is_read_by_columns_once_its_layouts_are_known(world: World) -> None:
    batch = codes(world)
    before = await world.check_all(batch)
    assert not any(check.row for check in before.checks)
    after = await world.check_all(batch)
    # 110000 has its level inside of another claim, which is for the general path.
    assert all((check.row is None) == (check.answer.home == "110000") for check in after.checks)
    for one, other in zip(before.checks, after.checks, strict=True):
        assert (one.answer, one.claims, one.signed, one.key) == (other.answer, other.claims, other.signed, other.key)
    assert {check.answer.decision for check in after.checks} == set(Decision)


async def test_few_codes_are_read_one_by_one(world: World) -> None:
    batch = codes(world)
    await by_columns(world, batch)
    few = await world.check_all(batch[: national_columns.ROWS_MIN - 1])
    assert not any(check.row for check in few.checks)


async def test_a_record_of_status_counts_for_a_code_that_was_read_by_columns(world: World) -> None:
    region = NATIONAL[0]
    batch = [world.code(region, Level.GREEN, f"id-{n:03d}") for n in range(12)]
    await by_columns(world, batch)
    await world.say(region, Level.RED, "id-003")
    outcome = await world.check_all(batch)
    assert [n for n, check in enumerate(outcome.checks) if check.answer.level is Level.RED] == [3]
    assert outcome.checks[3].row is not None


async def test_times_are_held_to_their_window_and_keys_to_their_state(world: World) -> None:
    region = NATIONAL[0]
    old = [world.code(region, subject=f"id-{n:03d}", expires_at=world.now - HOUR // 2) for n in range(12)]
    new = [world.code(region, subject=f"id-{n:03d}", issued_at=world.now + HOUR) for n in range(12)]
    await by_columns(world, codes(world))
    outcome = await world.check_all(old + new)
    assert all(check.row for check in outcome.checks)
    found = [check.answer.authenticity for check in outcome.checks]
    assert found == [Authenticity.EXPIRED] * 12 + [Authenticity.NOT_YET_VALID] * 12
    world.entry(region)["keys"][0]["state"] = "revoked"
    await world.publish_list()
    revoked = await world.check_all(old)
    assert {check.answer.authenticity for check in revoked.checks} == {Authenticity.KEY_NOT_VALID}


async def test_a_stranger_fills_no_book(world: World) -> None:
    batch = codes(world)
    forged = [code[:-1] + (b"0" if code[-1:] != b"0" else b"1") for code in batch]
    for _ in range(2):
        outcome = await world.check_all(forged)
        assert not any(check.row for check in outcome.checks)


async def test_translations_are_read_by_the_general_path(world: World) -> None:
    made = [(await world.translate(world.code("540000", subject=f"id-{n:03d}"), "000000")).code for n in range(12)]
    outcome = await by_columns(world, made)
    assert {check.answer.decision for check in outcome.checks} == {Decision.ADMIT}
    assert all(check.claims.source is not None for check in outcome.checks if check.claims)


async def test_a_bug_in_reading_together_costs_no_code_its_answer(world: World, monkeypatch: Any, caplog: Any) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    batch = codes(world)
    expected = [check.answer for check in (await by_columns(world, batch)).checks]
    monkeypatch.setattr(national_columns, "decode", fails)
    assert [check.answer for check in (await world.check_all(batch)).checks] == expected
    assert "ZeroDivisionError" in caplog.text


async def test_codes_of_other_formats_take_no_room_in_the_book(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(national_columns, "LENGTHS_MAX", 12)
    for length in range(3, 30):
        await world.check_all([world.code("420000", subject="x" * length)] * 12)
    batch = codes(world)
    await by_columns(world, batch)
    assert any(check.row for check in (await world.check_all(batch)).checks)


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(national_columns, "LENGTHS_MAX", 3)
    book = national_columns.LayoutBook(bytes(32))
    for length in range(20):
        for kind in (4, 5, 10, 11, 12, 13, 14):
            book.learn(national.mint({1: "420000", 6: 1_700_000_000, kind: "x" * length}, b"k", lambda _: bytes(64)))
    assert len(book._layouts) <= 3
    assert max(map(len, book._layouts.values())) <= national_columns.LAYOUTS_MAX


class Loop:
    """A world on an event loop of its own, since hypothesis calls plain functions."""

    def __init__(self, path: Path) -> None:
        self.runner = asyncio.Runner()
        self.world = World(path)
        self.runner.run(self.world.start())
        self.batch = codes(self.world, 9)
        self.runner.run(by_columns(self.world, self.batch))

    def answers(self, batch: list[bytes], host: str) -> list[Any]:
        outcome = self.runner.run(self.world.check_all(batch, host))
        return [(check.answer, check.claims, check.signed, check.key) for check in outcome.checks]


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with tempfile.TemporaryDirectory() as path:
        started = Loop(Path(path))
        yield started
        started.runner.run(started.world.store.close())
        started.runner.close()


def spoilt(code: bytes, chance: random.Random) -> bytes:
    """Return a code as it is, or with a character or two changed, exchanged, added or lost."""
    text = bytearray(code)
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(text))
        kind = chance.randrange(5)
        if kind < 2:
            text[at] = chance.choice(ALPHABET)
        elif kind == 2:
            other = chance.randrange(len(text))
            text[at], text[other] = text[other], text[at]
        elif kind == 3:
            text.insert(at, chance.choice(ALPHABET))
        else:
            del text[at]
    return bytes(text)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), host=st.sampled_from(["420000", "540000", "999999"]))
def test_a_batch_answers_as_its_codes_would_alone(loop: Loop, seed: int, host: str) -> None:
    chance = random.Random(seed)
    batch = [spoilt(chance.choice(loop.batch), chance) for _ in range(40)]
    alone = [loop.answers([code], host)[0] for code in batch]
    assert loop.answers(batch, host) == alone


def odd(world: World, chance: random.Random) -> bytes:
    """Return an authentic code of which one claim is not what it should be, or hardly is."""
    region = chance.choice(["000000", "540000"])
    tree = world.tree(region, subject=f"id-{chance.randrange(1000):03d}")
    now = world.now // SECOND
    changes: list[dict[Any, Any]] = [
        {national.ISSUER: "420000"},
        {national.LEVEL: "LILAC"},
        {national.LEVEL: ""},
        {national.SUBJECT: "a local identifier"},
        {national.SUBJECT: ""},
        {national.SUBJECT: bytes(15)},
        {national.SUBJECT: 7},
        {national.EXPIRY: tree[national.ISSUED_AT]},
        {national.EXPIRY: tree[national.ISSUED_AT] + 1},
        {national.EXPIRY: 2**32 - 1},
        {national.EXPIRY: 0},
        {national.EXPIRY: now + 0.5},
        {national.NOT_BEFORE: now + 3600},
        {national.NOT_BEFORE: now - 3600},
        {national.ISSUED_AT: now + 3600},
        {national.REGION: "420000"},
        {national.REGION: "630000"},
        {national.REGION: "999999"},
        {national.REGION: "a word"},
        {99: "a claim that nobody knows"},
        {},
    ]
    return world.mint(region, tree | chance.choice(changes))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_authentic_codes_with_odd_claims_are_answered_as_they_would_be_alone(loop: Loop, seed: int) -> None:
    chance = random.Random(seed)
    batch = [code for _ in range(5) for code in [odd(loop.world, chance)] * national_columns.ROWS_MIN]
    alone = [loop.answers([code], "420000")[0] for code in batch]
    assert loop.answers(batch, "420000") == alone  # and layouts are learned
    assert loop.answers(batch, "420000") == alone
