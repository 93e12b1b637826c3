"""Pseudonyms of many subjects are those of each."""

from hypothesis import given
from hypothesis import strategies as st

from onecode_server.model.subject import pseudonym
from onecode_server.verification.authenticate import pseudonyms
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms

KEY = bytes(range(32))
NAMED = st.lists(st.tuples(st.sampled_from(["420000", "000000", "440000"]), st.text(max_size=300)), max_size=20)


@given(named=NAMED)
def test_one_by_one_or_all_at_once_they_are_the_same(named: list[tuple[str, str]]) -> None:
    expected = [pseudonym(KEY, region, local_id) for region, local_id in named]
    made = Pseudonyms(KEY)
    assert [made.of(region, local_id.encode()) for region, local_id in named] == expected
    assert made.of_all([region for region, _ in named], [local_id.encode() for _, local_id in named]) == expected


def test_the_regions_that_are_kept_are_bounded() -> None:
    made = Pseudonyms(KEY)
    for number in range(pseudonyms.REGIONS_MAX + 10):
        made.of(f"{number:06d}", b"id")
    assert len(made._states) <= pseudonyms.REGIONS_MAX
