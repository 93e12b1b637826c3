"""Codes as other people's libraries make them and scanners send them, up to the greatest length: all are read."""

import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

import cbor2
import jwt as pyjwt
import pyseto
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSE, COSEKey

from onecode_server.codes import source
from onecode_server.codes.codec import CODECS
from onecode_server.codes.encodings import base45, base64url, bounded_json
from onecode_server.codes.national import codec as national
from onecode_server.crypto.signing import Signer
from onecode_server.model.code import CODE_BYTES_MAX, Scan
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.trust_list import Format
from onecode_server.model.verdict import Authenticity, Reason
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN

from tests import formats
from tests.world import HOUR, World

KID = "other"
REGION_OF = {formats.NATIONAL: "000000", formats.JWT: "420000", formats.PASETO: "440000"}
Make = Callable[..., bytes]


@pytest.fixture
async def make(world: World) -> Make:
    """Makes codes of a region by another library, with a key of the trust list."""
    seeds = {}
    for fmt, region in REGION_OF.items():
        seeds[fmt] = secrets.token_bytes(32)
        signer = world.signers[region, KID] = Signer(seeds[fmt])
        kid = KID.encode().hex() if fmt == formats.NATIONAL else KID
        world.entry(region)["keys"].append({"kid": kid, "public_key": signer.public_key.hex()})
    await world.publish_list()

    def one(fmt: Format, tree: dict[Any, Any], **headers: Any) -> bytes:
        private = Ed25519PrivateKey.from_private_bytes(seeds[fmt])
        if fmt == formats.JWT:
            return pyjwt.encode(tree, private, algorithm="EdDSA", headers={"kid": KID, **headers}).encode()
        if fmt == formats.PASETO:
            key = pyseto.Key.from_asymmetric_key_params(4, d=private.private_bytes_raw())
            return pyseto.encode(key, bounded_json.dumps(tree), json.dumps({"kid": KID, **headers}).encode())
        cose_key = COSEKey.new(
            {1: 1, 2: KID.encode(), 3: -8, -1: 6, -2: private.public_key().public_bytes_raw(), -4: seeds[fmt]}
        )
        payload = tree if isinstance(tree, bytes) else cbor2.dumps(tree)
        made = COSE.new().encode_and_sign(payload, cose_key, protected={1: -8, 4: KID.encode()}, unprotected=headers)
        return b"NC1:" + base45.encode(made)

    return one


def longest(make: Make, fmt: Format, tree: dict[Any, Any], pad: Callable[[int], object]) -> bytes:
    """The longest code that ``pad`` fills a claim of."""
    name = 99 if fmt == formats.NATIONAL else "padding"
    low, high = 0, CODE_BYTES_MAX
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if len(make(fmt, tree | {name: pad(middle)})) <= CODE_BYTES_MAX else (low, middle - 1)
        )
    return make(fmt, tree | {name: pad(low)})


PADDINGS: dict[str, Callable[[int], object]] = {
    "ASCII": lambda n: "x" * n,
    "Chinese": lambda n: "码" * n,
    "astral": lambda n: "😀" * n,
    "ASCII and one astral": lambda n: "😀" + "x" * n,
    "control characters": lambda n: "\x01" * n,
    "quotes": lambda n: '"' * n,
    "brackets": lambda n: "[{," * n,
    "colons": lambda n: ":" * n,
    "small numbers": lambda n: [1] * n,
    "sentences": lambda n: [f"vaccinated in clinic {i}" for i in range(n)],
    "records": lambda n: [{"vaccine": f"vaccine {i}", "dose": i, "of": 3} for i in range(n)],
    "members": lambda n: {f"claim {i}": 1_700_000_000 + i for i in range(n)},
    "deep": lambda n: [[[[[[[[[[[["x" * n]]]]]]]]]]]],
}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("fmt", CODECS)
async def test_a_code_of_four_kilobytes_is_admitted_whatever_it_is_filled_with(world, make, fmt, padding):
    code = longest(make, fmt, world.tree(REGION_OF[fmt]), PADDINGS[padding])
    assert len(code) > CODE_BYTES_MAX - 80
    assert (await world.verify(code)).reason is Reason.GREEN
    assert {verdict.reason for verdict in await world.verify_all([code] * ROWS_MIN)} == {Reason.GREEN}


@pytest.mark.parametrize("fmt", CODECS)
async def test_a_code_of_exactly_the_greatest_length_is_admitted_and_one_byte_more_is_not(world, make, fmt):
    tree = world.tree(REGION_OF[fmt])
    headers = {"x": "x"} if fmt != formats.NATIONAL else {}
    sizes: dict[int, bytes] = {}
    for size in range(2000, 3100):
        code = make(fmt, tree | {"p" if headers else 99: "x" * size}, **headers)
        sizes.setdefault(len(code), code)
        if len(code) > CODE_BYTES_MAX:
            break
    exact = max(length for length in sizes if length <= CODE_BYTES_MAX)
    assert exact > CODE_BYTES_MAX - 4
    assert (await world.verify(sizes[exact])).reason is Reason.GREEN
    assert (await world.verify(sizes[min(length for length in sizes if length > CODE_BYTES_MAX)])).reason is (
        Reason.CODE_TOO_LARGE
    )


@pytest.mark.parametrize("fmt", CODECS)
async def test_a_code_with_three_hundred_claims_or_certificates_in_its_header_is_admitted(world, make, fmt):
    tree = world.tree(REGION_OF[fmt])
    label = (lambda n: 1000 + n) if fmt == formats.NATIONAL else (lambda n: f"k{n}")
    assert (await world.verify(make(fmt, tree | {label(n): n % 10 for n in range(300)}))).reason is Reason.GREEN
    if fmt == formats.NATIONAL:
        protected, payload = cbor2.dumps({1: -8, 4: KID.encode()}), cbor2.dumps(tree)
        signature = world.signers["000000", KID].sign(cbor2.dumps(["Signature1", protected, b"", payload]))
        certificates = {33: [b"x" * 700, b"y" * 700]}
        code = b"NC1:" + base45.encode(cbor2.dumps(cbor2.CBORTag(18, [protected, certificates, payload, signature])))
    else:
        code = make(fmt, tree, x5c=["M" * 900, "I" * 900])
    assert len(code) > 2000
    assert (await world.verify(code)).reason is Reason.GREEN


ODD = {
    "UUID": cbor2.CBORTag(37, bytes(16)),
    "date": cbor2.CBORTag(1004, "2021-06-01"),
    "days": cbor2.CBORTag(100, 18_000),
    "bignum": 2**80,
    "fraction": cbor2.CBORTag(4, [-2, 12345]),
    "rational": cbor2.CBORTag(30, [1, 0]),
    "URI": cbor2.CBORTag(32, "https://example.org"),
    "regular expression": cbor2.CBORTag(35, "("),
    "reference": cbor2.CBORTag(29, 7),
    "no date": cbor2.CBORTag(0, "yesterday"),
    "no time": cbor2.CBORTag(1, 2**63),
    "address": cbor2.CBORTag(52, b"\x7f\0\0\1"),
    "unknown": cbor2.CBORTag(2**40, [cbor2.undefined, cbor2.CBORSimpleValue(99), float("nan")]),
    "odd keys": {True: 1, None: 2, 1.5: 3, (1, 2): 5, b"x": 6},
}


@pytest.mark.parametrize("name", ODD)
async def test_what_nobody_reads_may_be_any_cbor(world, make, name):
    tree = world.tree("000000") | {9: ODD[name], "more": [ODD[name]]}
    assert (await world.verify(make(formats.NATIONAL, tree))).reason is Reason.GREEN


async def test_a_claim_in_a_tag_without_a_meaning_is_not_guessed(world, make):
    for tag in (6, 2, 32, 256):
        tree = world.tree("000000")
        tree[-65538] = cbor2.CBORTag(tag, tree[-65538])
        assert (await world.verify(make(formats.NATIONAL, tree))).reason is Reason.CLAIMS_MALFORMED


async def test_times_may_have_their_tags_and_claims_be_self_described(world, make):
    tree = world.tree("000000")
    tree |= {label: cbor2.CBORTag(1, tree[label]) for label in (4, 6)} | {-65538: cbor2.CBORTag(55799, "GREEN")}
    assert (await world.verify(make(formats.NATIONAL, b"\xd9\xd9\xf7" + cbor2.dumps(tree)))).reason is Reason.GREEN


async def test_claims_may_be_shareable_and_a_reference_is_not_followed(world, make):
    tree = world.tree("000000") | {9: [{}]}
    shared = cbor2.dumps(tree, value_sharing=True)
    assert shared.startswith(b"\xd8\x1c")
    assert (await world.verify(make(formats.NATIONAL, shared))).reason is Reason.GREEN
    tree[-65538] = cbor2.CBORTag(29, 0)
    assert (await world.verify(make(formats.NATIONAL, tree))).reason is Reason.CLAIMS_MALFORMED


SELF = ["d9d9f7", "da0000d9f7", "db000000000000d9f7"]
CWT, SIGN1 = ["d83d", "d9003d", "da0000003d", "db000000000000003d"], ["d2", "d812", "d90012", "da00000012"]


@pytest.mark.parametrize(
    "tags",
    [
        "",
        *SIGN1,
        *CWT,
        *(cwt + sign1 for cwt in CWT for sign1 in SIGN1),
        *(one + "d2" for one in SELF),
        "d9d9f7 d83d d2",
        "d83d d9d9f7 d2",
        "d9d9f7 d83d d9d9f7 d2 d9d9f7",
    ],
)
async def test_the_tags_around_a_code_are_read_in_any_spelling(world, make, tags):
    bare = base45.decode(make(formats.NATIONAL, world.tree("000000")).removeprefix(b"NC1:")).removeprefix(b"\xd2")
    code = b"NC1:" + base45.encode(bytes.fromhex(tags) + bare)
    assert (await world.verify(code)).reason is Reason.GREEN


@pytest.mark.parametrize("tags", ["d2d2", "d2d83d", "d83dd83d", "d83dd2d2", "d1", "d862", "d83dd1", "c1", "d2d812"])
async def test_other_tags_around_a_code_are_refused(world, make, tags):
    bare = base45.decode(make(formats.NATIONAL, world.tree("000000")).removeprefix(b"NC1:")).removeprefix(b"\xd2")
    code = b"NC1:" + base45.encode(bytes.fromhex(tags) + bare)
    assert (await world.verify(code)).reason is Reason.CODE_MALFORMED


@pytest.mark.parametrize(
    "header",
    [
        ' {"alg":"EdDSA","kid":"k1"}',
        '\n{"alg":"EdDSA","kid":"k1"}',
        '\t\r\n {\n  "kid": "k1",\n  "alg": "EdDSA"\n}\n',
        '{ "typ":"JWT","alg":"EdDSA","kid":"k1"}',
        '{\n"alg":"EdDSA","kid":"k1"}',
        '{"\\u0061lg":"EdDSA","kid":"k1"}',
        '{"健康":"码","alg":"EdDSA","kid":"k1"}',
    ],
)
async def test_a_header_may_begin_with_white_space_or_any_name(world, header):
    message = b".".join(base64url.encode(part) for part in (header.encode(), bounded_json.dumps(world.tree("420000"))))
    code = message + b"." + base64url.encode(world.signers["420000", "k1"].sign(message))
    assert (await world.verify(code)).reason is Reason.GREEN
    assert {verdict.reason for verdict in await world.verify_all([code] * ROWS_MIN)} == {Reason.GREEN}


@pytest.mark.parametrize(("prefix", "space"), [("IHs", " {"), ("ew", "{\n"), ("Cg", "\n\n{"), ("ewo", "{\n\n")])
async def test_a_region_whose_prefix_could_begin_a_jwt_keeps_its_codes_and_takes_no_others(world, prefix, space):
    world.entry("310000")["prefix"] = prefix
    await world.publish_list()
    token = prefix.encode() + secrets.token_urlsafe(20).encode()
    record = StatusRecord("310000", Scope.NATIONAL, Level.GREEN, world.now, world.now + HOUR, 1)
    assert await world.publisher.publish([(Scan(token, ""), record)]) == [None]
    assert (await world.verify(token)).home == "310000"
    header = space + '"alg":"EdDSA","kid":"k1"}'
    message = b".".join(base64url.encode(part) for part in (header.encode(), bounded_json.dumps(world.tree("420000"))))
    code = message + b"." + base64url.encode(world.signers["420000", "k1"].sign(message))
    assert code.startswith(prefix.encode())
    assert (await world.verify(code)).home == "420000"
    assert (await world.publisher.resolve(Scan(code, ""))).home == "420000"


AROUND = [(b"", b"\r\n"), (b" \t", b"\0"), (b"\xef\xbb\xbf", b""), (b"]Q1", b"\x1d"), (b"\xef\xbb\xbf ]Q1 ", b"\r")]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("region", ["000000", "110000", "420000", "440000", "310000"])
async def test_what_a_scanner_adds_changes_nothing_on_any_path(world, region, around):
    code = await world.token() if region == "310000" else world.code(region)
    scanned = around[0] + code + around[1]
    expected = await world.verify(code)
    assert expected.authenticity is Authenticity.VALID
    for codes in ([scanned], [scanned] * (ROWS_MIN - 1), [code, scanned] * ROWS_MIN):
        assert await world.verify_all(codes) == [expected] * len(codes)
    assert [check.answer for check in (await world.check_all([scanned])).checks] == [expected]
    resolved = await world.publisher.resolve(Scan(scanned, ""))
    assert resolved == await world.publisher.resolve(Scan(code, ""))
    assert await world.translate(scanned, "440000") == await world.translate(code, "440000")


async def test_a_translation_carries_the_digest_of_the_code_itself(world):
    code = world.code("420000")
    made = await world.translate(b"\xef\xbb\xbf]Q1" + code + b"\r\n", "000000")
    named = source.read(national.read_claims(national.decode(made.code).payload), formats.NATIONAL)
    assert named.digest == hashlib.sha256(code).digest()


async def test_a_token_that_was_published_with_what_a_scanner_added_is_the_token_itself(world):
    code = b"SH-" + secrets.token_urlsafe(16).encode()
    record = StatusRecord("310000", Scope.NATIONAL, Level.GREEN, world.now, world.now + HOUR, 1)
    assert await world.publisher.publish([(Scan(b"]Q1" + code + b"\r\n", ""), record)]) == [None]
    assert (await world.verify(code)).home == "310000"


@pytest.mark.parametrize("scanned", [b"", b" ", b"\r\n", b"]Q1", b"\xef\xbb\xbf\r\n"])
async def test_nothing_but_what_a_scanner_adds_is_an_empty_code(world, scanned):
    assert (await world.verify(scanned)).reason is Reason.CODE_EMPTY
    assert (await world.verify_all([scanned]))[0].reason is Reason.CODE_EMPTY


async def test_the_greatest_length_is_that_of_the_code_itself(world, make):
    code = longest(make, formats.JWT, world.tree("420000"), lambda n: "x" * n)
    assert (await world.verify(b"\r\n" * 20 + code + b" " * 100)).reason is Reason.GREEN


@pytest.mark.parametrize("at", [4, 40])
async def test_white_space_inside_a_code_is_still_no_code(world, at):
    for region in ("420000", "440000"):
        code = world.code(region)
        assert (await world.verify(code[:at] + b"\n" + code[at:])).authenticity is not Authenticity.VALID
