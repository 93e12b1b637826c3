"""Codes that are built alike: what a layout is learned from, and mutants of them, nearly all of them signed again."""

import random
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import Format, Path

from tests import formats
from tests.fuzz_paths.cbor_notation import Cbor
from tests.fuzz_paths.country import ADOPTERS, KEYS, SIGNED, TWINS, format_of, kid_of
from tests.fuzz_paths.json_notation import Json
from tests.fuzz_paths.population import ISSUED_AT, SUBJECTS, name_of
from tests.fuzz_paths.sealing import Envelope, plain, sealed, secret_of, varied
from tests.fuzz_paths.texts import ASCII, NOT_ASCII
from tests.world import SECOND, World

_NEIGHBOURLY: Final = ("own", "k1", "retired")
Encoded = dict[str, bytes]


class Mutant(NamedTuple):
    """A code, and how it came about: words for people."""

    code: bytes
    how: str


class Slot(NamedTuple):
    """Where a claim stands: what comes before its value and behind it."""

    before: bytes
    behind: bytes


class Group:
    """Codes of one region, key and structure. ``entry`` is the region's, in the list with which the world begins."""

    def __init__(self, world: World, entry: Mapping[str, Any], kid: str, chance: random.Random) -> None:
        self.chance = chance
        self.region = entry["code"]
        self.kid = kid
        fmt = Format(entry["format"])
        self.notation: Cbor | Json = Cbor() if fmt == formats.NATIONAL else Json(fmt)
        # Most are built as encoders build them, so that there are layouts of them; the others in any way.
        self.is_regular = chance.random() < 0.75
        self.style = "plain" if self.is_regular else chance.choice(self.notation.styles)
        self.form = self.notation.regular if self.is_regular else chance.choice(self.notation.forms)
        self._sign(world, fmt)
        self.home = chance.choice(ADOPTERS) if self.region == "000000" and chance.random() < 0.6 else self.region
        self.age_s = 10_800 if kid == "retired" else chance.choice((3600, 3600, 3600, 1800, 120))
        self._name_subjects(world, fmt)
        self._choose_words(entry["levels"])
        self.slots: dict[str, Slot] = {}
        self.values: Encoded = {}
        self._place(entry["claims"])
        self._add_extras()
        self.order = [*self.slots]
        if chance.random() < 0.4:
            chance.shuffle(self.order)

    def _sign(self, world: World, fmt: Format) -> None:
        signer = world.signers[self.region, self.kid]
        self.secret, self.public_key = secret_of(signer), signer.public_key
        self.kid_bytes = kid_of(self.region, self.kid).encode()
        self.envelope = plain(fmt, self.kid_bytes) if self.is_regular else varied(fmt, self.kid_bytes, self.chance)
        self.neighbours = [
            (region, kid_of(region, kid).encode(), secret_of(signer))
            for (region, kid), signer in world.signers.items()
            if region in (*SIGNED, *TWINS) and kid in _NEIGHBOURLY and format_of(region) is fmt
        ]
        self.other_kids = [kid_of(other, kid).encode() for other in SIGNED for kid in ("k1", *KEYS)] + [b"gateway-jwt"]

    def _name_subjects(self, world: World, fmt: Format) -> None:
        forms = ("octets",) if self.region == "000000" else ("text", "text", "text", "number", "wide", "octets")
        form = self.chance.choice(forms)
        names = [name_of(form, number) for number in range(SUBJECTS)]
        if form == "octets":
            raw = [pseudonym(world.pseudonym_key, self.home, name) for name in names]
            self.subjects = [self.notation.octets(name, self.style) for name in raw]
        elif form == "number":
            self.subjects = [self.notation.number(int(name)) for name in names]
        else:
            self.subjects = [self.notation.text(name.encode(), self.style) for name in names]

    def _choose_words(self, levels: Mapping[str, str]) -> None:
        self.words = {word: self._word(word) for word in levels}
        meaning = self.chance.choices(("GREEN", "YELLOW", "RED", ""), (66, 12, 10, 6))[0]
        fitting = [self.words[word] for word, level in levels.items() if level == meaning]
        self.word = self.chance.choice(fitting or [self._word(word) for word in ("LILAC", "x", "7", "false")])

    def _word(self, word: str) -> bytes:
        """Return a level as its region writes it: a number or a word of JSON's own, where it is one."""
        if word.isdecimal():
            return self.notation.number(int(word))
        if word in ("true", "false"):
            return b"\xf5" if isinstance(self.notation, Cbor) else word.encode()
        return self.notation.text(word.encode(), self.style)

    def _place(self, claims: Mapping[str, Any]) -> None:
        registered, chance = self.notation.registered, self.chance
        if self.notation.format == formats.NATIONAL:
            self._put("iss", (1,), self.notation.text(self.region.encode(), self.style))
            if self.region == "000000" and (self.home != self.region or chance.random() < 0.1):
                unfit = self.chance.choice(("420000", "999999", "x"))
                named = self.home if self.home != self.region else unfit
                self._put("residence", (-65539,), self.notation.text(named.encode(), self.style))
        for role in ("subject", "level", "issued_at"):
            self._put(role, claims[role])
        if "expiry" in claims:
            self._put("expiry", claims["expiry"])
        if claims.get("expiry") != registered["exp"] and chance.random() < 0.3:
            self._put("exp", registered["exp"])
        if chance.random() < 0.15:
            self._put("nbf", registered["nbf"])

    def _put(self, role: str, path: Any, value: bytes | None = None) -> None:
        steps: Path = tuple(path) if isinstance(path, list | tuple) else (path,)
        self.slots[role] = Slot(*self.notation.place(steps, self.style))
        if value is not None:
            self.values[role] = value

    def _add_extras(self) -> None:
        # Rarely more claims than a layout has fields.
        for number in range(self.chance.choices((0, 1, 2, 3, 17), (6, 10, 8, 6, 1))[0]):
            path = (-80_001 - number if self.notation.format == formats.NATIONAL else "more" + "x" * number,)
            self._put(f"more {number}", path, self._extra())

    def _extra(self) -> bytes:
        chance, notation = self.chance, self.notation
        if chance.random() < 0.02:  # about as long as a code may be, in its text and in memory
            return notation.text(chance.choice((b"x", b"x,", "é".encode())) * chance.randrange(100, 1000), self.style)
        match chance.randrange(5):
            case 0:
                return notation.text(chance.choice(ASCII), self.style)
            case 1 | 2:
                return notation.text(chance.choice(NOT_ASCII), self.style)
            case 3:
                return notation.number(chance.choice((0, 7, 23, 2**31)))
            case _:
                return notation.text(b"plain", self.style) if self.is_regular else chance.choice(notation.sound)

    def encoded(self, now: int) -> Encoded:
        """Return the values that a plain code has: another bearer each time, and other times."""
        chance, notation = self.chance, self.notation
        issued_at = ISSUED_AT + (3600 - self.age_s + chance.randint(-90, 90)) * SECOND
        if self.age_s < 300:
            issued_at = now - chance.randint(70, 3500) * SECOND
        ends_at = now + chance.randint(7200, 86_400) * SECOND
        ends = notation.time(ends_at, self.form)
        return self.values | {
            "subject": self.subjects[chance.randrange(SUBJECTS)],
            "level": self.word,
            "issued_at": notation.time(issued_at, self.form),
            "expiry": ends,
            "exp": ends,
            "nbf": notation.time(issued_at + chance.choice((-60, 0, 30)) * SECOND, self.form),
        }

    def payload(self, values: Encoded) -> bytes:
        slots = self.slots
        return self.notation.join(
            [slots[role].before + values[role] + slots[role].behind for role in self.order], self.style
        )

    def plain(self, now: int) -> Mutant:
        return Mutant(self.seal(self.payload(self.encoded(now))), "plain")

    def seal(self, payload: bytes, envelope: Envelope | None = None) -> bytes:
        return sealed(envelope or self.envelope, payload, self.secret)
