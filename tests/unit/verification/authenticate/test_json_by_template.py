"""JWT and PASETO codes that an issuer signed, whatever they say: a batch of them answers as they would alone."""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.codes.encodings import bounded_json
from onecode_server.codes.paseto import codec as paseto
from onecode_server.model.status import Level
from onecode_server.model.verdict import Decision
from onecode_server.verification.authenticate import template_cache
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN

from tests.unit.verification.authenticate.rows_and_single import Loop, alone, by_columns, in_columns, sealed
from tests.world import HOUR, REGIONS, SECOND, World

JSON_REGIONS = ["420000", "430000", "440000"]
SUBJECTS = ["a name", "", "湖北", "a,b", "a{b", 'a"b', "\\", "x" * 256, "x" * 257, 7, 0, -7, 10**18, 10**19 - 1, 10**19]
SUBJECTS += [2**64 - 1, 2**64, True, None, 1.5, ["x"], {"x": "y"}, "2026-11-24T12:42:53Z"]
WORDS = ["green", "绿", "红", "true", "GREEN", "LILAC", "", True, False, None, 0, 7, 10**40, 10**200, -1, 1.5, ["绿"]]
WORDS += [{"绿": 1}, "绿,", "a\x7fb", "\n", "2026-11-24T12:42:53Z"]
TIMES = ["now", "", True, None, -1, 0, 1, 99_999_999_999, 253_402_300_799, 253_402_300_800, 10**30, {"a": 1}, 1e300]
DAYS = ("1960-01-01", "2026-02-30", "2026-02-28")
TIMES += [f"{day}T12:00:00{offset}" for day in DAYS for offset in ("Z", "+08:00", "")]
TIMES += ["2026-02-28T24:00:00Z", "2026-02-28T23:59:60Z", "9999-12-31T23:59:59-01:00", "1970-01-01T00:00:00+01:00"]
TIMES += ["2027-01-15t08:00:00z", "2027-01-15 08:00:00Z", "2027-01-15T08:00:00.1234567Z", "2027-01-15T08:00:00.5+0000"]


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    """Give the book room for all that is odd here, so that it is full of no test's codes in another's."""
    with pytest.MonkeyPatch.context() as patch:
        for bound in ("TEMPLATES_MAX", "MISSES_MAX"):
            patch.setattr(template_cache, bound, 10_000)
        yield


def odd(world: World, chance: random.Random) -> bytes:
    """Return an authentic code of which one claim or two are not what they should be, or hardly are."""
    region = chance.choice(JSON_REGIONS)
    tree = world.tree(region, subject=f"id-{chance.randrange(1000):03d}")
    for _ in range(chance.randrange(3)):
        change(tree, region, chance, [*TIMES, *near(world)])
    return world.mint(region, tree)


def near(world: World) -> list[float]:
    """Return times around now, in seconds, as JWT writes them."""
    whole = [world.now // SECOND + offset for offset in (-90_000, -7201, -7199, -3600, -61, -59, 0, 59, 61, 3600)]
    return [*whole, *(at + 0.5 for at in whole)]


def change(tree: dict[str, Any], region: str, chance: random.Random, times: Sequence[Any]) -> None:
    where = REGIONS[region]["claims"]
    match chance.randrange(6):
        case 0:
            name = where["subject"]
            tree.update({name[0]: {name[1]: chance.choice(SUBJECTS)}} if isinstance(name, list) else {name: "x"})
        case 1:
            tree[where["subject"] if isinstance(where["subject"], str) else "who"] = chance.choice(SUBJECTS)
        case 2:
            tree[where["level"]] = chance.choice(WORDS)
        case 3:
            tree[chance.choice(["iat", "exp", "nbf"])] = chance.choice(times)
        case 4:
            tree.pop(chance.choice([*tree]))
        case _:
            tree["more"] = chance.choice([*SUBJECTS, *TIMES])


@pytest.mark.parametrize("region", JSON_REGIONS)
@pytest.mark.parametrize("claim", ["subject", "level", "iat", "exp", "nbf", "more"])
def test_each_odd_claim_is_answered_as_it_would_be_alone(loop: Loop, region: str, claim: str) -> None:
    world, where = loop.world, REGIONS[region]["claims"]
    values = SUBJECTS if claim == "subject" else WORDS if claim == "level" else [*TIMES, *near(world)]
    odd_codes = []
    for value in values:
        tree = world.tree(region)
        name = where.get(claim, claim)
        tree |= {name[0]: {name[1]: value}} if isinstance(name, list) else {name: value}
        odd_codes.append(world.mint(region, tree))
    expected = [verdict for verdict in loop.alone(odd_codes, "420000") for _ in range(ROWS_MIN)]
    for _ in range(2):  # the first time layouts are learned
        for start in range(0, len(values), 4):
            batch = [code for code in odd_codes[start : start + 4] for _ in range(ROWS_MIN)]
            assert loop.together(batch, "420000") == expected[start * ROWS_MIN :][: len(batch)]


@settings(max_examples=120)
@given(seed=st.integers(0, 2**32))
def test_odd_claims_are_answered_as_they_would_be_alone(loop: Loop, seed: int) -> None:
    chance = random.Random(seed)
    batch = [code for _ in range(5) for code in [odd(loop.world, chance)] * ROWS_MIN]
    expected = loop.alone(batch[::ROWS_MIN], "420000")
    expected = [verdict for verdict in expected for _ in range(ROWS_MIN)]
    assert loop.together(batch, "420000") == expected  # and layouts are learned
    assert loop.together(batch, "420000") == expected


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), region=st.sampled_from(JSON_REGIONS))
def test_claims_with_any_bytes_changed_are_answered_as_they_would_be_alone(loop: Loop, seed: int, region: str) -> None:
    chance = random.Random(seed)
    plain = bounded_json.dumps(loop.world.tree(region, subject="id-007"))
    batch = []
    for _ in range(60):
        text = bytearray(plain)
        for _ in range(chance.randrange(3)):
            text[chance.randrange(len(text))] = chance.choice(b'"{}[],:0123456789+-.eEtTzZ \\/n\n\x00\x7f\xe7\xff')
        batch.append(sealed(loop.world, region, bytes(text)))
    before = in_columns(loop.world)
    loop.together(batch, "440000")
    assert loop.together(batch, "440000") == loop.alone(batch, "440000")
    assert in_columns(loop.world) > before


@pytest.mark.parametrize("region", JSON_REGIONS)
@pytest.mark.parametrize(
    "changes",
    [{"valid_for_s": 7200}, {"valid_for_s": 60}, {"code_age_max_s": 3599}, {"code_age_max_s": 3601}, {"expiry": "end"}],
    ids=str,
)
async def test_what_ends_a_code_ends_it_in_columns(world: World, region: str, changes: dict[str, Any]) -> None:
    where = {key: value for key, value in REGIONS[region]["claims"].items() if key != "expiry"}
    world.entry(region)["claims"] = where | ({"expiry": "exp"} if "code_age_max_s" in changes else {}) | changes
    await world.publish_list()
    trees = [world.tree(region, subject=f"id-{n:03d}") for n in range(ROWS_MIN)]
    early = world.tree(region, expires_at=world.now - HOUR // 2)
    trees += [tree | {name: early.get("exp", early.get("end"))} for tree in trees for name in ("exp", "end")]
    trees += [{key: value for key, value in tree.items() if key not in ("exp", "end")} for tree in trees[:ROWS_MIN]]
    batch = [world.mint(region, tree) for tree in trees]
    assert await by_columns(world, batch) == await alone(world, batch)


@pytest.mark.parametrize("value", [True, 7, "绿码", "a,b"], ids=str)
async def test_levels_of_every_plain_kind_are_read_in_columns(world: World, value: Any) -> None:
    word = value if isinstance(value, str) else bounded_json.dumps(value).decode()
    world.entry("420000")["levels"] = {word: "GREEN"}
    await world.publish_list()
    batch = [
        world.mint("420000", world.tree("420000", "绿", f"id-{n:03d}") | {"color": value}) for n in range(ROWS_MIN)
    ]
    verdicts = await by_columns(world, batch, "440000")
    assert {(verdict.decision, verdict.level) for verdict in verdicts} == {(Decision.ADMIT, Level.GREEN)}
    assert in_columns(world) == len(batch)


async def test_a_subject_that_is_a_number_is_its_digits(world: World) -> None:
    batch = [world.mint("440000", world.tree("440000") | {"sub": 1000 + n}) for n in range(ROWS_MIN)]
    await by_columns(world, batch)
    await world.say("440000", Level.RED, "1003")
    assert [n for n, verdict in enumerate(await world.verify_all(batch)) if verdict.level is Level.RED] == [3]
    assert in_columns(world) == 2 * ROWS_MIN


@pytest.mark.parametrize("digits", [b"2026-13-01", b"2027-02-29", b"0000-00-00", b"1969-12-31", b"9999-12-31"])
@pytest.mark.parametrize("place", [0, -1])
async def test_digits_of_a_time_are_read_alike_in_a_single_code(world: World, digits: bytes, place: int) -> None:
    claims = paseto.decode(world.code("440000")).payload
    day = re.findall(rb"\d{4}-\d\d-\d\d(?=T)", claims)[place]
    other = digits.join(claims.split(day, 1) if place == 0 else claims.rsplit(day, 1))
    await by_columns(world, [sealed(world, "440000", claims)])  # a single code teaches its layout
    (verdict,) = await alone(world, [sealed(world, "440000", other)])
    assert (verdict.decision is Decision.ADMIT) == (digits == b"9999-12-31" and place == -1)
