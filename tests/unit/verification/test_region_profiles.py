"""Regions as they are: what their own libraries write is read by a setting of their entry, alone and in a batch."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import cbor2
import jwt
import pyseto
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSE, COSEKey

from onecode_server.codes import claims
from onecode_server.codes.codec import CODECS, codec_of
from onecode_server.codes.encodings import base45
from onecode_server.model.status import Level, Scope
from onecode_server.model.subject import pseudonym
from onecode_server.model.verdict import Decision, Reason

from tests.world import NOON, SECOND, World

NOW_S = NOON // SECOND
BEIJING = timezone(timedelta(hours=8))
KEY = Ed25519PrivateKey.from_private_bytes(bytes([5] * 32))
PUBLIC = KEY.public_key().public_bytes_raw()
KID = b"k-7"
REGION = "659000"


def local(seconds: int, separator: str = " ") -> str:
    return datetime.fromtimestamp(seconds, BEIJING).replace(tzinfo=None).isoformat(separator)


def by_pyjwt(payload: dict[Any, Any]) -> bytes:
    return jwt.encode(payload, KEY, algorithm="EdDSA", headers={"kid": KID.decode()}).encode()


def by_pyseto(payload: dict[Any, Any]) -> bytes:
    key = pyseto.Key.from_asymmetric_key_params(4, d=KEY.private_bytes_raw())
    return bytes(pyseto.encode(key, payload=payload, footer={"kid": KID.decode()}))


def by_cwt(payload: dict[Any, Any]) -> bytes:
    key = COSEKey.new({1: 1, 2: KID, 3: -8, -1: 6, -2: PUBLIC, -4: KEY.private_bytes_raw()})
    made = COSE.new().encode_and_sign(cbor2.dumps(payload), key, protected={1: -8, 4: KID})
    return b"NC1:" + base45.encode(made)


PayloadOf = Callable[[int, str], dict[Any, Any]]
"""What a region says of a bearer: when it was issued (seconds since 1970), and at which level."""

PROFILES: dict[str, tuple[str, dict[str, Any], PayloadOf, Callable[[dict[Any, Any]], bytes]]] = {
    "nbf, milliseconds, arrays, an issuer of its own": (
        "jwt",
        {
            "subject": ["holders", 0, "no"],
            "level": ["d", 1],
            "issued_at": "nbf",
            "expiry": "exp",
            "time_format": "ms",
            "issuer": "https://health.example",
        },
        lambda at, level: {
            "iss": "https://health.example",
            "holders": [{"no": "id-7"}],
            "d": ["x", level],
            "nbf": at * 1000,
            "exp": (at + 7200) * 1000,
        },
        by_pyjwt,
    ),
    "local time beside a registered expiry in seconds": (
        "jwt",
        {
            "subject": "id",
            "level": "level",
            "issued_at": "made",
            "expiry": "until",
            "time_format": {"issued_at": "local", "expiry": "local_t"},
            "utc_offset": "+08:00",
        },
        lambda at, level: {
            "id": "id-7",
            "level": level,
            "made": local(at),
            "until": local(at + 7200, "T"),
            "exp": at + 7200,
        },
        by_pyjwt,
    ),
    "seconds in digits": (
        "paseto",
        {"subject": "id", "level": "level", "issued_at": "made", "expiry": "until", "time_format": "s_text"},
        lambda at, level: {"id": "id-7", "level": level, "made": str(at), "until": str(at + 7200)},
        by_pyseto,
    ),
    "registered claims, an issuer of its own": (
        "jwt",
        {"subject": "sub", "level": "level", "issued_at": "iat", "expiry": "exp", "issuer": "hubei"},
        lambda at, level: {"iss": "hubei", "sub": "id-7", "level": level, "iat": at, "exp": at + 7200},
        by_pyjwt,
    ),
    "nbf and RFC 3339": (
        "paseto",
        {"subject": ["who", 1], "level": "level", "issued_at": "nbf", "expiry": "exp", "issuer": "sichuan"},
        lambda at, level: {
            "iss": "sichuan",
            "who": ["x", "id-7"],
            "level": level,
            "nbf": datetime.fromtimestamp(at, UTC).isoformat(),
            "exp": datetime.fromtimestamp(at + 7200, BEIJING).isoformat(),
        },
        by_pyseto,
    ),
    "label 5, milliseconds, bytes, an issuer of its own": (
        "national",
        {
            "subject": [-70001, 0],
            "level": [-70001, 1],
            "issued_at": 5,
            "expiry": 4,
            "time_format": "ms",
            "issuer": "CN-51",
        },
        lambda at, level: {1: "CN-51", 4: (at + 7200) * 1000, 5: at * 1000, -70001: [b"\x07" * 16, level]},
        by_cwt,
    ),
    "no issuer, digits": (
        "national",
        {"subject": 2, "level": -65538, "issued_at": 6, "valid_for_s": 7200, "time_format": "ms_text", "issuer": None},
        lambda at, level: {2: b"\x07" * 16, 6: str(at * 1000), -65538: level},
        by_cwt,
    ),
}
EACH = pytest.mark.parametrize("name", PROFILES)


async def found(world: World, name: str, **changes: Any) -> tuple[PayloadOf, Callable[[dict[Any, Any]], bytes]]:
    """Add the region of a profile to the world's list."""
    fmt, where, payload, make = PROFILES[name]
    kid = KID.hex() if fmt == "national" else KID.decode()
    entry = {
        "code": REGION,
        "name": "A region",
        "format": fmt,
        "claims": {member: value for member, value in (where | changes).items() if value is not ...},
        "levels": {"green": "GREEN", "red": "RED"},
        "keys": [{"kid": kid, "public_key": PUBLIC.hex()}],
    }
    world.document["regions"].append(entry)
    await world.publish_list()
    assert not world.trust.current.skipped
    return payload, make


@EACH
async def test_a_regions_own_codes_are_read_alone_and_in_a_batch(world: World, name: str) -> None:
    payload, make = await found(world, name)
    batch = [make(payload(NOW_S - 60 - n, level)) for n in range(20) for level in ("green", "red")]
    alone = [await world.verify(code) for code in batch]
    assert [verdict.decision for verdict in alone] == [Decision.ADMIT, Decision.REFUSE] * 20
    assert {verdict.home for verdict in alone} == {REGION}
    for _ in range(2):  # the second batch is read by templates of the first
        assert await world.verify_all(batch) == alone
    (check,) = (await world.check_all(batch[:1])).checks
    assert check.claims is not None
    assert check.claims.issued_at == (NOW_S - 60) * SECOND
    assert check.claims.expires_at == (NOW_S - 60 + 7200) * SECOND


@EACH
async def test_what_is_out_of_its_time_is_refused_whatever_the_form(world: World, name: str) -> None:
    payload, make = await found(world, name)
    old, new = (make(payload(at, "green")) for at in (NOW_S - 7200 - 61, NOW_S + 120))
    assert [verdict.reason for verdict in await world.verify_all([old, new])] == [Reason.EXPIRED, Reason.NOT_YET_VALID]
    for code in [make(payload(NOW_S - 9, "green")) for _ in range(20)]:
        await world.verify(code)
    assert [verdict.reason for verdict in await world.verify_all([old, new] * 20)] == [
        Reason.EXPIRED,
        Reason.NOT_YET_VALID,
    ] * 20


@EACH
async def test_a_translation_into_the_region_is_written_as_the_region_writes(world: World, name: str) -> None:
    payload, _ = await found(world, name)
    made = await world.translate(world.code("430000", Level.RED), REGION)
    assert (await world.verify(made.code, "110000")).reason is Reason.RED
    tree, own = tree_of(made.code), payload(NOW_S, "red")
    where = claims.of(world.trust.current.regions[REGION])
    for path in (where.issued_at, where.expiry):
        if path is not None:
            assert type(claims.at(tree, path)) is type(claims.at(own, path))
    if isinstance(own.get("made"), str) and "-" in own["made"]:
        assert len(tree["made"]) == len(own["made"])


def tree_of(code: bytes) -> Any:
    codec = codec_of(code)
    assert codec is not None
    return codec.read_claims(codec.decode(code).payload)


@pytest.mark.parametrize("name", [name for name, (_, where, _, _) in PROFILES.items() if where.get("issuer")])
async def test_an_issuer_of_its_own_must_match_byte_for_byte(world: World, name: str) -> None:
    payload, make = await found(world, name)
    tree = payload(NOW_S - 60, "green")
    label = next(one for one in (1, "iss") if one in tree)
    others = [make(tree | {label: other}) for other in (tree[label] + " ", tree[label][:-1] + "X", REGION)]
    good = make(tree)
    for batch in ([good, *others], [good, *others] * 8, [good, *others] * 8):
        verdicts = await world.verify_all(batch)
        assert {v.reason for v in verdicts[1::4] + verdicts[2::4] + verdicts[3::4]} == {Reason.ISSUER_MISMATCH}
        assert {v.reason for v in verdicts[::4]} == {Reason.GREEN}
    del tree[label]
    assert (await world.verify(make(tree))).reason is Reason.CLAIM_MISSING


async def test_an_expiry_in_an_array_counts_in_a_batch_as_it_does_alone(world: World) -> None:
    where = {"subject": "id", "level": "level", "issued_at": "made", "expiry": ["ends", 0], "valid_for_s": 999_999}
    _, make = await found(world, "seconds in digits", **where, time_format=...)
    payload = {"id": "id-7", "level": "green", "ends": [NOW_S + 600]}
    batch = [make(payload | {"made": NOW_S - n}) for n in range(20)]
    for _ in range(3):
        assert {verdict.reason for verdict in await world.verify_all(batch)} == {Reason.GREEN}
    world.now += (600 + 61) * SECOND
    assert {verdict.reason for verdict in await world.verify_all(batch)} == {Reason.EXPIRED}
    assert (await world.verify(make(payload | {"made": NOW_S, "ends": []}))).reason is Reason.GREEN  # by valid_for_s


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"issuer": "hebei"}, Reason.ISSUER_MISMATCH),
        ({"time_format": {"expiry": "ms"}}, Reason.CLAIMS_MALFORMED),
        ({"time_format": "ms"}, Reason.EXPIRED),
        ({"issued_at": ["iat", 0]}, Reason.CLAIM_MISSING),
        ({"time_format": "s", "issuer": None}, Reason.GREEN),
    ],
)
async def test_a_setting_counts_for_codes_whose_layout_is_known(
    world: World, setting: dict[str, Any], reason: Reason
) -> None:
    payload, make = await found(world, "registered claims, an issuer of its own", issuer=...)
    batch = [make(payload(NOW_S - n, "green")) for n in range(20)]
    for _ in range(3):
        assert {verdict.reason for verdict in await world.verify_all(batch)} == {Reason.GREEN}
    world.document["regions"][-1]["claims"] |= setting
    await world.publish_list()
    for _ in range(3):
        assert {verdict.reason for verdict in await world.verify_all(batch)} == {reason}


class TestBytesAreAnIdentifier:
    """Only the national authority's codes carry pseudonyms."""

    async def test_two_regions_with_the_same_bytes_have_two_bearers(self, world: World) -> None:
        payload, make = await found(world, "no issuer, digits")
        code = make(payload(NOW_S - 60, "green"))
        raw = b"\x07" * 16
        check = await world.check(code)
        assert check.claims is not None
        assert check.claims.subject == pseudonym(world.pseudonym_key, REGION, raw.hex()) != raw
        await world.say("000000", Level.RED, scope=Scope.NATIONAL, home="110000", subject=raw.hex())
        assert (await world.verify(code)).reason is Reason.GREEN
        await world.say(REGION, Level.RED, subject=raw.hex())
        for _ in range(2):
            assert {verdict.reason for verdict in await world.verify_all([code] * 20)} == {Reason.RED}

    async def test_the_label_of_pseudonyms_makes_no_pseudonym(self, world: World) -> None:
        _, make = await found(world, "no issuer, digits", subject=-65537, time_format=..., issuer=...)
        raw = bytes(range(16))
        batch = [make({1: REGION, 6: NOW_S - n, -65537: raw, -65538: "green"}) for n in range(20)]
        for _ in range(2):
            await world.verify_all(batch)
        for check in (await world.check_all(batch)).checks:
            assert check.claims is not None
            assert check.claims.subject == pseudonym(world.pseudonym_key, REGION, raw.hex())

    @pytest.mark.parametrize("size", [1, 15, 17, 128])
    async def test_an_identifier_may_have_any_length_up_to_128_bytes(self, world: World, size: int) -> None:
        _, make = await found(world, "no issuer, digits", time_format=...)
        check = await world.check(make({6: NOW_S - 60, 2: b"\xab" * size, -65538: "green"}))
        assert check.claims is not None
        assert check.claims.subject == pseudonym(world.pseudonym_key, REGION, "ab" * size)

    @pytest.mark.parametrize("size", [0, 129])
    async def test_no_bytes_and_too_many_are_malformed(self, world: World, size: int) -> None:
        _, make = await found(world, "no issuer, digits", time_format=...)
        code = make({6: NOW_S - 60, 2: b"\xab" * size, -65538: "green"})
        assert (await world.verify(code)).reason is Reason.CLAIMS_MALFORMED

    async def test_the_national_authority_and_its_translations_carry_pseudonyms(self, world: World) -> None:
        own = await world.check(world.code("540000"))
        assert own.claims is not None
        assert own.claims.subject == pseudonym(world.pseudonym_key, "540000", "id-1")
        made = await world.translate(world.code("430000"), "110000")
        check = await world.check(made.code)
        assert check.claims is not None
        assert check.claims.subject == pseudonym(world.pseudonym_key, "430000", "id-1")


def test_every_format_has_a_profile() -> None:
    assert {fmt for fmt, *_ in PROFILES.values()} == set(CODECS)
