"""The cache that credentials are kept in: both bounds hold, and the least recently used gives way."""

from hypothesis import given
from hypothesis import strategies as st

from onecode_server.identity.bounded_cache import BoundedCache


def test_the_least_recently_used_gives_way():
    cache = BoundedCache[str, int](2, 100)
    cache.put("a", 1, 1)
    cache.put("b", 2, 1)
    assert cache.get("a") == 1
    cache.put("c", 3, 1)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert [key in cache for key in "abc"] == [True, False, True]


def test_a_value_above_the_bound_is_not_kept_and_pushes_nothing_out():
    cache = BoundedCache[str, int](2, 10)
    cache.put("a", 1, 10)
    cache.put("b", 2, 11)
    assert (cache.get("a"), cache.get("b"), cache.size) == (1, None, 10)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12), st.sampled_from(["put", "get", "drop"]))))
def test_the_bounds_hold_whatever_is_done(steps):
    cache = BoundedCache[int, int](4, 20)
    sizes: dict[int, int] = {}
    for key, size, step in steps:
        if step == "put":
            cache.put(key, size, size)
            sizes[key] = size
        elif step == "drop":
            cache.drop(key)
        else:
            assert cache.get(key) in (None, sizes.get(key))
        kept = [value for value in map(cache.get, range(10)) if value is not None]
        assert len(kept) == len(cache) <= 4
        assert sum(kept) == cache.size <= 20
    cache.clear()
    assert (len(cache), cache.size) == (0, 0)
