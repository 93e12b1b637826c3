"""Frames between sites come out after their delay, in order, at the site where their destination is."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.log_drills.delays import ADDRESSES_MAX, Crossing, Line

ALL = bytes([0xFF] * 6)
IPV6_GROUP = bytes.fromhex("333300000001")


def address(number: int) -> bytes:
    return b"\x02\x00" + number.to_bytes(4, "big")


def frame(to: bytes, source: int, content: bytes = b"content") -> bytes:
    return to + address(source) + content


def line(delay_s: float, jitter_s: float = 0.0, bytes_max: int = 1000) -> Line:
    made = Line(random.Random(3), bytes_max)
    made.delay_s, made.jitter_s = delay_s, jitter_s
    return made


def crossing(delay_s: float = 0.0) -> Crossing:
    made = Crossing(3, random.Random(3))
    made.set_delay(delay_s)
    return made


def came(at: Crossing, now_s: float) -> list[tuple[int, bytes]]:
    return [(site, content) for site, content, _ in at.due(now_s)]


def test_a_frame_comes_out_after_the_delay_and_not_before() -> None:
    way = line(0.015)
    way.take(b"one", 10.0)
    assert way.next_s == pytest.approx(10.015)
    assert [*way.due(10.0149)] == []
    (due_s, content) = next(way.due(10.0151))
    assert due_s == pytest.approx(10.015)
    assert content == b"one"
    assert way.next_s is None


def test_frames_overtake_none_although_the_delay_becomes_shorter() -> None:
    way = line(1.0)
    way.take(b"one", 10.0)
    way.delay_s = 0.1
    way.take(b"other", 10.5)
    assert [*way.due(10.9)] == []
    assert [content for _, content in way.due(11.0)] == [b"one", b"other"]


@given(jitter_s=st.floats(0, 5), gaps_s=st.lists(st.floats(0, 2), max_size=30))
def test_jitter_delays_within_its_bound_and_keeps_the_order(jitter_s: float, gaps_s: list[float]) -> None:
    way, now_s, latest_s = line(1.0, jitter_s), 0.0, 0.0
    for number, gap_s in enumerate(gaps_s):
        now_s += gap_s
        latest_s = now_s + 1.0 + jitter_s
        way.take(bytes([number]), now_s)
    found = [*way.due(latest_s)]
    assert [content for _, content in found] == [bytes([number]) for number in range(len(gaps_s))]
    assert sorted(due_s for due_s, _ in found) == [due_s for due_s, _ in found]
    assert all(due_s >= 1.0 for due_s, _ in found)


def test_a_seed_repeats_the_jitter() -> None:
    one, other = line(1.0, 1.0), line(1.0, 1.0)
    for way in (one, other):
        way.take(b"one", 0.0)
    assert one.next_s == other.next_s
    assert one.next_s != 1.0


def test_a_line_that_is_full_drops_what_comes_and_has_room_again_behind_what_went() -> None:
    way = line(1.0, bytes_max=10)
    for content in (b"12345", b"67890", b"x"):
        way.take(content, 0.0)
    assert way.dropped == 1
    assert [content for _, content in way.due(1.0)] == [b"12345", b"67890"]
    way.take(b"1234567890", 2.0)
    assert way.dropped == 1


def test_a_frame_goes_to_all_other_sites_until_its_destination_was_heard() -> None:
    at = crossing()
    at.take(0, frame(address(7), 1), 0.0)
    assert came(at, 0.0) == [(1, frame(address(7), 1)), (2, frame(address(7), 1))]
    at.take(2, frame(address(1), 7), 1.0)
    at.take(0, frame(address(7), 1), 1.0)
    assert came(at, 1.0) == [(2, frame(address(7), 1)), (0, frame(address(1), 7))]


@pytest.mark.parametrize("to", [ALL, IPV6_GROUP])
def test_a_frame_for_many_goes_to_all_other_sites(to: bytes) -> None:
    at = crossing()
    at.take(1, frame(to, 1), 0.0)
    assert [site for site, _ in came(at, 0.0)] == [0, 2]


def test_a_frame_for_the_site_that_sent_it_goes_nowhere() -> None:
    at = crossing()
    at.take(0, frame(ALL, 1), 0.0)
    assert len(came(at, 0.0)) == 2
    at.take(0, frame(address(1), 2), 0.0)
    assert came(at, 0.0) == []


def test_an_address_is_where_it_was_heard_last() -> None:
    at = crossing()
    at.take(0, frame(ALL, 1), 0.0)
    at.take(2, frame(ALL, 1), 0.0)
    assert len(came(at, 0.0)) == 4
    at.take(1, frame(address(1), 2), 0.0)
    assert [site for site, _ in came(at, 0.0)] == [2]


def test_the_address_that_was_heard_longest_ago_is_forgotten_for_a_further_one() -> None:
    at = crossing()
    for number in range(ADDRESSES_MAX + 1):
        at.take(0, frame(ALL, number), 0.0)
    assert len(came(at, 0.0)) == 2 * (ADDRESSES_MAX + 1)
    at.take(1, frame(address(0), 5000), 0.0)
    assert [site for site, _ in came(at, 0.0)] == [0, 2]


def test_all_lines_have_the_delay_and_the_earliest_frame_is_the_next() -> None:
    at = crossing(0.5)
    assert at.next_s is None
    at.take(1, frame(ALL, 1), 3.0)
    at.set_delay(0.1)
    at.take(2, frame(ALL, 2), 3.0)
    assert at.next_s == pytest.approx(3.1)
    assert [site for site, _ in came(at, 3.2)] == [0, 1]
    assert [site for site, _ in came(at, 3.5)] == [0, 2]
