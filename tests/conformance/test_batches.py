"""A batch gives each item the answer that it would get alone, whatever stands beside it."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.edwards import accepts
from tests.conformance.made_cases import FAMILIES, Case, family, honest


@cache
def pool() -> tuple[Case, ...]:
    """Good ones, bad ones, and a few of every corner."""
    corners = [case for name in FAMILIES for case in family(name)[::9]]
    good = [honest(bytes([number]) * number * 40, a=1000 + number) for number in range(12)]
    return (*good, *corners)


@cache
def alone() -> tuple[bool, ...]:
    return tuple(accepts(*case[1:]) for case in pool())


def judge(backend, indexes):
    return backend.verify_batch(*([pool()[index][part] for index in indexes] for part in (1, 2, 3)))


def test_the_pool_has_good_and_bad_ones():
    assert 12 < sum(alone()) < len(pool()) - 12


@settings(max_examples=60)
@given(indexes=st.deferred(lambda: st.lists(st.integers(0, len(pool()) - 1), max_size=70)))
def test_each_item_is_answered_as_alone_in_any_company(backend, indexes):
    assert judge(backend, indexes) == [alone()[index] for index in indexes]


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 9, 15, 16, 17, 64, 65])
def test_batches_of_every_shape_are_answered_in_order(backend, size):
    indexes = [number * 7 % len(pool()) for number in range(size)]
    answers = judge(backend, indexes)
    assert answers == [alone()[index] for index in indexes]
    assert all(type(answer) is bool for answer in answers)


@pytest.mark.parametrize("bad", range(8))
def test_one_bad_item_among_good_ones_is_found_at_its_place(backend, bad):
    indexes = list(range(8))
    indexes[bad] = alone().index(False)
    assert judge(backend, indexes) == [place != bad for place in range(8)]


@pytest.mark.parametrize("sizes", sorted(set(permutations((1, 1, 2))) | set(permutations((0, 1, 1)))))
def test_sequences_of_unequal_length_are_refused(backend, sizes):
    fine = honest()
    parts = [[value] * size for value, size in zip(fine[1:], sizes, strict=True)]
    with pytest.raises(ValueError):
        backend.verify_batch(*parts)


def test_items_of_wrong_length_are_false_and_leave_their_neighbours_alone(backend):
    fine = honest()
    keys = [fine.public_key, fine.public_key[:31], fine.public_key, fine.public_key + b"\0", fine.public_key]
    signatures = [fine.signature, fine.signature, fine.signature[:63], fine.signature, fine.signature]
    assert backend.verify_batch(keys, signatures, [fine.message] * 5) == [True, False, False, False, True]


def test_threads_at_once_do_not_disturb_each_other(backend):
    orders = [[(start + step * 5) % len(pool()) for step in range(48)] for start in range(8)]
    with ThreadPoolExecutor(4) as threads:
        for indexes, answers in zip(orders, threads.map(lambda order: judge(backend, order), orders), strict=True):
            assert answers == [alone()[index] for index in indexes]
