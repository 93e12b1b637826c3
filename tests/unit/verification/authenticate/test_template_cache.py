"""What codes teach is bounded, and no key teaches at another's cost."""

import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from cwt import COSE, COSEKey
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.codes.codec import CODECS
from onecode_server.codes.encodings import base45, base64url, bounded_cbor
from onecode_server.codes.layouts import Layout
from onecode_server.codes.national import codec as national
from onecode_server.model.status import Level
from onecode_server.model.trust_list import Format, IssuerKey
from onecode_server.model.verdict import Decision, Reason
from onecode_server.verification.authenticate.template_cache import (
    LAYOUTS,
    MISSES_MAX,
    SPELLINGS_MAX,
    TEMPLATES_MAX,
    TemplateCache,
)
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN, find_single, read_rows

from tests import formats
from tests.unit.verification.authenticate.rows_and_single import alone, by_columns, in_columns
from tests.world import World

HOST = "440000"
FORMATS = [formats.NATIONAL, formats.JWT, formats.PASETO]


def key_of(place: int, fmt: Format) -> IssuerKey:
    return IssuerKey(f"{place:06d}", fmt, b"key-%04d" % place, place.to_bytes(32))


def code_of(fmt: Format, key: IssuerKey, length: int) -> bytes:
    claims: dict[Any, Any] = {6: 1_700_000_000, 100: "x" * length} if fmt == formats.NATIONAL else {"a": "x" * length}
    return CODECS[fmt].mint(claims, key.key_id, lambda _: bytes(64))


def check_accounts(cache: TemplateCache) -> None:
    """Hold a cache's sums to what is in it."""
    shares = cache._shares.values()
    assert cache.size_bytes == sum(share.bytes for share in shares)
    spelled = Counter((share.key.format, field) for share in shares for field in share.spellings)
    assert cache._spellers == spelled
    assert {(fmt, field) for fmt, fields in cache._spellings.items() for field in fields} == spelled.keys()
    held = {template for share in shares for template in share.templates}
    listed = [one for by_shape in cache._by_shape.values() for listed in by_shape.values() for one in listed]
    assert set(listed) == held
    assert len(listed) == len(held)
    assert cache.latest is None or cache.latest in held
    for place, share in cache._shares.items():
        sizes = sum(share.templates.values()) + sum(400 + len(field) for field in share.spellings)
        assert share.bytes == sizes
        assert all(place in template.holders for template in share.templates)
        assert len(share.templates) <= TEMPLATES_MAX
        assert len(share.spellings) <= SPELLINGS_MAX


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_key_teaches_within_its_share_alone(fmt: Format) -> None:
    cache, greedy, modest = TemplateCache(), key_of(0, fmt), key_of(1, fmt)
    for length in range(3):
        cache.learn(code_of(fmt, modest, length), 1, modest)
    for length in range(500):
        cache.learn(code_of(fmt, greedy, length), 0, greedy)
    assert len(cache._shares[0].templates) == TEMPLATES_MAX
    assert len(cache._shares[1].templates) == 3
    check_accounts(cache)


@pytest.mark.parametrize("fmt", FORMATS)
def test_single_codes_of_ever_new_shapes_teach_rarely_once_a_share_is_full(
    fmt: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, key, learned = TemplateCache(), key_of(0, fmt), list[bytes]()
    learn = LAYOUTS[fmt].learn

    def counted(code: bytes) -> Layout:
        learned.append(code)
        return learn(code)

    monkeypatch.setattr(LAYOUTS[fmt], "learn", counted)
    for length in range(TEMPLATES_MAX + 2 * MISSES_MAX):
        cache.learn(code_of(fmt, key, length), 0, key, is_single=True)
    assert len(learned) == TEMPLATES_MAX + 2
    check_accounts(cache)


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_largest_share_makes_room_where_all_are_too_large(fmt: Format) -> None:
    cache = TemplateCache(bytes_max=1024 * 1024)
    for place in range(1, 11):
        key = key_of(place, fmt)
        for length in range(4):
            cache.learn(code_of(fmt, key, length), place, key)
    greedy = key_of(0, fmt)
    for length in range(100, 600):
        cache.learn(code_of(fmt, greedy, length), 0, greedy)
        assert cache.size_bytes <= 1024 * 1024
    assert {len(cache._shares[place].templates) for place in range(1, 11)} == {4}
    check_accounts(cache)


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_template_that_was_found_last_gives_way_as_others_do(fmt: Format) -> None:
    cache, key = TemplateCache(), key_of(0, fmt)
    code = code_of(fmt, key, 0)
    cache.learn(code, 0, key)
    found = find_single(cache, code)
    assert found is not None
    assert cache.latest is found[0]
    for length in range(1, TEMPLATES_MAX + 1):
        cache.learn(code_of(fmt, key, length), 0, key)
        check_accounts(cache)
    assert cache.latest is None
    assert find_single(cache, code) is None


def test_a_code_of_one_format_is_found_after_one_of_another() -> None:
    cache, codes = TemplateCache(), []
    for place, fmt in enumerate(FORMATS):
        key = key_of(place, fmt)
        codes.append((fmt, code_of(fmt, key, 5)))
        cache.learn(codes[-1][1], place, key)
    for fmt, code in [*codes, *reversed(codes), *codes]:
        found = find_single(cache, code)
        assert found is not None
        assert found[0].layout.format == fmt
    for code in (
        b"",
        b"NC1:",
        b"eyJ",
        b"v4.public.",
        *(code[:-1] for _, code in codes),
        *(code + b"0" for _, code in codes),
    ):
        assert find_single(cache, code) is None


def test_what_is_used_stays_and_what_is_not_gives_way() -> None:
    cache, key = TemplateCache(), key_of(0, formats.JWT)
    used = code_of(formats.JWT, key, 10)
    cache.learn(used, 0, key)
    for length in range(100, 400):
        cache.learn(code_of(formats.JWT, key, length), 0, key)
        (rows,) = read_rows(cache, [used] * ROWS_MIN)[0]
        cache.use(rows.template, (0,), [key])
    assert read_rows(cache, [used] * ROWS_MIN)[0]


def test_codes_of_a_format_without_layouts_teach_nothing() -> None:
    cache = TemplateCache()
    cache.learn(b"TOY1:00", 0, key_of(0, Format("toy")))
    assert (cache.size_bytes, cache.public_keys) == (0, [])


@pytest.mark.parametrize("fmt", FORMATS)
def test_keys_that_write_alike_share_a_template(fmt: Format) -> None:
    cache = TemplateCache()
    for place in range(20):
        cache.learn(code_of(fmt, key_of(place, fmt), 7), place, key_of(place, fmt))
    assert len({template for share in cache._shares.values() for template in share.templates}) == 1
    for place in range(19):  # whoever leaves takes nobody's template along
        for length in range(100, 100 + TEMPLATES_MAX):
            cache.learn(code_of(fmt, key_of(place, fmt), length), place, key_of(place, fmt))
    assert read_rows(cache, [code_of(fmt, key_of(19, fmt), 7)] * ROWS_MIN)[0]
    check_accounts(cache)


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(FORMATS), st.integers(0, 4), st.integers(0, 90), st.sampled_from("lru")), max_size=80
    ),
    bytes_max=st.sampled_from([60_000, 300_000, 10**8]),
)
def test_the_accounts_add_up_after_any_steps(steps: list[tuple[Format, int, int, str]], bytes_max: int) -> None:
    cache = TemplateCache(bytes_max)
    keys = {fmt: [key_of(place, fmt) for place in range(5 * at, 5 * at + 5)] for at, fmt in enumerate(FORMATS)}
    every = [key for fmt in FORMATS for key in keys[fmt]]
    for fmt, at, length, step in steps:
        key = keys[fmt][at]
        place = every.index(key)
        if step == "l":
            cache.learn(code_of(fmt, key, length), place, key)
        elif step == "r":
            for rows in read_rows(cache, [code_of(fmt, key, length)] * ROWS_MIN)[0]:
                rows.template.reads = 0
                cache.use(rows.template, (place,), every)
        else:
            cache = cache.of_keys({key.public_key: (place, key) for place, key in enumerate(every) if place % 7 != at})
        check_accounts(cache)
        assert cache.size_bytes <= bytes_max


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("length", [0, 200, 2000])
def test_what_a_share_is_charged_is_more_than_it_takes(fmt: Format, length: int) -> None:
    cache, key = TemplateCache(), key_of(0, fmt)
    codes = [code_of(fmt, key, length + n) for n in range(20)]
    cache.learn(code_of(fmt, key, 2999), 0, key)  # whatever is made once for all
    before = cache.size_bytes
    tracemalloc.start()
    try:
        for code in codes:
            cache.learn(code, 0, key)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(cache._shares[0].templates) == 21
    assert taken <= cache.size_bytes - before


def dressed(code: bytes, pad: bytes) -> bytes:
    """Return a genuine code in another dress: with more in the header that no signature covers."""
    protected, _, payload, signature = bounded_cbor.loads(base45.decode(code[4:])[1:])
    cbor = bounded_cbor.dumps([protected, {99: pad}, payload, signature])
    return national.PREFIX + base45.encode(b"\xd2" + cbor)


async def flood_of_dresses(world: World) -> None:
    """What any passer-by can do who has seen one code."""
    genuine = world.code("000000", Level.GREEN, "somebody")
    copies = [dressed(genuine, b"p" * n) for n in range(400)]
    assert {one.decision for one in await world.verify_all(copies, HOST)} == {Decision.ADMIT}
    for code in copies[:100]:
        await world.verify(code, HOST)


async def flood_of_odd_codes(world: World) -> None:
    """What one region can do: 400 codes of as many shapes."""
    made = [world.mint("430000", world.tree("430000", subject="x") | {"pad": "p" * (n + 200)}) for n in range(400)]
    for start in range(0, 400, 16):
        await world.verify_all(made[start : start + 16], HOST)
    for _ in range(3):
        await world.verify_all(made, HOST)


async def flood_of_spellings(world: World) -> None:
    """What a stranger can do: genuine codes' claims under headers of his own."""
    codes = [world.code("420000", Level.GREEN, f"id-{n:03d}") for n in range(ROWS_MIN)]
    await by_columns(world, codes, HOST)
    _, payload, signature = codes[0].split(b".")
    for n in range(0, 20_000, 1000):
        headers = [base64url.encode(b'{"alg":"EdDSA","kid":"%05d","typ":"JWT"}' % k) for k in range(n, n + 1000)]
        found = await world.verify_all([b".".join((header, payload, signature)) for header in headers], HOST)
        assert {one.decision for one in found} == {Decision.REFUSE}


@pytest.mark.parametrize("flood", [flood_of_dresses, flood_of_odd_codes, flood_of_spellings])
@pytest.mark.parametrize("region", ["000000", "420000", "440000"])
async def test_no_flood_takes_the_columns_from_others(world: World, flood: Callable[[World], Any], region: str) -> None:
    await flood(world)
    codes = [world.code(region, Level.GREEN, f"other-{n:04d}") for n in range(64)]
    await by_columns(world, codes, HOST)
    before = in_columns(world)
    await world.verify_all(codes, HOST)
    assert in_columns(world) - before == len(codes)


async def test_no_key_takes_a_spelling_from_another_regions_key_of_the_same_id(world: World) -> None:
    codes = [world.code("430000", subject=f"id-{n:03d}") for n in range(ROWS_MIN)]
    await by_columns(world, codes, HOST)
    header, payload, _ = world.code("420000").split(b".")
    others = [base64url.encode(b'{"alg":"EdDSA","kid":"k1","n":%d}' % n) for n in range(SPELLINGS_MAX)]
    for one in (header, *others):  # the first is that of the other region, too
        message = one + b"." + payload
        code = message + b"." + base64url.encode(world.signers["420000", "k1"].sign(message))
        assert [verdict.decision for verdict in await world.verify_all([code], HOST)] == [Decision.ADMIT]
    before = in_columns(world)
    await world.verify_all(codes, HOST)
    assert in_columns(world) - before == len(codes)
    check_accounts(world.issuers.of(world.trust.current).templates)


async def test_strangers_spellings_of_key_ids_are_not_kept(world: World) -> None:
    await flood_of_spellings(world)
    cache = world.issuers.of(world.trust.current).templates
    assert len(cache.spellings(formats.JWT) or ()) == 1
    check_accounts(cache)


async def test_a_revoked_key_is_kept_nowhere_although_its_codes_are_built_like_anothers(world: World) -> None:
    region = world.entry("110000")
    region["keys"].append(world.key_entry("110000", "k2"))
    await world.publish_list()
    tree = world.tree("110000")
    good, bad = ([world.mint("110000", tree, kid)] * ROWS_MIN for kid in ("k1", "k2"))
    await by_columns(world, good + bad, HOST)
    region["keys"][1]["state"] = "revoked"
    await world.publish_list()
    found = await by_columns(world, good + bad, HOST)
    assert [one.reason for one in found] == [Reason.GREEN] * ROWS_MIN + [Reason.KEY_REVOKED] * ROWS_MIN
    assert found == await alone(world, good + bad, HOST)
    cache = world.issuers.of(world.trust.current).templates
    assert cache.public_keys == [world.signers["110000", "k1"].public_key]
    check_accounts(cache)


async def test_many_wordings_of_one_key_are_bounded(world: World) -> None:
    words = [f"w{n:04d}" for n in range(600)]
    batch = [world.mint("420000", world.tree("420000", word, f"id-{n:04d}")) for n, word in enumerate(words)]
    await by_columns(world, batch, HOST)
    assert await world.verify_all(batch, HOST) == await alone(world, batch, HOST)
    cache = world.issuers.of(world.trust.current).templates
    (template,) = {template for share in cache._shares.values() for template in share.templates}
    assert len(template._places) <= 128
    assert len(template.assertions) == 1


@pytest.mark.parametrize("levels", [{"0": "GREEN", "1": "YELLOW", "2": "RED"}, {"300": "GREEN"}, {"-1": "GREEN"}])
async def test_levels_that_are_numbers_are_read_in_columns(world: World, levels: dict[str, str]) -> None:
    world.entry("110000")["claims"] = {"subject": 2, "level": -70001, "issued_at": 6, "expiry": 4}
    world.entry("110000")["levels"] = levels
    await world.publish_list()
    signer = world.signers["110000", "k1"]
    key = COSEKey.new({1: 1, 2: b"k1", 3: -8, -1: 6, -2: signer.public_key, -4: bytes(signer._key)})
    issued_at = world.now // 1_000_000 - 60
    trees = [
        {1: "110000", 4: issued_at + 3600, 6: issued_at, 2: f"id-{n:03d}", -70001: int(level)}
        for level in levels
        for n in range(ROWS_MIN)
    ]
    cose = COSE.new(alg_auto_inclusion=True)
    codes = [cose.encode(bounded_cbor.dumps(tree), key, {1: -8, 4: b"k1"}) for tree in trees]
    batch = [national.PREFIX + base45.encode(code) for code in codes]
    expected = [Level[level] for level in levels.values() for _ in range(ROWS_MIN)]
    assert [one.level for one in await by_columns(world, batch, HOST)] == expected
    before = in_columns(world)
    assert await world.verify_all(batch, HOST) == await alone(world, batch, HOST)
    assert in_columns(world) - before == len(batch)
