"""Codes with claims that are not ASCII: what a learned template takes is what the general path takes."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.codes.encodings import base45, bounded_cbor, bounded_json
from onecode_server.codes.national import codec as national
from onecode_server.model.status import Level
from onecode_server.model.verdict import Decision, Reason
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN

from tests import formats
from tests.unit.verification.authenticate.rows_and_single import Loop, alone, by_columns, in_columns, sealed
from tests.world import REGIONS, World

HOST = "440000"
REGION_OF = {"national": "110000", "jwt": "420000", "paseto": "440000"}
EXTRA: dict[str, dict[Any, Any]] = {
    "national": {99: "绿", "姓": "王é", 100: {"a": "ß", 7: b"\xff"}},
    "jwt": {"name": "王é", "绿": "a", "x": {"ß": "😀"}},
    "paseto": {"name": "王é", "绿": "a", "x": {"ß": "😀"}},
}


def signed(world: World, region: str, payload: bytes) -> bytes:
    """Return the code over these bytes, whatever they are, that a region signed."""
    if REGIONS[region]["format"] != formats.NATIONAL:
        return sealed(world, region, payload)
    protected = bounded_cbor.dumps({1: -8, 4: b"k1"})
    message = b"".join(
        (national.SIGNATURE1, national.bytes_head(len(protected)), protected, b"\x40", bounded_cbor.dumps(payload))
    )
    signature = world.signers[region, "k1"].sign(message)
    return national.PREFIX + base45.encode(b"\xd2" + bounded_cbor.dumps([protected, {}, payload, signature]))


def payload_of(world: World, fmt: str, number: int = 0) -> bytes:
    tree = world.tree(REGION_OF[fmt], Level.GREEN, f"id-{number:03d}") | EXTRA[fmt]
    return bounded_cbor.dumps(tree) if fmt == "national" else bounded_json.dumps(tree)


def changed(payload: bytes, chance: random.Random) -> bytes:
    """Return a payload with one to three bytes changed, of which some are what ends or begins a character."""
    text = bytearray(payload)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        text[at] = chance.choice((chance.randrange(256), text[at] ^ 1 << chance.randrange(8), 0xFF, 0x80, 0xC0, 0xED))
    return bytes(text)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), fmt=st.sampled_from([*REGION_OF]))
def test_a_change_anywhere_in_a_template_is_answered_as_it_would_be_alone(loop: Loop, seed: int, fmt: str) -> None:
    world, chance = loop.world, random.Random(seed)
    good = [signed(world, REGION_OF[fmt], payload_of(world, fmt, number)) for number in range(ROWS_MIN)]
    loop.together(good, HOST)
    before = in_columns(world)
    loop.together(good, HOST)
    assert in_columns(world) - before == ROWS_MIN
    mutants = [
        signed(world, REGION_OF[fmt], changed(payload_of(world, fmt, number), chance)) for number in range(2 * ROWS_MIN)
    ]
    batch = good + mutants
    assert loop.together(batch, HOST) == loop.alone(batch, HOST)


@pytest.mark.parametrize("fmt", [*REGION_OF])
async def test_bytes_that_are_no_text_are_refused_by_every_path(world: World, fmt: str) -> None:
    region = REGION_OF[fmt]
    good = [signed(world, region, payload_of(world, fmt, number)) for number in range(ROWS_MIN)]
    await by_columns(world, good, HOST)
    junk = [
        signed(world, region, payload_of(world, fmt, number).replace("é".encode(), b"\xff\xff"))
        for number in range(ROWS_MIN)
    ]
    for answers in (await world.verify_all(junk, HOST), await alone(world, junk, HOST)):
        assert {(one.decision, one.reason) for one in answers} == {(Decision.REFUSE, Reason.CLAIMS_MALFORMED)}


@pytest.mark.parametrize("fmt", [*REGION_OF])
async def test_a_code_that_fails_costs_the_codes_of_no_other_template_their_columns(world: World, fmt: str) -> None:
    region = REGION_OF[fmt]
    others = [world.code(other, Level.GREEN, f"id-{n:03d}") for other in ("000000", "430000") for n in range(ROWS_MIN)]
    good = [signed(world, region, payload_of(world, fmt, number)) for number in range(ROWS_MIN)]
    good += [
        signed(world, region, payload_of(world, fmt, 99).replace("é".encode(), name))
        for name in ("绿".encode(), b"\xff\xff\xff")
    ]
    await by_columns(world, good + others, HOST)
    before = in_columns(world)
    await world.verify_all(good + others, HOST)
    assert in_columns(world) - before == ROWS_MIN + len(others)


async def test_a_bug_that_one_template_meets_leaves_the_others_their_columns(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [world.code(region, Level.GREEN, f"id-{n:03d}") for region in ("420000", "440000") for n in range(ROWS_MIN)]
    expected = await by_columns(world, batch, HOST)
    cache = world.issuers.of(world.trust.current).templates
    (template,) = {
        template for share in cache._shares.values() for template in share.templates if share.key.region == "420000"
    }

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(template, "assertions_of", fails)
    before = in_columns(world)
    assert await world.verify_all(batch, HOST) == expected
    assert in_columns(world) - before == ROWS_MIN
    assert "ZeroDivisionError" in caplog.text
