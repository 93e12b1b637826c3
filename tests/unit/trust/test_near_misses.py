"""Names that look alike: each difference is told, and none of them makes two names one."""

import pytest

from onecode_server.trust import near_misses


@pytest.mark.parametrize(
    ("given", "there", "how"),
    [
        ("k-1", "K-1", "case or width"),
        ("k-1", "ｋ-1", "case or width"),
        ("k-1", "k-1 ", "white space or invisible characters"),
        ("k-1", "k-1\n", "white space or invisible characters"),
        ("k-1", "k\u200b-1", "white space or invisible characters"),
        ("k-1", "\ufeffk-1", "white space or invisible characters"),
        ("grün", "gru\u0308n", "its Unicode form"),
        ("k-1", "k-l", "characters that look alike"),
        ("k-1", "k-I", "characters that look alike"),
        ("k-1", "к-1", "characters that look alike"),
        ("k-1", "k–1", "characters that look alike"),
        ("red0", "redO", "characters that look alike"),
        ("pace", "расе", "characters that look alike"),
        ("４２００００", "420000", "case or width"),
    ],
)
def test_what_two_names_differ_in_is_told_both_ways(given, there, how):
    assert near_misses.near_misses(given, ["other", there]) == [(there, how)]
    assert near_misses.near_misses(there, [given, "other"]) == [(given, how)]


def test_the_same_name_and_another_one_are_not_near():
    assert near_misses.near_misses("k-1", ["k-1", "k-2", "key-1", ""]) == []
    assert near_misses.hint("k-1", ["k-2"]) == ""


def test_few_are_named_however_many_are_near():
    assert len(near_misses.near_misses("k-1", ["k-1" + " " * n for n in range(1, 99)])) == near_misses.SHOWN_MAX


def test_a_name_is_told_so_that_the_difference_shows():
    assert near_misses.hint("grün", ["gru\u0308n"]) == "; 'gru\\u0308n' is known and differs in its Unicode form"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("k-1\n", "white space"),
        (" k-1", "white space"),
        ("k\u200b1", "invisible"),
        ("k\x001", "invisible"),
        ("gru\u0308n", "NFC"),
        ("k-1", None),
        ("湖北 1", None),
    ],
)
def test_what_cannot_be_seen_of_a_name_is_said(name, why):
    found = near_misses.peculiarity(name)
    assert found is None if why is None else found and why in found
