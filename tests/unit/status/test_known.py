"""What a row of the status table says: alone, and together with others."""

from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.status.known import alike, simple_row
from onecode_server.status.table import MANY, NO_RECORD, Row

TIMES_S = st.sampled_from([0.0, 0.4, 1.0, 4.5, 5.0, 5.5, 30.0, 36.0, 40.0])
NOW = 1_700_000_000_000_000


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Return a row whose times are near the bounds of freshness."""
    read_at_s = draw(TIMES_S)
    publisher = draw(st.sampled_from([NO_RECORD, 420000, 420000, MANY]))
    has_older = draw(st.booleans()) and publisher > 0
    effective_at = NOW + draw(st.sampled_from([-1, 1]))
    return read_at_s, read_at_s, 0, effective_at, NOW + 9, NOW, publisher, 2, draw(st.booleans()), has_older


@settings(max_examples=1_000)
@given(
    some=st.lists(st.none() | rows(), min_size=2, max_size=4),
    later_s=st.sampled_from([0.0, 0.1, 0.7, 2.0, 6.0]),
    followed_at_s=TIMES_S,
)
def test_rows_that_are_alike_are_what_each_of_them_is(
    some: list[Row | None], later_s: float, followed_at_s: float
) -> None:
    now_s = max(followed_at_s, *(row[0] for row in some if row is not None), 0.0) + later_s
    each = [None if row is None else simple_row(row, NOW, now_s, followed_at_s, followed_at_s) for row in some]
    assert alike(some, now_s, followed_at_s) in ([], each)


def test_rows_that_the_change_feed_has_confirmed_are_alike() -> None:
    read: Row = (1.0, 1.0, 0, NOW, NOW + 9, NOW, 420000, 2, True, False)
    absent: Row = (2.0, 2.0, 0, 0, 0, 0, NO_RECORD, 0, True, False)
    of_one_age = alike([read, absent], 9.5, 8.2)
    assert of_one_age == [simple_row(row, NOW, 9.5, 8.2, 8.2) for row in (read, absent)]
    assert [status[-1] for status in of_one_age] == [1, 1]
