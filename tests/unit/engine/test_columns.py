"""Batches: codes are read in columns where they can be, and answered as they would be alone."""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.engine import layout_book, speakers
from onecode_server.engine.layout_book import ROWS_MIN
from onecode_server.engine.row_reader import RowReader
from onecode_server.formats import base45_columns, national, national_layout
from onecode_server.formats.base45 import ALPHABET
from onecode_server.model.status import Level, Scope, Status
from onecode_server.model.verdict import Authenticity, Decision, Verdict

from tests.world import HOUR, REGIONS, SECOND, World

ADOPTERS = [region for region, entry in REGIONS.items() if entry.get("adopts_national")]
NATIONAL = [region for region, entry in REGIONS.items() if entry.get("format") == "national"] + ADOPTERS
LEVELS = (Level.GREEN, Level.YELLOW, Level.RED)


def codes(world: World, count: int = ROWS_MIN) -> list[bytes]:
    return [
        world.code(region, level, f"id-{n:03d}", issued_at=world.now - HOUR - n * SECOND)
        for region in NATIONAL
        for level in LEVELS
        for n in range(count)
    ]


def in_columns(world: World) -> int:
    """Return how many codes have been read in columns."""
    return int(world.metrics.registry.get_sample_value("onecode_column_codes_total") or 0)


async def by_columns(world: World, batch: list[bytes], host: str = "420000") -> list[Verdict]:
    """Check a batch twice: the first time layouts are learned, the second time they are used."""
    await world.verify_all(batch, host)
    return await world.verify_all(batch, host)


async def alone(world: World, batch: list[bytes], host: str = "420000") -> list[Verdict]:
    """Return what the general path says of each code, and hold to it what is read by a layout one by one."""
    by_rows = [(await world.check_all([code], host)).checks[0] for code in batch]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RowReader, "decode", lambda *_: None)
        parsed = [(await world.check_all([code], host)).checks[0] for code in batch]
    for one, other in zip(by_rows, parsed, strict=True):
        assert (one.answer, one.level, one.claims, one.key) == (other.answer, other.level, other.claims, other.key)
        assert one.signed in (other.signed, None) or one.claims is None
    return [check.answer for check in parsed]


async def test_a_batch_is_read_in_columns_once_its_layouts_are_known(world: World) -> None:
    batch = codes(world)
    before = await world.verify_all(batch)
    assert in_columns(world) == 0
    after = await world.verify_all(batch)
    assert before == after == await alone(world, batch)
    # 110000 has its level inside of another claim, which is for the general path.
    assert in_columns(world) == sum(verdict.home != "110000" for verdict in after)
    assert {verdict.decision for verdict in after} == set(Decision)


async def test_a_single_code_is_read_by_its_layout_once_it_is_known(world: World) -> None:
    code = world.code("540000", Level.YELLOW)
    first, second = await world.check(code), await world.check(code)
    assert (first.row, second.row is not None) == (None, True)
    assert (first.answer, first.claims, first.signed, first.key) == (
        second.answer,
        second.claims,
        second.signed,
        second.key,
    )
    changed = code[:-1] + (b"0" if code[-1:] != b"0" else b"1")
    assert (await world.verify(changed)).authenticity in (Authenticity.BAD_SIGNATURE, Authenticity.MALFORMED)


async def test_few_codes_are_read_one_by_one(world: World) -> None:
    batch = codes(world)
    await world.verify_all(batch)
    await world.verify_all(batch[: ROWS_MIN - 1])
    assert in_columns(world) == 0


async def test_a_record_of_status_counts_for_a_code_that_was_read_in_columns(world: World) -> None:
    batch = [world.code("000000", Level.GREEN, f"id-{n:03d}") for n in range(20)]
    await by_columns(world, batch)
    await world.say("000000", Level.RED, "id-003")
    verdicts = await world.verify_all(batch)
    assert [n for n, verdict in enumerate(verdicts) if verdict.level is Level.RED] == [3]
    assert in_columns(world) == 40


async def test_times_are_held_to_their_window_and_keys_to_their_state(world: World) -> None:
    region = NATIONAL[0]
    old = [world.code(region, subject=f"id-{n:03d}", expires_at=world.now - HOUR // 2) for n in range(20)]
    new = [world.code(region, subject=f"id-{n:03d}", issued_at=world.now + HOUR) for n in range(20)]
    await by_columns(world, codes(world))
    read = in_columns(world)
    found = [verdict.authenticity for verdict in await world.verify_all(old + new)]
    assert found == [Authenticity.EXPIRED] * 20 + [Authenticity.NOT_YET_VALID] * 20
    assert in_columns(world) == read  # what is wrong with a code is for the general path to say
    world.entry(region)["keys"][0]["state"] = "revoked"
    await world.publish_list()
    assert {verdict.authenticity for verdict in await world.verify_all(old)} == {Authenticity.KEY_NOT_VALID}


async def test_a_stranger_fills_no_book(world: World) -> None:
    forged = [code[:-1] + (b"0" if code[-1:] != b"0" else b"1") for code in codes(world)]
    for _ in range(2):
        await world.verify_all(forged)
    assert not world.layouts._layouts


async def test_translations_are_read_by_the_general_path(world: World) -> None:
    made = [(await world.translate(world.code("540000", subject=f"id-{n:03d}"), "000000")).code for n in range(20)]
    assert {verdict.decision for verdict in await by_columns(world, made)} == {Decision.ADMIT}
    assert in_columns(world) == 0


async def test_a_bug_in_reading_together_costs_no_code_its_answer(world: World, monkeypatch: Any, caplog: Any) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    batch = codes(world)
    expected = await by_columns(world, batch)
    monkeypatch.setattr(national_layout, "decode", fails)
    assert await world.verify_all(batch) == expected
    assert "ZeroDivisionError" in caplog.text


async def test_codes_of_other_formats_take_no_room_in_the_book(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_book, "LENGTHS_MAX", 12)
    for length in range(3, 30):
        await world.verify_all([world.code("420000", subject="x" * length)] * ROWS_MIN)
    await by_columns(world, codes(world))
    assert in_columns(world)


async def test_more_voices_than_are_kept_are_found_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = codes(world)
    expected = await by_columns(world, batch)
    read = in_columns(world)
    monkeypatch.setattr(speakers, "KEPT_MAX", 1)
    await world.publish_list()
    assert await world.verify_all(batch) == expected
    assert in_columns(world) == 2 * read


async def test_without_the_kernels_a_batch_is_answered_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = codes(world)
    expected = await by_columns(world, batch)
    read = in_columns(world)
    monkeypatch.setattr(base45_columns, "_kernel", None)
    monkeypatch.setattr(world.verifier._columns, "_backend", LibsodiumBackend())
    assert await world.verify_all(batch) == expected
    assert in_columns(world) == 2 * read


def test_the_book_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout_book, "LENGTHS_MAX", 3)
    book = layout_book.LayoutBook()
    for length in range(20):
        for kind in (4, 5, 10, 11, 12, 13, 14):
            book.learn(national.mint({1: "420000", 6: 1_700_000_000, kind: "x" * length}, b"k", lambda _: bytes(64)))
    assert len(book._layouts) <= 3
    assert max(map(len, book._layouts.values())) <= layout_book.LAYOUTS_MAX


class Loop:
    """A world on an event loop of its own, since hypothesis calls plain functions."""

    def __init__(self, path: Path) -> None:
        self.runner = asyncio.Runner()
        self.world = World(path)
        self.runner.run(self.prepare())

    async def prepare(self) -> None:
        """Have layouts learned, and subjects with records of all kinds."""
        world = self.world
        await world.start()
        self.batch = codes(world, ROWS_MIN)
        now = world.now
        windows = {0: (now, None), 1: (now - HOUR, None), 2: (now - 3 * HOUR, None), 3: (now - HOUR // 2, now + HOUR)}
        windows |= {4: (now - HOUR // 2, now - 1), 5: (now + HOUR, None), 6: (now - HOUR - 6 * SECOND, None)}
        for home in NATIONAL:
            for n, (effective_at, expires_at) in windows.items():
                level = LEVELS[n % 3]
                await world.say(home, level, f"id-{n:03d}", effective_at=effective_at, expires_at=expires_at)
            await world.say("000000", Level.YELLOW, "id-007", home=home)
            await world.say("540000", Level.RED, "id-008", home=home, scope=Scope.LOCAL)
        await by_columns(world, self.batch)

    def together(self, batch: list[bytes], host: str) -> list[Verdict]:
        return self.runner.run(self.world.verify_all(batch, host))

    def alone(self, batch: list[bytes], host: str) -> list[Verdict]:
        return self.runner.run(alone(self.world, batch, host))


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
    batch = [spoilt(chance.choice(loop.batch), chance) for _ in range(80)]
    assert loop.together(batch, host) == loop.alone(batch, host)


def test_every_record_counts_in_columns_as_it_does_alone(loop: Loop) -> None:
    for host in ("420000", "540000", "999999"):
        before = in_columns(loop.world)
        found = loop.together(loop.batch, host)
        assert found == loop.alone(loop.batch, host)
        assert in_columns(loop.world) - before > len(loop.batch) // 2
    assert {verdict.status for verdict in found} == {Status.CURRENT, Status.NONE}


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
    batch = [code for _ in range(5) for code in [odd(loop.world, chance)] * ROWS_MIN]
    expected = loop.alone(batch, "420000")
    assert loop.together(batch, "420000") == expected  # and layouts are learned
    assert loop.together(batch, "420000") == expected
