"""How nouns lie in a store: what goes in comes out, to the last bit and at every extreme."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Level, Scope, StatusRecord, Token
from onecode_server.stores import layout
from onecode_server.stores.protocol import KnownList, TokenKey

YEAR_1_US, YEAR_9999_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first and the last microsecond that a Timestamp can tell."""

times = st.integers(YEAR_1_US, YEAR_9999_US)
records = st.builds(
    StatusRecord,
    st.integers(0, 999_999).map("{:06d}".format),
    st.sampled_from(Scope),
    st.sampled_from(Level),
    times,
    st.none() | times,
    st.integers(0, 2**64 - 1),
    times,
)
LEAST = StatusRecord("000000", Scope.NATIONAL, Level.UNSPECIFIED, YEAR_1_US, YEAR_1_US, 0, YEAR_1_US)
MOST = StatusRecord("999999", Scope.LOCAL, Level.RED, YEAR_9999_US, YEAR_9999_US, 2**64 - 1, YEAR_9999_US)
DELAYS = (-(2**39) - 1, -(2**39), -(2**32) - 1, -1, 0, 1, 2**32, 2**39 - 1, 2**39)
"""Times from effect to publication on both sides of a size."""
EDGES = (2**8 - 1, 2**8, 2**32 - 1, 2**32)
"""Revisions on both sides of a size."""
BEFORE_1970 = LEAST._replace(effective_at=-2, expires_at=-1)


def record_bytes(record: StatusRecord) -> int:
    revision_bytes = next(size for size in (1, 4, 8) if record.revision < 256**size)
    delay = record.published_at - record.effective_at
    delay_bytes = 0 if not delay else 5 if -(2**39) <= delay < 2**39 else 8
    return 11 + revision_bytes + delay_bytes + (0 if record.expires_at is None else 8)


@given(st.lists(records, max_size=6).map(tuple))
@example((LEAST, MOST, BEFORE_1970, MOST._replace(expires_at=None)))
@example(tuple(LEAST._replace(revision=revision) for revision in EDGES))
@example(tuple(MOST._replace(revision=revision, expires_at=None) for revision in EDGES))
@example(tuple(LEAST._replace(effective_at=0, published_at=delay) for delay in DELAYS))
@example((LEAST._replace(published_at=YEAR_9999_US), MOST._replace(published_at=YEAR_1_US, expires_at=None)))
def test_records_come_out_as_they_went_in(records):
    packed = layout.pack_records(records)
    assert layout.unpack_records(packed) == records
    assert len(packed) == sum(map(record_bytes, records))


def test_what_comes_out_are_the_models_own_nouns():
    (record,) = layout.unpack_records(layout.pack_records((MOST,)))
    assert (type(record), type(record.scope), type(record.level)) == (StatusRecord, Scope, Level)


@given(st.builds(Token, st.binary(min_size=16, max_size=16), times, st.none() | times))
@example(Token(bytes(16), -2, -1))
def test_tokens_come_out_as_they_went_in(token):
    assert layout.unpack_token(layout.pack_token(token)) == token
    assert len(layout.pack_token(token)) == 32


@given(st.builds(KnownList, st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32), st.binary(max_size=99)))
def test_the_known_list_comes_out_as_it_went_in(known):
    assert layout.unpack_list(layout.pack_list(known)) == known


@given(
    st.builds(
        RecognitionException,
        id=st.text(),
        host=st.text(),
        home=st.text(),
        reason=st.text(),
        effective_from=times,
        effective_until=times,
        reported_at=times,
        acknowledged_at=st.none() | times,
        withdrawn_at=st.none() | times,
    )
)
def test_exceptions_come_out_as_they_went_in(exception):
    assert layout.unpack_exception(layout.pack_exception(exception)) == exception


def test_a_digest_counts_for_its_own_region_only():
    assert layout.token_key(TokenKey("310000", bytes(32))) != layout.token_key(TokenKey("320000", bytes(32)))


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (
            layout.pack_records((StatusRecord("420000", Scope.LOCAL, Level.RED, YEAR_1_US + 1, None, 3, YEAR_1_US),)),
            f"{1 << 5 | 3 << 3:016x}" + f"{420000 << 4 | 1 << 2 | 2:06x}" + "03" + "ffffffffff",
        ),
        (
            layout.pack_records(
                (
                    StatusRecord(
                        "000000", Scope.NATIONAL, Level.GREEN, YEAR_1_US, YEAR_1_US + 7, 2**40, YEAR_1_US + 2**40
                    ),
                )
            ),
            f"{1 << 3 | 5:016x}" + "000009" + f"{2**40:016x}" + f"{2**40:016x}" + "0000000000000007",
        ),
        (layout.pack_token(Token(b"s" * 16, 1, None)), "73" * 16 + "0000000000000001" + "7fffffffffffffff"),
        (layout.pack_list(KnownList(5, b"d" * 32, b"file")), "0000000000000005" + "64" * 32 + b"file".hex()),
    ],
    ids=["record", "record that ends", "token", "list"],
)
def test_the_bytes_stay_as_they_are_until_the_schema_changes(packed, expected):
    assert layout.SCHEMA == b"4"
    assert packed.hex() == expected


def test_a_record_of_the_layout_before_was_published_when_it_took_effect():
    packed = bytes.fromhex(f"{5 << 5 | 3 << 3 | 3:016x}" + f"{420000 << 4 | 1:06x}" + "03" + "0000000000000009")
    begins, ends = YEAR_1_US + 5, YEAR_1_US + 9
    assert layout.unpack_records(packed) == (
        StatusRecord("420000", Scope.NATIONAL, Level.RED, begins, ends, 3, begins),
    )
    assert layout.pack_records(layout.unpack_records(packed)) == packed


@given(st.lists(records, max_size=4), st.integers(0, 4), records, st.booleans())
def test_repacked_records_are_those_that_are_packed_anew(before, dropped, added, is_reversed) -> None:
    after = (*(reversed(before[dropped:]) if is_reversed else before[dropped:]), added)
    assert layout.repack_records(layout.pack_records(tuple(before)), tuple(before), after) == layout.pack_records(after)
