"""The main path: what a code, its claims, its status and its host make of a verdict."""

import asyncio

import pytest

from onecode_server.errors import NotServing
from onecode_server.model.code import Scan, Scans
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Level, Scope, Status, StatusRecord
from onecode_server.model.subject import token_digest
from onecode_server.model.verdict import Authenticity, Decision, Reason, Recognition
from onecode_server.stores import layout
from onecode_server.stores.protocol import TokenKey

from tests.world import HOUR, NOON, SECOND, World, filed

SIGNED = ["000000", "110000", "420000", "430000", "440000", "540000"]


@pytest.mark.parametrize("home", SIGNED)
async def test_a_green_code_of_every_format_is_admitted_in_another_region(world: World, home: str) -> None:
    verdict = await world.verify(world.code(home), "440000")
    assert verdict == (
        Decision.ADMIT,
        Level.GREEN,
        Authenticity.VALID,
        Status.NONE,
        Recognition.RECOGNISED,
        Reason.GREEN,
        home,
        "",
        0,
    )


async def test_a_published_opaque_code_is_admitted_and_its_status_is_current(world: World) -> None:
    verdict = await world.verify(await world.token())
    assert (verdict.decision, verdict.status, verdict.home) == (Decision.ADMIT, Status.CURRENT, "310000")


@pytest.mark.parametrize(
    ("level", "decision"), [(Level.GREEN, Decision.ADMIT), (Level.YELLOW, Decision.CHECK), (Level.RED, Decision.REFUSE)]
)
@pytest.mark.parametrize("home", ["110000", "420000", "440000", "540000"])
async def test_each_level_leads_to_its_decision(world: World, home: str, level: Level, decision: Decision) -> None:
    verdict = await world.verify(world.code(home, level))
    assert (verdict.decision, verdict.level) == (decision, level)


async def test_a_level_word_that_nobody_mapped_is_never_guessed(world: World) -> None:
    verdict = await world.verify(world.code("420000", "GREEN"))
    assert (verdict.decision, verdict.level, verdict.reason) == (
        Decision.CHECK,
        Level.UNSPECIFIED,
        Reason.LEVEL_UNMAPPED,
    )


async def test_a_level_that_is_not_text_matches_by_its_json_text(world: World) -> None:
    tree = world.tree("430000") | {"ok": False}
    assert (await world.verify(world.mint("430000", tree))).reason is Reason.RED


@pytest.mark.parametrize(
    ("code", "authenticity", "reason"),
    [
        (b"", Authenticity.MALFORMED, Reason.CODE_EMPTY),
        (b"NC1:" + b"0" * 4093, Authenticity.MALFORMED, Reason.CODE_TOO_LARGE),
        (b"XX9:what is this", Authenticity.MALFORMED, Reason.FORMAT_UNKNOWN),
        (b"\xff\xfe\x00", Authenticity.MALFORMED, Reason.FORMAT_UNKNOWN),
        (b"nc1:lower case", Authenticity.MALFORMED, Reason.FORMAT_UNKNOWN),
        (b"NC1:not base45 at all", Authenticity.MALFORMED, Reason.CODE_MALFORMED),
        (b"eyJ", Authenticity.MALFORMED, Reason.CODE_MALFORMED),
        (b"v4.public.", Authenticity.MALFORMED, Reason.CODE_MALFORMED),
        (b"SH-tooshort", Authenticity.MALFORMED, Reason.CODE_MALFORMED),
        (b"SH-0123456789012345678901", Authenticity.UNKNOWN_ISSUER, Reason.TOKEN_UNKNOWN),
        # {"alg":"none"} and {"alg":"HS256","kid":"k1"}
        (b"eyJhbGciOiJub25lIn0.e30.", Authenticity.MALFORMED, Reason.ALGORITHM_NOT_ALLOWED),
        (b"eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0.e30.AA", Authenticity.MALFORMED, Reason.ALGORITHM_NOT_ALLOWED),
    ],
)
async def test_what_is_no_code_is_an_answer(
    world: World, code: bytes, authenticity: Authenticity, reason: Reason
) -> None:
    verdict = await world.verify(code)
    assert (verdict.decision, verdict.authenticity, verdict.reason) == (Decision.REFUSE, authenticity, reason)
    assert (verdict.level, verdict.status, verdict.recognition, verdict.home) == (0, 0, 0, "")


async def test_a_key_id_that_no_region_uses_is_an_unknown_issuer(world: World) -> None:
    world.signers["420000", "other"] = world.signers["420000", "k1"]
    verdict = await world.verify(world.mint("420000", world.tree("420000"), "other"))
    assert (verdict.authenticity, verdict.reason) == (Authenticity.UNKNOWN_ISSUER, Reason.KEY_UNKNOWN)


async def test_a_key_does_not_verify_another_format(world: World) -> None:
    world.signers["440000", "k1"] = world.signers["420000", "k1"]  # Hubei's key, under a key id that PASETO has too
    verdict = await world.verify(world.code("440000"))
    assert verdict.authenticity is Authenticity.BAD_SIGNATURE


async def test_two_regions_with_one_key_id_both_verify_and_keep_their_homes(world: World) -> None:
    assert (await world.verify(world.code("420000"))).home == "420000"
    assert (await world.verify(world.code("430000"))).home == "430000"


@pytest.mark.parametrize("home", SIGNED)
async def test_a_tampered_code_is_refused(world: World, home: str) -> None:
    good, other = world.code(home, subject="a"), world.code(home, subject="b")
    middle = next(i for i in range(len(good) // 3, len(good)) if good[i] != other[i])
    verdict = await world.verify(good[:middle] + other[middle : middle + 1] + good[middle + 1 :])
    assert (verdict.decision, verdict.level) == (Decision.REFUSE, Level.UNSPECIFIED)


async def test_a_code_whose_named_issuer_is_not_its_signer_is_refused(world: World) -> None:
    verdict = await world.verify(world.mint("110000", world.tree("110000") | {1: "000000"}))
    assert (verdict.authenticity, verdict.reason) == (Authenticity.UNKNOWN_ISSUER, Reason.ISSUER_MISMATCH)


@pytest.mark.parametrize("residence", ["420000", "999999"])
async def test_a_national_code_does_not_speak_for_a_region_with_a_code_of_its_own(world: World, residence: str) -> None:
    verdict = await world.verify(world.mint("540000", world.tree("540000") | {-65539: residence}))
    assert (verdict.decision, verdict.reason) == (Decision.REFUSE, Reason.RESIDENCE_NOT_ADOPTER)


async def test_a_region_cannot_name_another_residence_for_its_codes(world: World) -> None:
    verdict = await world.verify(world.mint("110000", world.tree("110000") | {-65539: "540000"}))
    assert verdict.home == "110000"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iat": None}, Reason.CLAIMS_MALFORMED),
        ({"exp": "tomorrow"}, Reason.CLAIMS_MALFORMED),
        ({"exp": True}, Reason.CLAIMS_MALFORMED),
        ({"exp": -1}, Reason.CLAIMS_MALFORMED),
        ({"exp": 253_402_300_800}, Reason.CLAIMS_MALFORMED),
        ({"exp": 10**400}, Reason.CLAIMS_MALFORMED),
        ({"exp": NOON // SECOND - 7200}, Reason.CLAIMS_MALFORMED),
        ({"who": "a string"}, Reason.CLAIM_MISSING),
        ({"who": {"id": ["a", "list"]}}, Reason.CLAIMS_MALFORMED),
        ({"who": {"id": ""}}, Reason.CLAIMS_MALFORMED),
        ({"nbf": NOON // SECOND + 61}, Reason.NOT_YET_VALID),
        ({"iat": NOON // SECOND + 61}, Reason.NOT_YET_VALID),
    ],
)
async def test_claims_that_are_missing_or_wrong_are_refused(
    world: World, change: dict[str, object], reason: Reason
) -> None:
    verdict = await world.verify(world.mint("420000", world.tree("420000") | change))
    assert (verdict.decision, verdict.reason) == (Decision.REFUSE, reason)


async def test_a_code_without_its_level_is_refused(world: World) -> None:
    tree = world.tree("420000")
    del tree["color"]
    assert (await world.verify(world.mint("420000", tree))).reason is Reason.CLAIM_MISSING


async def test_an_expired_code_is_refused_after_the_skew_and_not_before(world: World) -> None:
    code = world.code("420000", expires_at=NOON)
    world.now = NOON + 59 * SECOND
    assert (await world.verify(code)).decision is Decision.ADMIT
    world.now = NOON + 60 * SECOND
    assert (await world.verify(code)).authenticity is Authenticity.EXPIRED


async def test_a_code_older_than_its_region_allows_is_expired(world: World) -> None:
    assert (await world.verify(world.code("430000", issued_at=NOON - 3 * HOUR))).reason is Reason.EXPIRED


async def test_a_token_that_cannot_be_read_is_unverifiable_and_takes_no_other_one_along(world: World) -> None:
    tokens = [await world.token() for _ in range(2)]
    key = layout.token_key(TokenKey("310000", token_digest(world.pseudonym_key, "310000", tokens[0])))
    await world.store._env.write(lambda txn: txn.put(key, b"noise", db=world.store._tokens))
    found = [(verdict.decision, verdict.authenticity) for verdict in await world.verify_all(tokens)]
    assert found == [(Decision.CHECK, Authenticity.UNVERIFIABLE), (Decision.ADMIT, Authenticity.VALID)]


async def test_an_opaque_code_ends_with_its_record(world: World) -> None:
    code = await world.token(expires_at=NOON + 10 * SECOND)
    world.now += 71 * SECOND
    assert (await world.verify(code)).authenticity is Authenticity.EXPIRED


@pytest.mark.parametrize("better", [False, True])
async def test_the_homes_newer_record_replaces_the_codes_claim_for_better_and_worse(
    world: World, *, better: bool
) -> None:
    claimed, recorded = (Level.RED, Level.GREEN) if better else (Level.GREEN, Level.RED)
    await world.say("420000", recorded)
    verdict = await world.verify(world.code("420000", claimed))
    assert (verdict.level, verdict.status) == (recorded, Status.CURRENT)


async def test_a_code_issued_after_the_record_is_the_homes_later_word(world: World) -> None:
    world.now = NOON - 2 * HOUR
    await world.say("420000", Level.RED)
    world.now = NOON
    verdict = await world.verify(world.code("420000", issued_at=NOON - HOUR))
    assert (verdict.decision, verdict.status) == (Decision.ADMIT, Status.CURRENT)


async def test_red_that_was_published_after_the_code_counts_from_whenever_it_took_effect(world: World) -> None:
    await world.say("420000", Level.RED, effective_at=NOON - 2 * HOUR)
    code = world.code("420000", issued_at=NOON - HOUR)
    assert (await world.verify(code)).reason is Reason.RED
    assert (await world.verify_all([code]))[0].reason is Reason.RED


async def test_late_or_announced_green_lifts_no_red_code_that_was_issued_after_it(world: World) -> None:
    world.now = NOON - 2 * HOUR
    await world.say("420000", Level.GREEN, "announced", effective_at=NOON)
    world.now = NOON
    await world.say("420000", Level.GREEN, "late", effective_at=NOON - 2 * HOUR)
    for subject in ("announced", "late"):
        code = world.code("420000", Level.RED, subject, issued_at=NOON - HOUR)
        assert (await world.verify(code)).reason is Reason.RED
        assert (await world.verify_all([code]))[0].reason is Reason.RED
        await world.say("420000", Level.GREEN, subject, effective_at=NOON, revision=2)
        assert (await world.verify(code)).decision is Decision.ADMIT
        assert (await world.verify_all([code]))[0].decision is Decision.ADMIT


async def test_an_opaque_code_has_the_level_of_its_homes_newest_record_whatever_the_times(world: World) -> None:
    code = await world.token(Level.RED, expires_at=None)
    older = StatusRecord("310000", Scope.NATIONAL, Level.GREEN, NOON - 9 * HOUR, None, 2)
    assert await world.publisher.publish([(Scan(code, ""), older)]) == [None]
    world.now += HOUR
    world.monotonic_s += 6
    assert (await world.verify(code)).decision is Decision.ADMIT
    assert (await world.verify_all([code]))[0].decision is Decision.ADMIT


async def test_red_by_the_national_authority_stands_above_a_green_code(world: World) -> None:
    await world.say("000000", Level.RED, home="420000")
    verdict = await world.verify(world.code("420000"), "999999")
    assert (verdict.decision, verdict.reason) == (Decision.REFUSE, Reason.RED_BY_NATIONAL_AUTHORITY)


async def test_an_adopters_local_record_counts_at_home_and_nowhere_else(world: World) -> None:
    await world.say("540000", Level.RED, scope=Scope.LOCAL)
    code = world.code("540000")
    assert (await world.verify(code, "540000")).reason is Reason.RED_BY_HOST
    assert (await world.verify(code, "630000")).decision is Decision.ADMIT
    assert (await world.verify(code, "420000")).decision is Decision.ADMIT


async def test_another_regions_national_record_never_counts(world: World) -> None:
    await world.say("440000", Level.RED, home="420000")
    assert (await world.verify(world.code("420000"))).decision is Decision.ADMIT


async def test_a_host_outside_the_trust_list_gets_check(world: World) -> None:
    verdict = await world.verify(world.code("420000"), "999999")
    assert (verdict.decision, verdict.recognition) == (Decision.CHECK, Recognition.UNKNOWN_HOST)


async def test_an_exception_in_effect_suspends_and_is_named(world: World) -> None:
    report = RecognitionException("e-1", "440000", "420000", "why", NOON, NOON + HOUR, NOON - HOUR, NOON - HOUR)
    await world.store.change_exceptions(filed(report))
    await world.exceptions.refresh()
    suspended = await world.verify(world.code("420000"), "440000")
    assert (suspended.decision, suspended.recognition, suspended.exception_id) == (
        Decision.CHECK,
        Recognition.SUSPENDED,
        "e-1",
    )
    assert (await world.verify(world.code("440000"), "420000")).decision is Decision.ADMIT
    world.now += HOUR
    assert (await world.verify(world.code("420000"), "440000")).decision is Decision.ADMIT


async def test_past_its_next_update_and_grace_a_list_admits_nobody(world: World) -> None:
    code = world.code("420000", expires_at=NOON + 100 * HOUR)
    world.now = NOON + 25 * HOUR
    assert (await world.verify(code)).decision is Decision.ADMIT
    world.now += SECOND
    verdict = await world.verify(code)
    assert (verdict.decision, verdict.reason) == (Decision.CHECK, Reason.TRUST_LIST_OUT_OF_DATE)


async def test_without_the_store_a_green_code_is_checked_by_a_person_and_an_opaque_one_is_unverifiable(
    world: World,
) -> None:
    token = await world.token()
    (world.path / "store" / "data.mdb").rename(world.path / "away")
    verdict = await world.verify(world.code("420000"))
    assert (verdict.decision, verdict.level, verdict.status) == (Decision.CHECK, Level.GREEN, Status.UNAVAILABLE)
    opaque = await world.verify(token)
    assert (opaque.decision, opaque.authenticity) == (Decision.CHECK, Authenticity.UNVERIFIABLE)
    assert (await world.verify(world.code("420000", Level.RED))).decision is Decision.REFUSE


async def test_keys_retired_and_revoked(world: World) -> None:
    before, after = world.code("420000"), world.code("420000", issued_at=NOON)
    world.entry("420000")["keys"][0] |= {"state": "retired", "retired_at": NOON / SECOND}
    await world.publish_list()
    assert (await world.verify(before)).decision is Decision.ADMIT
    assert (await world.verify(after)).reason is Reason.KEY_RETIRED
    world.entry("420000")["keys"][0] = {
        key: value for key, value in world.entry("420000")["keys"][0].items() if key != "retired_at"
    } | {"state": "revoked"}
    await world.publish_list()
    assert (await world.verify(before)).reason is Reason.KEY_REVOKED


async def test_a_bug_found_by_one_code_refuses_that_code_and_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onecode_server.codes.jwt import codec as jwt

    def broken(code: bytes) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(jwt, "decode", broken)
    outcome = await world.check_all([world.code("420000"), world.code("440000")])
    assert [check.answer.decision for check in outcome.checks] == [Decision.REFUSE, Decision.ADMIT]


@pytest.mark.parametrize("count", [1, 15, 16, 1300])
async def test_every_code_of_a_batch_is_counted_by_its_verdict_its_home_and_its_host(world: World, count: int) -> None:
    codes = [world.code("420000", subject=f"id-{number % 7}") for number in range(20)]
    hosts = ["440000", "110000", "440000"]
    for _ in range(2):  # one by one, and in columns where there are enough
        before = counted(world)
        scans = Scans([codes[n % 20] for n in range(count)], [hosts[n % 3] for n in range(count)])
        await world.verifier.verify(scans)
        found = [after - earlier for after, earlier in zip(counted(world), before, strict=True)]
        assert found == [count, scans.hosts.count("440000"), scans.hosts.count("110000")]


def counted(world: World) -> list[float]:
    """Return how many codes were admitted, and how many of 420000 were scanned at 440000 and at 110000."""
    get = world.metrics.registry.get_sample_value
    admitted = get("onecode_verdicts_total", {"decision": "ADMIT", "authenticity": "VALID"})
    scanned = [get("onecode_scans_total", {"home": "420000", "host": host}) for host in ("440000", "110000")]
    return [found or 0 for found in (admitted, *scanned)]


async def test_a_large_batch_lets_others_have_their_turn(world: World) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    await world.check_all([b"nothing"] * 64 * 10)
    other.cancel()
    assert turns >= 9  # between its ten slices


async def test_before_there_is_a_trust_list_nothing_is_decided(tmp_path: object) -> None:
    world = World(tmp_path)  # type: ignore[arg-type]
    with pytest.raises(NotServing):
        await world.verify(b"anything")
    await world.store.close()
