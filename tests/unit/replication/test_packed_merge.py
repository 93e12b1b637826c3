"""The usual cases of a merge on packed records have the result of the rule, byte by byte."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.replication.packed_merge import merge_usual
from onecode_server.rules.publication import AHEAD_MAX_US, FIRST_REVISION_MAX, REVISIONS_END, RISE_MAX, Records, merge
from onecode_server.rules.retention import LAG_US
from onecode_server.stores import layout

from tests.unit.replication.cluster import NOON, record

DAY = 86_400_000_000
revisions = st.one_of(
    st.integers(1, 9),
    st.sampled_from([255, 256, 2**32 - 1, 2**32, RISE_MAX, RISE_MAX + 1, RISE_MAX + 2]),
    st.sampled_from([FIRST_REVISION_MAX, FIRST_REVISION_MAX + 1, REVISIONS_END - 1]),
)
times = st.one_of(
    st.sampled_from([NOON, NOON - LAG_US, NOON - LAG_US + 1, NOON + AHEAD_MAX_US, NOON + AHEAD_MAX_US + 1]),
    st.integers(NOON - 30 * DAY, NOON + 30 * DAY),
)


@st.composite
def records(draw: Any, published_at: st.SearchStrategy[int]) -> StatusRecord:
    effective_at = draw(times)
    return StatusRecord(
        draw(st.sampled_from(["420000", "000000", "310000"])),
        draw(st.sampled_from(list(Scope))),
        draw(st.sampled_from(list(Level)[1:])),
        effective_at,
        draw(st.none() | st.integers(effective_at + 1, effective_at + 60 * DAY)),
        draw(revisions),
        draw(published_at),
    )


earlier = st.lists(records(times), max_size=3).map(tuple)


@given(earlier, records(st.just(NOON)))
@settings(max_examples=150)
def test_a_usual_case_has_the_result_of_the_rule(known: Records, new: StatusRecord) -> None:
    found = merge_usual(layout.pack_records(known), new, NOON)
    if found is not None:
        merged = merge(known, new, NOON)
        assert isinstance(merged, tuple)
        assert found == layout.pack_records(merged)


@given(records(times), records(st.just(NOON)))
@settings(max_examples=150)
def test_a_next_revision_of_the_same_publisher_and_scope_is_usual_whenever_the_rule_takes_it(
    known: StatusRecord, new: StatusRecord
) -> None:
    new = new._replace(publisher=known.publisher, scope=known.scope)
    merged = merge((known,), new, NOON)
    found = merge_usual(layout.pack_records((known,)), new, NOON)
    assert found == (layout.pack_records(merged) if isinstance(merged, tuple) else None)


def test_first_records_are_usual() -> None:
    new = record(published_at=NOON)
    assert merge_usual(b"", new, NOON) == layout.pack_records((new,))


@given(st.binary(min_size=1, max_size=80), records(st.just(NOON)))
@settings(max_examples=100)
def test_bytes_that_are_no_single_record_are_left_to_the_rule(packed: bytes, new: StatusRecord) -> None:
    known = layout.revision_of_only(packed, new)
    if known is not None:
        (one,) = layout.unpack_records(packed)
        assert (one.publisher, one.scope, one.revision) == (new.publisher, new.scope, known)
