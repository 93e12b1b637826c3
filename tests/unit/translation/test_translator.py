"""Translation: home to national to host, by the gateway's key, for as long as its source is good."""

import hashlib
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from onecode_server.codes.national import codec as national
from onecode_server.errors import PreconditionFailed
from onecode_server.model.code import Scan
from onecode_server.model.status import Level, Scope
from onecode_server.model.verdict import Authenticity, Decision, Reason, Recognition
from onecode_server.translation.translator import MINUTE_US, Obstacle, Translation

from tests.world import HOUR, NOON, SECOND, World

HOMES = ["000000", "110000", "420000", "430000", "440000", "540000"]
TARGETS = ["000000", "110000", "420000", "440000", "630000"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("home", HOMES)
async def test_translate_then_verify_keeps_home_subject_and_level(world: World, home: str, target: str) -> None:
    source = await world.check(world.code(home))
    made = await world.translate(source.code, target)
    there = await world.check(made.code, "440000")
    assert source.claims is not None
    assert there.claims is not None
    assert (there.answer.home, there.claims.subject, there.level) == (home, source.claims.subject, source.level)
    assert there.answer.decision is Decision.ADMIT


@pytest.mark.parametrize("level", [Level.YELLOW, Level.RED])
async def test_a_level_that_does_not_pass_is_translated_all_the_same(world: World, level: Level) -> None:
    made = await world.translate(world.code("440000", level), "110000")
    assert (await world.verify(made.code, "440000")).level is level


async def test_of_several_words_the_first_listed_is_used(world: World) -> None:
    made = await world.translate(world.code("440000"), "420000")
    assert jwt.decode(made.code, options={"verify_signature": False})["color"] == "绿"


async def test_a_library_that_is_not_ours_verifies_a_translation(world: World) -> None:
    code = world.code("440000")
    made = await world.translate(code, "420000")
    gateway = Ed25519PublicKey.from_public_bytes(world.signers["000000", "gateway-jwt"].public_key)
    claims = jwt.decode(made.code, gateway, algorithms=["EdDSA"], options={"verify_exp": False, "verify_iat": False})
    assert claims["onecode"]["region"] == "440000"
    assert made.format == "jwt"


async def test_an_opaque_code_translates_with_the_level_of_its_record(world: World) -> None:
    made = await world.translate(await world.token(Level.YELLOW), "420000")
    verdict = await world.verify(made.code, "440000")
    assert (verdict.home, verdict.level) == ("310000", Level.YELLOW)


async def test_a_translation_of_a_translation_is_refused(world: World) -> None:
    made = await world.translate(world.code("440000"), "420000")
    again = await world.translate(made.code, "110000")
    assert again == Translation(again.verdict, obstacle=Obstacle.ALREADY_TRANSLATED)


async def test_a_level_for_which_the_target_has_no_word_is_an_obstacle(world: World) -> None:
    made = await world.translate(world.code("440000", Level.YELLOW), "430000")
    assert (made.code, made.obstacle) == (b"", Obstacle.LEVEL_WITHOUT_WORD)


async def test_an_opaque_target_is_refused(world: World) -> None:
    with pytest.raises(PreconditionFailed):
        world.translator.check_target("310000", world.trust.current)


async def test_what_is_not_authentic_recognised_and_mapped_is_not_translated(world: World) -> None:
    unknown_host = await world.translate(world.code("420000"), "999999")
    assert (unknown_host.code, unknown_host.verdict.recognition) == (b"", Recognition.UNKNOWN_HOST)
    unmapped = await world.translate(world.code("420000", "lila"), "440000")
    assert (unmapped.code, unmapped.obstacle, unmapped.verdict.reason) == (b"", 0, Reason.LEVEL_UNMAPPED)
    assert (await world.translate(b"nonsense", "440000")).code == b""


async def test_without_the_store_nothing_is_translated(world: World) -> None:
    (world.path / "store" / "data.mdb").rename(world.path / "away")
    assert (await world.translate(world.code("420000"), "440000")).code == b""


async def test_the_targets_local_records_do_not_travel(world: World) -> None:
    await world.say("540000", Level.RED, scope=Scope.LOCAL, home="420000")
    made = await world.translate(world.code("420000"), "540000")
    assert made.verdict.decision is Decision.ADMIT
    assert (await world.verify(made.code, "540000")).reason is Reason.RED_BY_HOST
    assert (await world.verify(made.code, "440000")).decision is Decision.ADMIT


async def test_the_same_source_verdict_and_minute_give_the_same_bytes(world: World) -> None:
    code = world.code("440000")
    world.now = NOON - NOON % MINUTE_US + SECOND
    first = await world.translate(code, "420000")
    world.now += 58 * SECOND
    assert (await world.translate(code, "420000")).code == first.code
    world.now += SECOND
    assert (await world.translate(code, "420000")).code != first.code


async def test_a_translation_expires_after_15_minutes_or_with_its_source(world: World) -> None:
    long = await world.translate(world.code("440000"), "420000")
    assert long.expires_at == NOON - NOON % MINUTE_US + 15 * MINUTE_US
    short = await world.translate(world.code("440000", expires_at=NOON + 70 * SECOND), "420000")
    assert short.expires_at == NOON + 70 * SECOND
    world.now = NOON + 130 * SECOND
    assert (await world.verify(short.code)).authenticity is Authenticity.EXPIRED


@pytest.mark.parametrize(("level", "recorded"), [(Level.RED, Level.GREEN), (Level.GREEN, Level.YELLOW)])
async def test_a_translation_ends_with_the_record_that_made_its_level(
    world: World, level: Level, recorded: Level
) -> None:
    code = world.code("440000", level, issued_at=NOON - HOUR)
    await world.say("440000", recorded, expires_at=NOON + 120 * SECOND)
    made = await world.translate(code, "420000")
    assert (made.verdict.level, made.expires_at) == (recorded, NOON + 120 * SECOND)
    assert (await world.verify(made.code, "110000")).level is recorded
    world.now = NOON + 180 * SECOND
    world.monotonic_s += 6
    assert (await world.verify(code, "110000")).level is level
    assert (await world.verify(made.code, "110000")).authenticity is Authenticity.EXPIRED


@pytest.mark.parametrize("lasts_s", [1, 30, 60, 120, 300])
@pytest.mark.parametrize("setting", ["code_age_max_s", "valid_for_s"])
async def test_a_translation_lasts_no_longer_than_the_targets_own_codes_and_says_so(
    world: World, setting: str, lasts_s: int
) -> None:
    where = {"subject": "sub", "level": "ok", "issued_at": "iat", setting: lasts_s}
    world.entry("430000")["claims"] = where if setting == "valid_for_s" else where | {"expiry": "exp"}
    await world.publish_list()
    for second in (0, 29, 59):
        world.now = NOON + second * SECOND
        source = world.code("420000", issued_at=NOON - HOUR, expires_at=NOON + HOUR)
        made = await world.translate(source, "430000")
        there = await world.check(made.code, "440000")
        assert there.claims is not None
        assert made.expires_at is not None
        assert there.claims.expires_at == made.expires_at
        assert world.now < made.expires_at <= world.now + lasts_s * SECOND
        assert (await world.translate(source, "430000")).code == made.code


async def test_a_translation_into_arrays_is_no_longer_than_a_code_may_be(world: World) -> None:
    world.entry("440000")["claims"] = {
        "subject": ["a", 64],
        "level": ["b", 64],
        "issued_at": ["c", 64],
        "expiry": ["d", 63],
    }
    await world.publish_list()
    made = await world.translate(world.code("420000"), "440000")
    assert (await world.verify(made.code)).reason is Reason.GREEN


async def test_a_source_in_the_skew_after_its_end_is_translated_and_ends_with_it(world: World) -> None:
    made = await world.translate(world.code("440000", expires_at=NOON - 30 * SECOND), "420000")
    assert (await world.verify(made.code)).decision is Decision.ADMIT
    world.now += 31 * SECOND
    assert (await world.verify(made.code)).authenticity is Authenticity.EXPIRED


@pytest.mark.parametrize("home", ["440000", "540000"])
async def test_a_translation_dies_with_its_sources_key(world: World, home: str) -> None:
    made = await world.translate(world.code(home), "420000")
    world.entry("440000" if home == "440000" else "000000")["keys"][0]["state"] = "revoked"
    await world.publish_list()
    verdict = await world.verify(made.code)
    assert (verdict.authenticity, verdict.reason) == (Authenticity.KEY_NOT_VALID, Reason.SOURCE_KEY_NOT_VALID)


async def test_a_translation_of_an_opaque_code_dies_with_its_regions_format(world: World) -> None:
    made = await world.translate(await world.token(), "420000")
    world.document["regions"] = [entry for entry in world.document["regions"] if entry["code"] != "310000"]
    await world.publish_list()
    assert (await world.verify(made.code)).reason is Reason.SOURCE_KEY_NOT_VALID


async def test_the_status_of_a_translation_is_that_of_its_source(world: World) -> None:
    code = world.code("440000", issued_at=NOON - HOUR)
    made = await world.translate(code, "420000")
    world.now += 120 * SECOND
    # Told late of an hour ago: it counts against the source, and so against what was made of it since.
    await world.say("440000", Level.RED, effective_at=NOON - HOUR + SECOND)
    assert (await world.verify(code)).level is Level.RED
    assert (await world.verify(made.code)).level is Level.RED


async def test_only_a_gateway_keys_word_is_taken_for_a_source(world: World) -> None:
    made = await world.translate(world.code("440000"), "420000")
    forged = jwt.decode(made.code, options={"verify_signature": False})
    verdict = await world.verify(world.mint("420000", forged))
    assert verdict.home == "420000"


async def test_a_gateway_key_alone_vouches_for_nobody(world: World) -> None:
    tree = {**world.tree("000000"), national.REGION: "540000"}
    verdict = await world.verify(world.mint("000000", tree, "gateway-national"))
    assert (verdict.decision, verdict.reason) == (Decision.REFUSE, Reason.CLAIM_MISSING)


async def test_a_translation_names_the_digest_of_its_source(world: World) -> None:
    code = world.code("440000")
    check = await world.check((await world.translate(code, "000000")).code)
    assert check.claims is not None
    assert check.claims.source is not None
    assert check.claims.source.digest == hashlib.sha256(code).digest()


async def test_without_a_valid_gateway_key_for_the_format_nothing_is_translated(world: World) -> None:
    for key in world.entry("000000")["keys"]:
        if key.get("format") == "jwt":
            key["state"] = "revoked"
    await world.publish_list()
    with pytest.raises(PreconditionFailed, match="gateway key"):
        await world.translate(world.code("440000"), "420000")


async def test_a_translation_dies_with_its_targets_own_code(world: World) -> None:
    made = await world.translate(world.code("440000"), "110000")
    world.document["regions"].remove(world.entry("110000"))
    world.document["regions"].append({"code": "110000", "name": "now an adopter", "adopts_national": True})
    await world.publish_list()
    verdict = await world.verify(made.code, "440000")
    assert (verdict.authenticity, verdict.reason) == (Authenticity.MALFORMED, Reason.CLAIMS_MALFORMED)
    assert not world.metrics.registry.get_sample_value("onecode_check_bugs_total")


async def test_a_target_is_asked_of_the_list_that_the_code_was_checked_by(world: World) -> None:
    result = await world.batcher.submit(Scan(world.code("440000"), "310000", for_translation=True))
    with pytest.raises(PreconditionFailed) as refused:
        await world.translator.translate(result.check, result.results)
    assert refused.value.reason == "TARGET_OPAQUE"


async def rotated(world: World, **entry: Any) -> dict[str, Any]:
    """Publish one more gateway key for JWTs, which has its file; return its entry."""
    added = world.key_entry("000000", f"gateway-{len(world.signers)}", role="gateway", format="jwt", **entry)
    world.entry("000000")["keys"].append(added)
    await world.gateway_keys.refresh()
    await world.publish_list()
    return added


def signer_of(made: Translation) -> str:
    return str(jwt.get_unverified_header(made.code)["kid"])


async def test_of_several_gateway_keys_the_one_that_began_last_signs(world: World) -> None:
    await rotated(world, not_before=(NOON - 2 * HOUR) / SECOND)
    last = await rotated(world, not_before=(NOON - HOUR) / SECOND)
    await rotated(world, not_before=(NOON - 3 * HOUR) / SECOND)
    assert signer_of(await world.translate(world.code("440000"), "420000")) == last["kid"]


async def test_of_gateway_keys_without_a_beginning_the_one_listed_last_signs(world: World) -> None:
    last = await rotated(world)
    assert signer_of(await world.translate(world.code("440000"), "420000")) == last["kid"]


async def test_a_gateway_key_signs_from_its_beginning_on_and_not_by_a_clock_that_is_ahead(world: World) -> None:
    begins = NOON - NOON % MINUTE_US + MINUTE_US
    new = await rotated(world, not_before=begins / SECOND)
    for world.now, kid in ((begins - SECOND, "gateway-jwt"), (begins, new["kid"])):
        made = await world.translate(world.code("440000"), "420000")
        assert signer_of(made) == kid
        assert (await world.verify(made.code, "440000")).decision is Decision.ADMIT


async def test_a_gateway_key_that_ends_before_its_translation_gives_way_to_one_that_does_not(world: World) -> None:
    await rotated(world, not_before=(NOON - HOUR) / SECOND, not_after=(NOON + 60 * SECOND) / SECOND)
    assert signer_of(await world.translate(world.code("440000"), "420000")) == "gateway-jwt"


async def test_the_only_gateway_key_signs_from_the_moment_at_which_it_is_listed(world: World) -> None:
    for key in world.entry("000000")["keys"]:
        if key.get("format") == "jwt":
            key["state"] = "revoked"
    new = await rotated(world, not_before=(NOON + 30 * SECOND) / SECOND)
    assert signer_of(await world.translate(world.code("440000"), "420000")) == new["kid"]


async def test_a_translation_lasts_when_the_key_that_signed_it_is_retired(world: World) -> None:
    made = await world.translate(world.code("440000"), "420000")
    world.now += MINUTE_US
    old = next(key for key in world.entry("000000")["keys"] if key.get("format") == "jwt")
    old |= {"state": "retired", "retired_at": world.now / SECOND}
    new = await rotated(world)
    assert signer_of(await world.translate(world.code("440000"), "420000")) == new["kid"]
    assert (await world.verify(made.code, "440000")).decision is Decision.ADMIT


async def test_a_gateway_key_that_the_list_does_not_have_signs_nothing(world: World) -> None:
    world.key_entry("000000", "unlisted", role="gateway", format="jwt")
    await world.gateway_keys.refresh()
    assert len(world.gateway_keys.public_keys) == 4
    assert signer_of(await world.translate(world.code("440000"), "420000")) == "gateway-jwt"
