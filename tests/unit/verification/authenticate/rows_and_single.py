"""Batches that are checked together and code by code, for tests that hold the two to the same answers."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from onecode_server.codes.encodings import base64url, bounded_json
from onecode_server.codes.paseto import codec as paseto
from onecode_server.model.status import Level, Scope
from onecode_server.model.verdict import Verdict
from onecode_server.verification.authenticate.rows import RowReader
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN

from tests import formats
from tests.fuzz_paths import paths
from tests.world import HOUR, REGIONS, SECOND, WORDS, World

ADOPTERS = [region for region, entry in REGIONS.items() if entry.get("adopts_national")]
NATIONAL = [region for region, entry in REGIONS.items() if entry.get("format") == "national"] + ADOPTERS
SIGNED = [region for region, entry in REGIONS.items() if entry.get("format") != "opaque"]
LEVELS = (Level.GREEN, Level.YELLOW, Level.RED)


def codes(world: World, regions: Sequence[str] = SIGNED) -> list[bytes]:
    """Return enough codes of each level of each region to be read in columns."""
    return [
        world.code(region, level, f"id-{n:03d}", issued_at=world.now - HOUR - n * SECOND)
        for region in regions
        for level in LEVELS
        if level in WORDS[region]
        for n in range(ROWS_MIN)
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
    bugs = paths.faults(world)[1]
    by_rows = [(await world.check_all([code], host)).checks[0] for code in batch]
    lists = [verdict for size in (1, 7) for verdict in await paths.in_lists(world, batch, host, size)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RowReader, "read", paths.leave_all)
        parsed = [(await world.check_all([code], host)).checks[0] for code in batch]
    for one, other in zip(by_rows, parsed, strict=True):
        assert (one.answer, one.level, one.claims, one.key) == (other.answer, other.level, other.claims, other.key)
        assert one.signed == other.signed
    assert paths.faults(world)[1] == bugs
    assert lists == 2 * [check.answer for check in parsed]
    return [check.answer for check in parsed]


def sealed(world: World, region: str, text: bytes) -> bytes:
    """Return the JWT or PASETO over these bytes, whatever they are, that a region signed."""
    sign = world.signers[region, "k1"].sign
    if REGIONS[region]["format"] == formats.JWT:
        header = bounded_json.dumps({"alg": "EdDSA", "kid": "k1"})
        message = base64url.encode(header) + b"." + base64url.encode(text)
        return message + b"." + base64url.encode(sign(message))
    footer = bounded_json.dumps({"kid": "k1"})
    signature = sign(paseto.pre_authentication_encoding(paseto.PREFIX, text, footer, b""))
    return paseto.PREFIX + base64url.encode(text + signature) + b"." + base64url.encode(footer)


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
        self.batch = codes(world)
        now = world.now
        for home in SIGNED:
            world.now = now - 3 * HOUR
            await world.say(home, Level.RED, "id-009", effective_at=world.now)
            await world.say(home, Level.GREEN, "id-010", effective_at=now - HOUR - 10 * SECOND)
            await world.say(home, Level.GREEN, "id-011", effective_at=now - HOUR // 2)
            await world.say(home, Level.RED, "id-012", effective_at=now - HOUR // 2)
            await world.say(home, Level.RED, "id-013", effective_at=world.now)
            world.now = now - HOUR
            await world.say(home, Level.YELLOW, "id-014", effective_at=now - 2 * HOUR)
        world.now = now
        for home in SIGNED:
            await world.say(home, Level.GREEN, "id-013", effective_at=now + HOUR, revision=2)
            await world.say(home, Level.RED, "id-015", effective_at=now - HOUR // 3)
            await world.say(home, Level.GREEN, "id-015", effective_at=now, revision=2)
        windows = {0: (now, None), 1: (now - HOUR, None), 2: (now - 3 * HOUR, None), 3: (now - HOUR // 2, now + HOUR)}
        windows |= {4: (now - HOUR // 2, now - 1), 5: (now + HOUR, None), 6: (now - HOUR - 6 * SECOND, None)}
        for home in SIGNED:
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
