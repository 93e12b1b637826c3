"""Times of claims: seconds or text with an offset, from 1970 to 9999, and nothing that only looks like one."""

import calendar
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes import claims, times
from onecode_server.errors import Malformed
from onecode_server.model.trust_list import TimeForm

from tests import formats
from tests.pairwise import each_value
from tests.unit.codes.samples import PLACES


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        (253_402_300_799, 253_402_300_799),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T08:00:01.5+08:00", 1.5),
        ("2023-11-14T22:13:20.000001+00:00", 1_700_000_000.000001),
    ],
)
def test_a_time_is_seconds_or_rfc_3339_text(value, seconds):
    assert times.read_time(value) == round(seconds * times.MICROSECONDS)


@pytest.mark.parametrize(
    "value",
    [
        -1,
        -0.001,
        253_402_300_800,
        10**18,
        -(10**18),
        10**4000,
        1e308,
        float("inf"),
        float("-inf"),
        float("nan"),
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_a_time_before_1970_or_after_9999_is_refused(value):
    with pytest.raises(Malformed, match="range"):
        times.read_time(value)


@pytest.mark.parametrize("value", ["2023-11-14T00:00:00", "2023-11-14 00:00:00", datetime(2023, 11, 14, tzinfo=UTC)])
def test_a_time_without_an_offset_and_what_no_decoder_gives_are_refused(value):
    with pytest.raises(Malformed, match="expected seconds since 1970 or RFC 3339 text"):
        times.read_time(value)


@pytest.mark.parametrize(
    "value",
    [
        "2023-11-14",
        "20231114T221320",
        "20231114T221320Z",
        "2023-W46-2T22:13:20Z",
        "2023-318T22:13:20Z",
        "2023-11-14T22:13Z",
        "2023-11-14T22Z",
        "2023-11-14x22:13:20Z",
        "2023-11-14T22:13:20,5Z",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20+08",
        "2023-11-14T22:13:20+08:00:30",
        "2023-11-14T22:13:20+24:00",
        "2023-11-14T24:00:00Z",
        "2023-12-31T23:59:60Z",
        "2023-11-14T22:13:20Z\n",
        " 2023-11-14T22:13:20Z",
        "٢023-11-14T22:13:20Z",
        "+023-11-14T22:13:20Z",
    ],
)
def test_what_iso_8601_allows_and_rfc_3339_does_not_is_refused(value):
    with pytest.raises(Malformed, match="RFC 3339"):
        times.read_time(value)


@given(
    time=st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    offset_min=st.integers(-1439, 1439),
    digits=st.integers(0, 9),
    marks=st.sampled_from(["TZ:", "tz:", " Z:", "TZ"]),
)
def test_every_rfc_3339_text_is_read_to_the_microsecond(time, offset_min, digits, marks):
    fraction = f"{time.microsecond:06d}000"[:digits]
    sign, (hours, minutes) = "-" if offset_min < 0 else "+", divmod(abs(offset_min), 60)
    zone = f"{sign}{hours:02d}{marks[2:]}{minutes:02d}" if offset_min else marks[1]
    day = f"{time.year:04d}-{time.month:02d}-{time.day:02d}"
    text = f"{day}{marks[0]}{time.hour:02d}:{time.minute:02d}:{time.second:02d}{'.' * (digits > 0)}{fraction}{zone}"
    seconds = calendar.timegm(time.timetuple()) - offset_min * 60
    assert times.read_time(text) == seconds * 1_000_000 + int(fraction[:6].ljust(6, "0"))


@given(text=st.from_regex(r"[0-9]{1,4}-[0-9]{1,2}-?[0-9]{1,2}[ -z][0-9:.,+-Zz]{1,20}", fullmatch=True))
def test_text_that_only_looks_like_a_time_is_refused(text):
    grammar = r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)"
    if not re.fullmatch(grammar, text, re.ASCII):
        with pytest.raises(Malformed):
            times.read_time(text)


@pytest.mark.parametrize(
    ("value", "form", "seconds"),
    [
        (1_700_000_000_123, TimeForm.MILLISECONDS, 1_700_000_000.123),
        (1.5, TimeForm.MILLISECONDS, 0.0015),
        ("1970-01-01T00:00:01Z", TimeForm.MILLISECONDS, 1),
        ("1700000000", TimeForm.SECONDS_TEXT, 1_700_000_000),
        ("1700000000.25", TimeForm.SECONDS_TEXT, 1_700_000_000.25),
        ("000100", TimeForm.SECONDS_TEXT, 100),
        (1_700_000_000, TimeForm.SECONDS_TEXT, 1_700_000_000),
        ("1700000000123", TimeForm.MILLISECONDS_TEXT, 1_700_000_000.123),
        ("1700000000123.5", TimeForm.MILLISECONDS_TEXT, 1_700_000_000.1235),
        (1_700_000_000_123, TimeForm.MILLISECONDS_TEXT, 1_700_000_000.123),
        ("1970-01-01T00:00:01Z", TimeForm.SECONDS_TEXT, 1),
        (1_700_000_000, TimeForm.SECONDS, 1_700_000_000),
        (1_700_000_000, TimeForm.RFC_3339, 1_700_000_000),
    ],
)
def test_a_form_is_the_unit_of_numbers_and_may_allow_digits(value, form, seconds):
    assert times.read_time(value, form) == round(seconds * times.MICROSECONDS)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-25 08:00:00", 1_795_564_800),
        ("2026-11-25T08:00:00", 1_795_564_800),
        ("2026-11-25t08:00:00.5", 1_795_564_800.5),
        ("2026-11-25T08:00:00Z", 1_795_593_600),
        ("2026-11-25T08:00:00+09:00", 1_795_561_200),
        (1_795_564_800, 1_795_564_800),
    ],
)
def test_local_time_has_the_regions_offset_and_a_written_offset_counts_before_it(value, seconds):
    for form in (TimeForm.LOCAL, TimeForm.LOCAL_T):
        assert times.read_time(value, form, 8 * 3600) == round(seconds * times.MICROSECONDS)


@pytest.mark.parametrize("value", ["2026-11-25", "2026-11-25 08:00", "20261125080000", "2026/11/25 08:00:00"])
def test_what_only_looks_like_local_time_is_refused(value):
    with pytest.raises(Malformed, match="expected a local time"):
        times.read_time(value, TimeForm.LOCAL, 8 * 3600)


@pytest.mark.parametrize("value", ["-1", "+1", "1e3", " 1", "1 ", "1\n", "0x10", "١", "1.", "1_000", "9" * 19, ""])
def test_text_that_is_more_than_digits_is_refused(value):
    with pytest.raises(Malformed):
        times.read_time(value, TimeForm.SECONDS_TEXT)


@pytest.mark.parametrize("value", ["1700000000", "1700000000000"])
@pytest.mark.parametrize("form", [None, TimeForm.SECONDS, TimeForm.MILLISECONDS, TimeForm.RFC_3339])
def test_digits_are_no_time_where_the_region_does_not_say_so(value, form):
    with pytest.raises(Malformed, match="found digits"):
        times.read_time(value, form)


def test_milliseconds_are_never_guessed_but_the_fault_asks():
    with pytest.raises(Malformed, match="milliseconds, where seconds are expected"):
        times.read_time(1_700_000_000_000)
    with pytest.raises(Malformed, match=r"range, the years 1970 to 9999\Z"):
        times.read_time(10**18, TimeForm.MILLISECONDS)


def test_local_time_without_a_local_form_is_said_to_lack_its_offset():
    with pytest.raises(Malformed, match="found a time without an offset"):
        times.read_time("2026-11-25 08:00:00")


@given(
    time=st.integers(0, 2**32 * times.MICROSECONDS),
    form=st.none() | st.sampled_from(TimeForm),
    offset_min=st.integers(-1439, 1439),
    as_text=st.booleans(),
)
def test_a_time_that_was_written_in_a_form_is_read_back(time, form, offset_min, as_text):
    written = times.write_time(time + 86_400_000_000, form, offset_min * 60, as_text=as_text)
    assert times.read_time(written, form, offset_min * 60) == time + 86_400_000_000


NO_TIMES = [
    True,
    False,
    None,
    [],
    {},
    [100],
    {"iat": 100},
    b"100",
    b"2023-11-14T22:13:20Z",
    "",
    "100",
    "soon",
    "10000-01-01T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "2023-11-14T24:00:01Z",
    "2023-11-14T22:13:20+25:00",
    "\ud800",
    "2" * 3000,
    "2023-11-14T22:13:20." + "0" * 3000 + "Z",
]


@pytest.mark.parametrize(("value", "name"), each_value(NO_TIMES, ["iat", "exp", "nbf"]))
def test_a_time_that_is_none_is_refused_wherever_it_stands(name, value):
    tree = {"sub": "1", "level": "green", "iat": 100, "exp": 200, name: value}
    with pytest.raises(Malformed):
        claims.read(tree, PLACES[formats.JWT], formats.JWT)
