"""Batches: codes are read in columns where they can be, and answered as they would be alone."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.codes.codec import CODECS, Codec
from onecode_server.codes.encodings import base45_columns, base64url_columns, bounded_json
from onecode_server.codes.encodings.base45 import ALPHABET
from onecode_server.codes.jwt import layout as jwt_layout
from onecode_server.codes.national import codec as national
from onecode_server.codes.national import layout as national_layout
from onecode_server.codes.paseto import layout as paseto_layout
from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.model.status import Level, Status
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Authenticity, Decision, Reason
from onecode_server.verification import turns
from onecode_server.verification.authenticate import by_template as column_authenticator
from onecode_server.verification.authenticate import template as templates
from onecode_server.verification.authenticate.general import GeneralAuthenticator
from onecode_server.verification.authenticate.template_cache import TemplateCache
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN
from onecode_server.verification.check import Check

from tests.unit.verification.authenticate.rows_and_single import (
    LEVELS,
    SIGNED,
    Loop,
    alone,
    by_columns,
    codes,
    in_columns,
    sealed,
)
from tests.world import HOUR, REGIONS, SECOND, World

EACH = pytest.mark.parametrize("region", ["000000", "420000", "430000", "440000"])
"""Regions of each format."""


@pytest.fixture(autouse=True)
def one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates of one slice serve the next slice: here a batch is one slice, so that counts are exact."""
    monkeypatch.setattr(turns, "SLICE_CODES_MAX", 4096)


async def test_a_batch_is_read_in_columns_once_its_layouts_are_known(world: World) -> None:
    batch = codes(world)
    before = await world.verify_all(batch)
    assert in_columns(world) == 0
    after = await world.verify_all(batch)
    assert before == after == await alone(world, batch)
    assert in_columns(world) == len(batch)
    assert {verdict.home for verdict in after} == set(SIGNED)
    assert {verdict.decision for verdict in after} == set(Decision)


async def test_a_single_code_is_read_by_its_layout_once_it_is_known(world: World) -> None:
    code = world.code("540000", Level.YELLOW)
    first, second = await world.check(code), await world.check(code)
    assert (first.template, second.template is not None) == (None, True)
    assert (first.answer, first.claims, first.signed) == (second.answer, second.claims, second.signed)
    assert first.key is second.key
    changed = code[:-1] + (b"0" if code[-1:] != b"0" else b"1")
    assert (await world.verify(changed)).authenticity in (Authenticity.BAD_SIGNATURE, Authenticity.MALFORMED)
    assert (await world.verify(code[:-1] + b"a")).reason is Reason.CODE_MALFORMED  # no character of base45
    assert world.metrics.registry.get_sample_value("onecode_check_bugs_total") == 0


async def test_few_codes_are_read_one_by_one(world: World) -> None:
    batch = codes(world)
    await world.verify_all(batch)
    await world.verify_all(batch[: ROWS_MIN - 1])
    assert in_columns(world) == 0


async def test_a_small_batch_is_read_in_columns_where_enough_of_its_codes_are_alike(world: World) -> None:
    await by_columns(world, codes(world))
    kinds = [("000000", ROWS_MIN), ("420000", ROWS_MIN - 1), ("440000", ROWS_MIN - 1)]
    alike, *others = [[world.code(region, subject=f"id-{n:03d}") for n in range(count)] for region, count in kinds]
    before = in_columns(world)
    await world.verify_all([code for part in others for code in part])
    assert in_columns(world) == before
    await world.verify_all([code for part in (alike, *others) for code in part])
    assert in_columns(world) - before == ROWS_MIN


@EACH
async def test_a_record_of_status_counts_for_a_code_that_was_read_in_columns(world: World, region: str) -> None:
    batch = [world.code(region, Level.GREEN, f"id-{n:03d}") for n in range(ROWS_MIN)]
    await by_columns(world, batch)
    await world.say(region, Level.RED, "id-003")
    verdicts = await world.verify_all(batch)
    assert [n for n, verdict in enumerate(verdicts) if verdict.level is Level.RED] == [3]
    assert in_columns(world) == 2 * ROWS_MIN


@EACH
async def test_times_are_held_to_their_window_and_keys_to_their_state(world: World, region: str) -> None:
    old = [world.code(region, subject=f"id-{n:03d}", expires_at=world.now - HOUR // 2) for n in range(ROWS_MIN)]
    new = [world.code(region, subject=f"id-{n:03d}", issued_at=world.now + HOUR) for n in range(ROWS_MIN)]
    await by_columns(world, codes(world))
    read = in_columns(world)
    found = [verdict.authenticity for verdict in await world.verify_all(old + new)]
    assert found == [Authenticity.EXPIRED] * ROWS_MIN + [Authenticity.NOT_YET_VALID] * ROWS_MIN
    assert in_columns(world) == read  # what is wrong with a code is for the general path to say
    world.entry(region)["keys"][0]["state"] = "revoked"
    await world.publish_list()
    assert {verdict.authenticity for verdict in await world.verify_all(old)} == {Authenticity.KEY_NOT_VALID}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The codes that the general authenticator decodes from here on."""
    codes_decoded: list[bytes] = []

    def decode(self: GeneralAuthenticator, check: Check, codec: Codec, trust: TrustList) -> None:
        codes_decoded.append(check.code)
        decode_signed(self, check, codec, trust)

    decode_signed = GeneralAuthenticator._decode_signed
    monkeypatch.setattr(GeneralAuthenticator, "_decode_signed", decode)
    return codes_decoded


def signatures(world: World) -> float:
    """Return how many signatures have been checked."""
    labels = {"backend": world.backend.name}
    return world.metrics.registry.get_sample_value("onecode_signatures_total", labels) or 0


def candidates(world: World, region: str) -> list[str]:
    """Return the regions whose keys are tried for a code of ``region``, in order: some have a key of the same id."""
    trust = world.trust.current
    (key, *_) = trust.regions[region].keys
    return [candidate.region for candidate in trust.keys_for(key.format, key.key_id)]


def forged(code: bytes) -> bytes:
    """Return a code of the same structure with another signature."""
    if code.startswith(national.PREFIX):  # the signature's last two bytes are the last three characters
        return code[:-3] + (b"000" if code[-3:] != b"000" else b"001")
    at = code.rfind(b".") - 40 if code.startswith(b"v4.") else len(code) - 40
    return code[:at] + (b"A" if code[at : at + 1] != b"A" else b"B") + code[at + 1 :]


@EACH
@pytest.mark.parametrize("count", [1, ROWS_MIN], ids=["singly", "in columns"])
async def test_no_signature_is_checked_twice_and_no_forgery_decoded_twice(
    world: World, decoded: list[bytes], region: str, count: int
) -> None:
    batch = [forged(world.code(region, subject=f"id-{n:03d}")) for n in range(count)]
    await by_columns(world, codes(world, [region]))
    await world.verify_all([world.code(region)])
    decoded.clear()
    before = signatures(world)
    assert {verdict.authenticity for verdict in await world.verify_all(batch)} == {Authenticity.BAD_SIGNATURE}
    assert signatures(world) - before == count * len(candidates(world, region))
    assert not decoded


@EACH
@pytest.mark.parametrize("fault", ["expired", "not yet", "odd"])
async def test_what_the_first_authenticator_found_is_not_found_again(
    world: World, decoded: list[bytes], region: str, fault: str
) -> None:
    changes: dict[str, Any] = {
        "expired": {"expires_at": world.now - HOUR // 2},
        "not yet": {"issued_at": world.now + HOUR},
        "odd": {"expires_at": world.now - 2 * HOUR},
    }
    batch = [world.code(region, subject=f"id-{n:03d}", **changes[fault]) for n in range(ROWS_MIN)]
    await by_columns(world, codes(world, [region]))
    expected = await alone(world, batch)
    decoded.clear()
    before = signatures(world)
    assert await world.verify_all(batch) == expected
    tried = 1 + candidates(world, region).index(region)
    assert (signatures(world) - before, decoded) == (len(batch) * tried, [])


@pytest.mark.parametrize("count", [1, ROWS_MIN], ids=["singly", "in columns"])
@pytest.mark.parametrize(("kid", "reason"), [("k2", Reason.KEY_REVOKED), ("k3", Reason.KEY_UNKNOWN)])
async def test_templates_of_one_key_name_the_faults_of_another(
    world: World, decoded: list[bytes], count: int, kid: str, reason: Reason
) -> None:
    for number, state in ((2, "revoked"), (3, "active")):
        world.entry("000000")["keys"].append(world.key_entry("000000", f"k{number}", state=state))
    await world.publish_list()
    await by_columns(world, codes(world, ["000000"]))
    await world.verify_all([world.code("000000")])
    batch = [world.mint("000000", world.tree("000000", subject=f"id-{n:03d}"), kid) for n in range(count)]
    world.entry("000000")["keys"].pop()  # k3 is no longer in the list
    await world.publish_list()
    decoded.clear()
    assert {verdict.reason for verdict in await world.verify_all(batch)} == {reason}
    assert decoded == []


def learned(world: World) -> TemplateCache:
    """Return the templates that were learned under the trust list in force."""
    return world.issuers.of(world.trust.current).templates


async def test_a_stranger_teaches_nothing(world: World) -> None:
    forged = [code[:-90] + bytes([code[-90] ^ 1]) + code[-89:] for code in codes(world)]
    for _ in range(2):
        await world.verify_all(forged)
    assert learned(world).size_bytes == 0


async def test_translations_are_read_by_the_general_path(world: World) -> None:
    made = [
        (await world.translate(world.code("540000", subject=f"id-{n:03d}"), "000000")).code for n in range(ROWS_MIN)
    ]
    assert {verdict.decision for verdict in await by_columns(world, made)} == {Decision.ADMIT}
    assert in_columns(world) == 0


async def test_a_bug_in_reading_together_costs_no_code_its_answer(world: World, monkeypatch: Any, caplog: Any) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    batch = codes(world)
    expected = await by_columns(world, batch)
    for layouts in (national_layout, jwt_layout, paseto_layout):
        monkeypatch.setattr(layouts, "decode", fails)
    assert await world.verify_all(batch) == expected
    assert "ZeroDivisionError" in caplog.text


async def test_a_bug_in_a_shape_costs_no_code_its_answer(world: World, monkeypatch: Any, caplog: Any) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    batch = [world.code("420000", subject=f"id-{n:03d}") for n in range(2 * ROWS_MIN)]
    expected = await by_columns(world, batch)
    monkeypatch.setattr(jwt_layout, "shape", fails)
    assert await world.verify_all(batch) == expected
    assert "ZeroDivisionError" in caplog.text


async def test_what_is_rare_is_learned_from_later_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_authenticator, "LEARNED_MAX", 4)
    batch = [world.code("420000", level, f"id-{n:03d}") for level in LEVELS for n in range(ROWS_MIN)]
    batch += batch[:ROWS_MIN] * 8
    for _ in range(9):
        await world.verify_all(batch)
    before = in_columns(world)
    await world.verify_all(batch)
    assert in_columns(world) - before == len(batch)


async def test_from_codes_too_few_for_columns_nothing_is_learned_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = ("000000", "420000", "430000", "440000", "540000")
    batch = [world.code(region, subject=f"id-{n:03d}") for region in regions for n in range(ROWS_MIN - 1)]
    await by_columns(world, codes(world))
    expected, before = await alone(world, batch), in_columns(world)
    learned_from: list[bytes] = []
    monkeypatch.setattr(TemplateCache, "learn", lambda _, code, *__, **___: learned_from.append(code))
    assert await world.verify_all(batch) == expected
    assert (in_columns(world) - before, learned_from) == (0, [])


async def test_keys_of_one_id_and_one_wording_keep_their_regions_apart(world: World) -> None:
    world.entry("430000")["claims"], world.entry("430000")["levels"] = REGIONS["420000"]["claims"], {"绿": "RED"}
    text = bounded_json.dumps(world.tree("420000", Level.GREEN))
    batch = [sealed(world, region, text) for region in ("420000", "430000")] * ROWS_MIN
    for turned in (batch, batch[::-1]):  # whoever is met first
        await world.publish_list()
        found = await by_columns(world, turned, "440000")
        assert found == await alone(world, turned, "440000")
        assert {(verdict.home, verdict.level) for verdict in found} == {("420000", Level.GREEN), ("430000", Level.RED)}
    assert in_columns(world) == 3 * len(batch)


async def test_more_words_than_are_kept_are_read_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = codes(world)
    expected = await by_columns(world, batch)
    read = in_columns(world)
    monkeypatch.setattr(templates, "WORDS_MAX", 1)
    await world.publish_list()
    assert await world.verify_all(batch) == expected
    assert in_columns(world) == 2 * read


async def test_without_the_kernels_a_batch_is_answered_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = codes(world)
    expected = await by_columns(world, batch)
    read = in_columns(world)
    monkeypatch.setattr(base45_columns, "_kernel", None)
    monkeypatch.setattr(base64url_columns, "_kernel", None)
    monkeypatch.setattr(world.verifier._by_template._signatures, "_backend", LibsodiumBackend())
    assert await world.verify_all(batch) == expected
    assert in_columns(world) == 2 * read


CHARACTERS = ALPHABET + b"abcdefghijklmnopqrstuvwxyz-_.="


def spoilt(code: bytes, chance: random.Random) -> bytes:
    """Return a code as it is, or with a character or two changed, exchanged, added or lost."""
    text = bytearray(code)
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(text))
        kind = chance.randrange(5)
        if kind < 2:
            text[at] = chance.choice(CHARACTERS)
        elif kind == 2:
            other = chance.randrange(len(text))
            text[at], text[other] = text[other], text[at]
        elif kind == 3:
            text.insert(at, chance.choice(CHARACTERS))
        else:
            del text[at]
    return bytes(text)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), host=st.sampled_from(["420000", "540000", "999999"]))
def test_a_batch_answers_as_its_codes_would_alone(loop: Loop, seed: int, host: str) -> None:
    chance = random.Random(seed)
    prefix = chance.choice([b"", *(codec.PREFIX for codec in CODECS.values())])  # of all formats, or of one
    batch = [code for code in loop.batch if code.startswith(prefix)]
    batch = [spoilt(chance.choice(batch), chance) for _ in range(80)]
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


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_authentic_codes_with_odd_claims_are_answered_as_they_would_be_alone(loop: Loop, seed: int) -> None:
    chance = random.Random(seed)
    batch = [code for _ in range(5) for code in [odd(loop.world, chance)] * ROWS_MIN]
    expected = loop.alone(batch, "420000")
    assert loop.together(batch, "420000") == expected  # and layouts are learned
    assert loop.together(batch, "420000") == expected
