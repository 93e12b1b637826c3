"""The walk for an operator fails where the check fails, for the same reason, and shows nobody's identifier."""

import pytest

from onecode_server.crypto import open_backend
from onecode_server.model.verdict import Authenticity, Reason
from onecode_server.verification.authenticate.claims_reader import ClaimsReader
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.inspection import Inspection
from onecode_server.verification.inspector import Inspector

from tests.world import HOUR, SECOND, World

SECRET = "420106190001011234"
STEP_OF = {
    Reason.CODE_EMPTY: 1,
    Reason.CODE_TOO_LARGE: 1,
    Reason.FORMAT_UNKNOWN: 2,
    Reason.CODE_MALFORMED: 3,
    Reason.ALGORITHM_NOT_ALLOWED: 3,
    Reason.KEY_UNKNOWN: 4,
    Reason.SIGNATURE_INVALID: 5,
    Reason.TOKEN_UNKNOWN: 5,
    Reason.CLAIMS_MALFORMED: 6,
    Reason.CLAIM_MISSING: 6,
    Reason.ISSUER_MISMATCH: 6,
    Reason.RESIDENCE_NOT_ADOPTER: 6,
    Reason.NOT_YET_VALID: 7,
    Reason.EXPIRED: 7,
}


async def inspect(world: World, code: bytes) -> Inspection:
    reader, key = ClaimsReader(world.pseudonym_key), world.pseudonym_key
    tokens = TokenReader(world.store, key)
    inspector = Inspector(open_backend("libsodium"), reader, 60 * SECOND, tokens)
    return await inspector.inspect(code, world.trust.current, world.now)


def lines(inspection: Inspection) -> str:
    return "\n".join(line for step in inspection.steps for line in step.lines)


def changed(world: World, region: str, **changes: object) -> bytes:
    tree = {name: value for name, value in (world.tree(region) | changes).items() if value is not ...}
    return world.mint(region, tree)


FAULTS = {
    "nothing": lambda world: b"",
    "too much": lambda world: b"x" * 4097,
    "nobody's": lambda world: b"hello",
    "white space around what is no code": lambda world: b" \r\n hello ",
    "no signature": lambda world: world.code("420000").rpartition(b".")[0] + b".AAAA",
    "another algorithm": lambda world: b"eyJhbGciOiJIUzI1NiJ9." + world.code("420000").split(b".", 1)[1],
    "an unknown key": lambda world: world.code("420000").replace(b"eyJ", b"eyJ", 1).replace(b"ImsxI", b"ImsyI"),
    "a changed code": lambda world: world.code("440000")[:-30] + b"AAAAAAAA" + world.code("440000")[-22:],
    "a changed national code": lambda world: world.code("110000")[:-3] + b"000",
    "a token that nobody published": lambda world: b"SH-" + b"x" * 22,
    "a token too short": lambda world: b"SH-x",
    "text for a time": lambda world: changed(world, "420000", exp="soon"),
    "no level": lambda world: changed(world, "420000", color=...),
    "another issuer": lambda world: world.mint("110000", world.tree("110000") | {1: "420000"}),
    "no adopter": lambda world: world.mint("000000", world.tree("000000") | {-65539: "420000"}),
    "expired": lambda world: world.code("420000", issued_at=world.now - 3 * HOUR, expires_at=world.now - HOUR),
    "early": lambda world: world.code("440000", issued_at=world.now + HOUR, expires_at=world.now + 2 * HOUR),
}


async def test_what_a_scanner_adds_around_a_code_is_taken_off(world: World) -> None:
    code = b"\xef\xbb\xbf]Q1" + world.code("420000") + b"\r\n"
    inspection = await inspect(world, code)
    assert (inspection.failed, inspection.finding) == (None, None)


@pytest.mark.parametrize("name", FAULTS)
async def test_the_step_that_fails_is_the_one_that_the_check_fails_for(world: World, name: str) -> None:
    code = FAULTS[name](world)
    verdict = await world.verify(code)
    inspection = await inspect(world, code)
    assert inspection.finding == (verdict.authenticity, verdict.reason)
    assert inspection.failed is not None
    assert inspection.failed.number == STEP_OF[verdict.reason] == len(inspection.steps)
    assert [step.passed for step in inspection.steps[:-1]] == [True] * (len(inspection.steps) - 1)
    assert inspection.failed.lines[0]


@pytest.mark.parametrize("region", ["000000", "110000", "420000", "430000", "440000", "540000"])
async def test_a_good_code_passes_all_seven_steps(world: World, region: str) -> None:
    inspection = await inspect(world, world.code(region, subject=SECRET))
    assert [step.number for step in inspection.steps] == [1, 2, 3, 4, 5, 6, 7]
    assert all(step.passed for step in inspection.steps)
    assert inspection.finding is None
    assert inspection.claims == (await world.check(world.code(region, subject=SECRET))).claims
    assert "is GREEN" in lines(inspection)


async def test_a_token_and_a_translation_pass_too(world: World) -> None:
    assert all(step.passed for step in (await inspect(world, await world.token())).steps)
    for target in ("420000", "440000", "000000", "110000"):
        translation = await world.translate(world.code("430000"), target)
        assert all(step.passed for step in (await inspect(world, translation.code)).steps)


@pytest.mark.parametrize("state", ["revoked", "retired"])
async def test_a_key_that_ended_is_named_and_its_region(world: World, state: str) -> None:
    key = world.entry("420000")["keys"][0]
    key |= {"state": state} | ({"retired_at": (world.now - 2 * HOUR) // SECOND} if state == "retired" else {})
    await world.publish_list()
    code = world.code("420000")
    inspection = await inspect(world, code)
    assert inspection.finding is not None
    assert inspection.finding.authenticity is Authenticity.KEY_NOT_VALID
    assert inspection.finding.reason is (await world.verify(code)).reason
    assert f"region 420000, issuer, {state}" in lines(inspection)


async def test_a_key_id_that_is_near_another_is_named_and_not_taken(world: World) -> None:
    world.entry("440000")["keys"][0]["kid"] = "K1"
    await world.publish_list()
    inspection = await inspect(world, world.code("440000"))
    assert inspection.failed is not None
    assert inspection.failed.lines == (
        "no key for paseto codes has the id 'k1'; 'K1' is known and differs in case or width",
    )


async def test_a_claim_of_the_wrong_kind_is_named_with_what_was_expected(world: World) -> None:
    inspection = await inspect(world, changed(world, "420000", exp="soon", who={"id": SECRET}))
    assert inspection.failed is not None
    assert inspection.failed.lines[0] == "expiry at `exp`: expected seconds since 1970 or RFC 3339 text, found text"
    assert "subject at `who/id`: an identifier, from text of 18 characters; not shown" in inspection.failed.lines


async def test_no_identifier_is_shown(world: World) -> None:
    for region in ("000000", "110000", "420000", "440000"):
        assert SECRET not in lines(await inspect(world, world.code(region, subject=SECRET)))
    for changes in ({"who": {SECRET: 1}}, {"who": SECRET}, {"exp": SECRET}, {"iat": {SECRET: SECRET}}):
        assert SECRET not in lines(await inspect(world, changed(world, "420000", **changes)))


async def test_a_level_word_that_is_near_one_is_told_and_not_taken(world: World) -> None:
    inspection = await inspect(world, world.code("420000", "green "))
    assert "'green ' is no word of the region's levels: UNSPECIFIED; 'green' is known and differs in white" in lines(
        inspection
    )
    assert inspection.finding is None
