"""What a translation says of its source: written and read back, and nothing else taken for it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.codes import source, times
from onecode_server.codes.codec import CODECS
from onecode_server.codes.data_models import TRANSLATION
from onecode_server.codes.national import codec as national
from onecode_server.errors import ClaimMissing, Malformed
from onecode_server.model.code import Source
from onecode_server.model.trust_list import Format

from tests import formats
from tests.pairwise import pairwise

SOURCE = Source("420000", b"key-1", bytes(range(32)), 1_700_000_000_500_000, "440000")
LABELS = {
    "region": national.REGION,
    "key_id": national.SOURCE_KEY,
    "digest": national.SOURCE_DIGEST,
    "issued_at": national.SOURCE_ISSUED_AT,
    "target": national.TARGET,
}
steadily = settings(max_examples=60)
every_format = pytest.mark.parametrize("fmt", CODECS)


def changed(fmt: Format, **members: object) -> dict[object, object]:
    """The claims of a translation with some of what they say of the source exchanged."""
    tree = source.write(SOURCE, fmt)
    if fmt == formats.NATIONAL:
        return tree | {LABELS[name]: value for name, value in members.items()}
    return {TRANSLATION: tree[TRANSLATION] | members}


@every_format
@given(
    region=st.from_regex(r"[0-9]{6}", fullmatch=True),
    key_id=st.binary(max_size=40),
    digest=st.binary(min_size=32, max_size=32),
    issued_at=st.integers(0, 2**32 * times.MICROSECONDS),
)
@steadily
def test_a_source_comes_back_through_a_whole_code(fmt, region, key_id, digest, issued_at, sign):
    named = Source(region, key_id, digest, issued_at, "110000")
    code = CODECS[fmt].mint(source.write(named, fmt), b"gateway", sign)
    assert source.read(CODECS[fmt].read_claims(CODECS[fmt].decode(code).payload), fmt) == named


@every_format
def test_an_opaque_source_has_no_key_id(fmt):
    assert source.read(changed(fmt, key_id=b"" if fmt == formats.NATIONAL else ""), fmt).key_id == b""


@every_format
@pytest.mark.parametrize("name", LABELS)
def test_a_source_that_lacks_something_is_missing(fmt, name):
    tree = source.write(SOURCE, fmt)
    del (tree if fmt == formats.NATIONAL else tree[TRANSLATION])[LABELS[name] if fmt == formats.NATIONAL else name]
    with pytest.raises(ClaimMissing):
        source.read(tree, fmt)


@pytest.mark.parametrize(
    "member", [None, [], "420000", 1, True, {}, ["region", "key_id", "digest", "issued_at", "target"]]
)
def test_a_source_that_is_no_object_is_missing(member):
    with pytest.raises(ClaimMissing):
        source.read({TRANSLATION: member}, formats.JWT)
    with pytest.raises(ClaimMissing):
        source.read({}, formats.PASETO)


NO_REGIONS = ["", "42000", "4200000", "４２００００", "420000\n", 420000, None, True, b"420000", ["420000"]]
NO_BYTES: list[object] = [1, None, True, [], {}, "=", "A", "AA==", "A B", "\ud800", "码", b"\0" * 31, b"\0" * 33]


@pytest.mark.parametrize(("fmt", "name", "value"), pairwise(CODECS, ["region", "target"], NO_REGIONS))
def test_a_source_or_target_that_is_no_region_is_refused(fmt, name, value):
    with pytest.raises(Malformed):
        source.read(changed(fmt, **{name: value}), fmt)


@pytest.mark.parametrize(("fmt", "name", "value"), pairwise(CODECS, ["key_id", "digest"], NO_BYTES))
def test_bytes_that_are_none_are_refused(fmt, name, value):
    if name == "key_id" and fmt == formats.NATIONAL and isinstance(value, bytes):
        value = value.hex()  # of a key id any bytes will do, but not their hexadecimal digits
    with pytest.raises(Malformed):
        source.read(changed(fmt, **{name: value}), fmt)


@every_format
@pytest.mark.parametrize("value", [-1, True, None, "soon", 1e308, 10**20])
def test_a_source_without_a_time_is_refused(fmt, value):
    with pytest.raises(Malformed):
        source.read(changed(fmt, issued_at=value), fmt)


@every_format
def test_a_pseudonym_travels_and_comes_back(fmt):
    assert source.read_subject(source.write_subject(bytes(range(16)), fmt)) == bytes(range(16))


@pytest.mark.parametrize(
    "value", [b"", bytes(15), bytes(17), "", "AAAA", "A" * 21, "A" * 23, "A" * 21 + "B", "张三", "\ud800"]
)
def test_a_subject_that_is_no_pseudonym_is_refused(value):
    with pytest.raises(Malformed):
        source.read_subject(value)


@every_format
def test_the_place_of_the_source_can_be_no_claim_of_a_region(fmt):
    names = source.write(SOURCE, fmt).keys()
    assert names <= CODECS[fmt].DATA_MODEL.reserved
