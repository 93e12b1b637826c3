"""Rates and quantiles between two pages: what holds for any pages, and for the server's own."""

from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.cli.top.pages import VALUE_MAX, Interval, Page, PageFault, quantile, rates, read_page, values_by
from onecode_server.cli.top.state import NAMES
from onecode_server.telemetry.metrics import RPC_BUCKETS_S, Metrics

from tests.unit.cli.top.pages_of import page_of, page_with

COUNTS = st.dictionaries(st.sampled_from("abc"), st.floats(-VALUE_MAX, VALUE_MAX, exclude_min=True, exclude_max=True))
TIMES = st.floats(0, 1e9)
HISTOGRAM = "grpc_server_handling_seconds"


def everywhere(_: Any) -> bool:
    return True


@given(COUNTS, COUNTS, TIMES, TIMES)
def test_no_rate_is_negative_or_endless_whatever_two_pages_say(before, after, began_s, ended_s):
    interval = Interval(page_with(began_s, counted=before), page_with(ended_s, counted=after))
    assert all(0 <= rate < float("inf") for rate in rates([interval], "counted", "l").values())


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**9)), st.integers(1, 100), st.integers(1, 5))
def test_the_rates_of_several_servers_are_the_sum_of_each(risen, seconds, servers):
    interval = Interval(page_with(0, counted={}), page_with(seconds, counted=risen))
    alone = rates([interval], "counted", "l")
    assert alone == {label: count / seconds for label, count in risen.items()}
    assert rates([interval] * servers, "counted", "l") == pytest.approx(
        {label: servers * rate for label, rate in alone.items()}
    )


def test_a_counter_that_fell_began_anew():
    interval = Interval(page_with(0, counted={"a": 100}), page_with(2, counted={"a": 6}))
    assert rates([interval], "counted", "l") == {"a": 3}


@given(st.lists(st.floats(0, 4.9), min_size=1, max_size=50), st.floats(0.01, 0.99), st.integers(1, 3))
def test_a_quantile_lies_in_the_bucket_of_the_observation_that_it_stands_for(seconds, share, servers):
    metrics = Metrics()
    method = metrics.rpc_seconds.labels("unary", "onecode.v1.RecognitionService", "Verify")
    method.observe(3)  # before the first page: it does not count
    before = page_of(metrics, 0)
    for one in seconds:
        method.observe(one)
    found = quantile([Interval(before, page_of(metrics, 1))] * servers, HISTOGRAM, share, everywhere)
    rank = next(n for n in range(1, len(seconds) + 1) if n >= share * len(seconds) - 1e-9)
    true = sorted(seconds)[rank - 1]
    bounds = [0.0, *RPC_BUCKETS_S]
    low, high = next((low, high) for low, high in pairwise(bounds) if true <= high)
    assert found is not None
    assert low - 1e-9 <= found <= high + 1e-9


@given(st.lists(st.floats(0, 20), max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_quantile_rises_with_its_share_and_is_none_without_observations(seconds, one, other):
    metrics = Metrics()
    before = page_of(metrics, 0)
    method = metrics.rpc_seconds.labels("unary", "onecode.v1.RecognitionService", "Verify")
    for each in seconds:
        method.observe(each)
    interval = Interval(before, page_of(metrics, 1))
    less, more = (quantile([interval], HISTOGRAM, share, everywhere) for share in sorted((one, other)))
    if not seconds:
        assert less is more is None
    else:
        assert less is not None
        assert more is not None
        assert 0 <= less <= more <= RPC_BUCKETS_S[-1]


BUCKETS = st.dictionaries(
    st.sampled_from(["0.1", "1", "+Inf", "NaN", "-1", "x", ""]), st.floats(0, VALUE_MAX, exclude_max=True)
)


@given(BUCKETS, BUCKETS)
def test_a_quantile_of_a_page_that_makes_no_sense_is_a_number_or_none(before, after):
    def page(counts):
        return Page(0, {"h_bucket": {frozenset({("le", bound)}): count for bound, count in counts.items()}})

    found = quantile([Interval(page(before), page(after))], "h", 0.99, everywhere)
    assert found is None or found >= 0


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_a_fault(content):
    with suppress(PageFault):
        read_page(b"onecode_queue_codes 1\n" + content, 0, NAMES)


LINES = st.lists(
    st.builds(
        "{}{}{} {}{}".format,
        st.sampled_from(["onecode_queue_codes", "onecode_info", "# TYPE", "# HELP onecode_info", "", "{"]),
        st.sampled_from(["", "{", '{a="b"}', '{a="', '{a="b",', '{="b"}', '{le="\\"}', "}"]),
        st.sampled_from(["", "{}", " ", "\t"]),
        st.sampled_from(["1", "NaN", "+Inf", "-Inf", "1e400", "x", "", "1 2", "1 x", "0x1", "1_0"]),
        st.sampled_from(["", " # {} 1", "\r", "\0"]),
    )
)


@given(LINES)
def test_lines_that_are_nearly_right_are_a_page_of_numbers_or_a_fault(lines):
    try:
        page = read_page("\n".join([*lines, ""]).encode(), 0, NAMES)
    except PageFault:
        return
    assert all(abs(value) < VALUE_MAX for series in page.samples.values() for value in series.values())


def test_a_page_of_something_else_says_so():
    for page in (b"node_cpu_seconds_total 1\n", b"<!DOCTYPE html>\n", b""):
        with pytest.raises(PageFault, match="no metrics of onecode"):
            read_page(page, 0, NAMES)
    for page in (b"onecode_queue_codes many\n", b"onecode_queue_codes{\n", b"\xff"):
        with pytest.raises(PageFault, match="not in Prometheus's text format"):
            read_page(page, 0, NAMES)


def test_only_what_is_shown_is_kept_of_a_page():
    text = "".join(f'onecode_scans_total{{home="{home}",host="1"}} 1\n' for home in range(1000))
    page = read_page(f"{text}onecode_queue_codes 7\n".encode(), 0, NAMES)
    assert {name: len(series) for name, series in page.samples.items()} == {"onecode_queue_codes": 1}
    assert values_by([Interval(page, page)], "onecode_queue_codes") == {"": 7}
