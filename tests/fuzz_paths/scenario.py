"""One world of the fuzzer: its trust lists one after another, its clock, its store that fails at times, its groups."""

import random
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from onecode_server.crypto import open_backend
from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.model.code import CODE_BYTES_MAX
from onecode_server.model.trust_list import TrustList

from tests import world as worlds
from tests.fuzz_paths import country, paths
from tests.fuzz_paths.country import HOSTS, ISSUERS, SIGNED
from tests.fuzz_paths.groups import Group, Mutant
from tests.fuzz_paths.mutations import mutant
from tests.fuzz_paths.population import populate
from tests.fuzz_paths.translations import Translations
from tests.world import HOUR, NOON, SECOND, World

GROUPS: Final = 24
KIDS: Final = (*("own",) * 12, *("k1",) * 5, "绿", "window", "window", "retired", "retired", "future", "revoked")
"""The keys of a world's groups, each its own: all kinds, and mostly good ones."""
GROUP_CODES: Final = 2 * paths.COLUMN_CODES_MIN
"""Twice as many as are read in columns, since not all mutants of a group keep its shape."""
STRAYS: Final = 14


class _Secrets:
    """Stands in for ``secrets``, so that keys are the same for the same seed."""

    def __init__(self, chance: random.Random) -> None:
        self.token_bytes = chance.randbytes


class Scenario:
    """A world made from a seed alone: the same seed makes the same keys, lists and codes."""

    def __init__(self, seed: str) -> None:
        self.chance = chance = random.Random(seed)
        self._directory = tempfile.TemporaryDirectory(prefix="onecode-fuzz-paths-")
        secrets = _Secrets(chance)
        backend = chance.choices((open_backend, LibsodiumBackend), (11, 1))[0]()
        with patch.object(worlds, "secrets", secrets), patch.object(country, "secrets", secrets):
            self.world = World(Path(self._directory.name), backend)
            self.base = country.founded(self.world)
        paths.cut_slices(self.world, chance.choice((3, 7, 16, 128)))
        self._bounds = ExitStack()
        self._bounds.enter_context(paths.columns_of_few())
        if chance.random() < 0.2:
            self._bounds.enter_context(paths.small_bounds())
        self._chance_of_log = random.Random(f"{seed}, log")  # of its own: all else is as it would be without a log
        self._version = 1
        self.kind_of_list = "base"

    async def start(self) -> None:
        """Publish the first list, the records and the exceptions, and choose how codes are built."""
        world = self.world
        world.now = NOON - 2 * HOUR
        self.write_list(self.base)
        await world.start()
        self.tokens = await populate(world)
        paths.put_in_force(world, self.next_list("base"))
        self._kids = [*KIDS]
        self.chance.shuffle(self._kids)
        self.groups = [self._group(number) for number in range(GROUPS)]

    async def end(self) -> None:
        """Close the store, and let go of the world's bounds and files."""
        self._bounds.close()
        await self.world.store.close()
        self._directory.cleanup()

    def _group(self, number: int) -> Group:
        """Return codes of another build: of each region and each kind of key in turn, so that all of them are there."""
        entries = {entry["code"]: entry for entry in self.base["regions"]}
        if number % 12 == 11:
            return Translations(self.world, entries[self.chance.choice(SIGNED)], "", self.chance)
        return Group(self.world, entries[ISSUERS[number % len(ISSUERS)]], self._kids[number], self.chance)

    def write_list(self, document: dict[str, Any], **changes: Any) -> None:
        """Sign a document as the next version."""
        self._version += 1
        self.world.document = document | {"version": self._version}
        self.world.sign_list(**changes)

    def next_list(self, kind: str) -> TrustList:
        """Return the next list, not yet in force: the base, or one that differs from it, or one that is too old."""
        document = country.edited(self.base, self.chance) if kind == "edited" else self.base
        if kind == "old":
            self.write_list(document, next_update=(self.world.now - 2 * HOUR) / SECOND)
        else:
            self.write_list(document)
        self.kind_of_list = kind
        return paths.read_list(self.world)

    def other_list(self) -> TrustList:
        """Return a list that differs from the one in force."""
        if self.kind_of_list == "base":
            return self.next_list(self.chance.choices(("edited", "old"), (6, 1))[0])
        return self.next_list(self.chance.choices(("base", "edited"), (2, 1))[0])

    def move_on(self) -> None:
        """Let time pass, and swap the list between two batches, at times; a list that differs soon gives way."""
        chance, world = self.chance, self.world
        world.now += chance.choice((0, 0, 0, 1, 30)) * SECOND
        world.monotonic_s += chance.choice((0, 3, 6))  # never 4 to 5: then what is asked for is read anew beside
        if chance.random() < (0.15 if self.kind_of_list == "base" else 0.5):
            paths.put_in_force(world, self.other_list())

    def may_fail(self) -> bool:
        """Tell whether the store is not to answer now. Then so much time passes that what is known is stale, or past
        use."""
        if self.chance.random() > 0.12:
            return False
        self.world.monotonic_s += self.chance.choice((6, 60, 303))
        return True

    def log_is_away(self) -> bool:
        """Tell whether the log is not to confirm exceptions and trust list now."""
        return self._chance_of_log.random() < 0.06

    async def records_of(self, code: bytes, host: str) -> str:
        """Return the records about a code's bearer, for people."""
        claims = (await paths.by_parsing(self.world, [code], host))[0].claims
        return "" if claims is None else repr((await self.world.store.statuses([claims.subject])).records[0])

    def host(self) -> str:
        return self.chance.choices(HOSTS, (5, 4, 3, 4, 2, 2, 1))[0]

    def batch(self) -> list[Mutant]:
        """Return mutants of some groups, so many of each that they are read in columns, and others beside them."""
        chance = self.chance
        groups = chance.sample(self.groups, chance.choice((1, 4, 4, 4, 7)))
        codes = [mutant(group, self.world.now) for group in groups for _ in range(GROUP_CODES)]
        codes += [self._stray() for _ in range(STRAYS * len(groups) // 4)]
        if chance.random() < 0.2:
            codes += chance.choices(codes, k=20)
        if chance.random() < 0.4:
            chance.shuffle(codes)
        if chance.random() < 0.05:  # how codes are built changes as time goes on
            number = chance.randrange(GROUPS)
            self.groups[number] = self._group(number)
        return codes

    def _stray(self) -> Mutant:
        """Return a code of no group: opaque, or hardly a code."""
        chance = self.chance
        match chance.randrange(8):
            case 0 | 1 | 2:
                return Mutant(chance.choice(self.tokens), "token")
            case 3:
                return Mutant(b"SH-%022d" % chance.randrange(1000, 9999), "token that nobody published")
            case 4:
                return Mutant(
                    b"SH-" + chance.choice((b"", b"short", b"x" * 21, b"\xff" * 30, b"\x00" * 30)), "no token"
                )
            case 5:
                return Mutant(b"", "empty")
            case 6:
                code = chance.choice(self.groups).plain(self.world.now).code
                return Mutant(code[:10] + b"A" * (CODE_BYTES_MAX - 9 + chance.randrange(3)), "too large")
            case _:
                prefixes = (
                    b"HC1:",
                    b"nc1:",
                    b"NC1",
                    b"v4.local.",
                    b"ey",
                    b"SH",
                    b"\x00",
                    b" NC1:",
                    b"540000:" + b"1" * 22,
                )
                return Mutant(chance.choice(prefixes) + chance.randbytes(20), "no format")
