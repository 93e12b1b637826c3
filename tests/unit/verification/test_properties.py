"""Rules that hold for every code, not only for those that somebody thought of."""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.scanned import bare
from onecode_server.model.status import Level
from onecode_server.model.verdict import Authenticity, Decision

from tests.world import REGIONS, World

SIGNED = [region for region, entry in REGIONS.items() if entry.get("format") != "opaque"]
PROPERTY = settings(max_examples=150)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


class Loop:
    """A world on an event loop of its own, since hypothesis calls plain functions."""

    def __init__(self, path: Path) -> None:
        self.runner = asyncio.Runner()
        self.world = World(path)
        self.run(self.world.trust.refresh())
        self.run(self.world.exceptions.refresh())
        self.token = self.run(self.world.token())

    def run(self, work: Any) -> Any:
        return self.runner.run(work)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with tempfile.TemporaryDirectory() as path:
        made = Loop(Path(path))
        yield made
        made.run(made.world.store.close())
        made.runner.close()


@given(
    code=st.binary(max_size=300)
    | st.builds(
        lambda prefix, rest: prefix + rest,
        st.sampled_from([b"NC1:", b"eyJ", b"v4.public.", b"SH-"]),
        st.binary(max_size=300),
    ),
    host=st.sampled_from(["420000", "999999", "540000"]),
)
@PROPERTY
def test_nothing_unknown_becomes_admit(loop: Loop, code: bytes, host: str) -> None:
    verdict = loop.run(loop.world.verify(code, host))
    assert (verdict.decision, verdict.authenticity) != (Decision.ADMIT, Authenticity.VALID)
    assert verdict.decision in (Decision.REFUSE, Decision.CHECK)


@given(
    region=st.sampled_from(["420000", "430000", "440000"]),
    changes=st.dictionaries(
        st.sampled_from(["who", "color", "ok", "mzt", "sub", "iat", "exp", "nbf", "onecode"]), json_values, max_size=3
    ),
)
@PROPERTY
def test_claims_of_any_shape_get_a_verdict_and_never_an_exception(
    loop: Loop, region: str, changes: dict[str, Any]
) -> None:
    world = loop.world
    try:
        code = world.mint(region, world.tree(region) | changes)
    except ValueError:  # an infinity or a lone surrogate, which no issuer could write either
        return
    verdict = loop.run(world.verify(code))
    before = world.metrics.registry.get_sample_value("onecode_check_bugs_total")
    assert before == 0
    if verdict.decision is Decision.ADMIT:
        assert verdict.level is Level.GREEN


@given(region=st.sampled_from(SIGNED), data=st.data())
@PROPERTY
def test_a_mutated_code_is_never_authentic(loop: Loop, region: str, data: st.DataObject) -> None:
    code = loop.world.code(region)
    place = data.draw(st.integers(0, len(code) - 1))
    kind = data.draw(st.sampled_from(["flip", "drop", "insert", "cut", "swap"]))
    mutated = {
        "flip": code[:place] + bytes([code[place] ^ 1 << data.draw(st.integers(0, 7))]) + code[place + 1 :],
        "drop": code[:place] + code[place + 1 :],
        "insert": code[:place] + data.draw(st.binary(min_size=1, max_size=3)) + code[place:],
        "cut": code[:place],
        "swap": code[:place] + code[place : place + 2][::-1] + code[place + 2 :],
    }[kind]
    if bare(mutated) != code:
        assert loop.run(loop.world.verify(mutated)).authenticity is not Authenticity.VALID


@given(seed=st.integers(0, 2**32))
@settings(PROPERTY, max_examples=25)
def test_a_batch_answers_as_its_items_would_alone(loop: Loop, seed: int) -> None:
    world, pick = loop.world, random.Random(seed)
    good = [world.code(region, pick.choice(list(Level)[1:])) for region in SIGNED if region != "430000"]
    bad = [code[:-3] + b"AAA" for code in good] + [b"", b"NC1:", b"x" * 5000, b"SH-0123456789012345678901"]
    codes = [pick.choice([*good, *bad, loop.token]) for _ in range(pick.randrange(1, 90))]
    together = [check.answer for check in loop.run(world.check_all(codes, "540000")).checks]
    assert together == [loop.run(world.verify(code, "540000")) for code in codes]


@given(
    home=st.sampled_from(SIGNED),
    target=st.sampled_from(["000000", "110000", "420000", "440000", "630000"]),
    level=st.sampled_from(list(Level)[1:]),
    subject=st.text(st.characters(codec="utf-8", min_codepoint=1), min_size=1, max_size=40),
)
@settings(PROPERTY, max_examples=60)
def test_translate_then_verify_keeps_home_subject_and_level(
    loop: Loop, home: str, target: str, level: Level, subject: str
) -> None:
    world = loop.world
    if home == "430000" and level is Level.YELLOW:
        return  # this region knows no YELLOW
    source = loop.run(world.check(world.code(home, level, subject)))
    made = loop.run(world.translate(source.code, target))
    there = loop.run(world.check(made.code))
    assert (there.claims.home, there.claims.subject, there.level) == (home, source.claims.subject, level)
