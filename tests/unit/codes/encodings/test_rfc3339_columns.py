"""Columns of RFC 3339 times are read as ``times.read_time`` reads each, or left alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes import times
from onecode_server.codes.encodings.rfc3339_columns import TimeText
from onecode_server.errors import Malformed

SAMPLES = [
    b"2026-11-24T12:42:53+00:00",
    b"2026-11-24T12:42:53Z",
    b"2026-11-24T12:42:53+08:00",
    b"2026-11-24T12:42:53-0930",
    b"2026-11-24T12:42:53.5Z",
    b"2026-11-24T12:42:53.042+08:00",
    b"2026-11-24T12:42:53.123456-23:59",
]


def read(sample: bytes, *others: bytes) -> list[int | None]:
    """Return what others are in columns, None where they do not fit, of times that start at byte 3 of a row."""
    rows = np.frombuffer(b"".join(b"<<<" + other for other in others), np.uint8).reshape(len(others), -1)
    time = TimeText(sample, 3)
    fits, times = time.fits(rows), time.times(rows)
    return [at if fit else None for at, fit in zip(times.tolist(), fits.tolist(), strict=True)]


def alone(text: bytes) -> int | None:
    try:
        return times.read_time(text.decode())
    except Malformed:
        return None


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_and_others_like_it_are_read(sample: bytes) -> None:
    days = (b"2024-02-29", b"1971-01-01", b"9998-12-31", b"2100-02-28", b"2000-02-29")
    others = [sample.replace(b"2026-11-24", day) for day in days]
    assert read(sample, sample, *others) == [alone(text) for text in (sample, *others)]


@pytest.mark.parametrize(
    "clock",
    b"2025-02-29T00:00:00 2100-02-29T00:00:00 2026-02-30T00:00:00 2026-04-31T00:00:00 2026-13-01T00:00:00 "
    b"2026-00-01T00:00:00 2026-01-00T00:00:00 2026-01-32T00:00:00 2026-01-01T24:00:00 2026-01-01T23:60:00 "
    b"2026-01-01T23:59:60 1969-12-31T23:59:59 0000-01-01T00:00:00 1970-01-01T00:00:00 9999-12-31T23:59:59".split(),
)
def test_days_and_hours_that_are_not_or_not_surely_times_are_left_alone(clock: bytes) -> None:
    assert read(SAMPLES[2], clock + b"+08:00") == [None]


@pytest.mark.parametrize(
    "text",
    b"|a word|2026-11-24|2026-11-24 12:42:53Z|2026-11-24t12:42:53z|2026-11-24T12:42:53|2026-11-24T12:42:53.1234567Z|"
    b"2026-02-30T12:42:53Z|2026-11-24T12:42:53+24:00|1970-01-01T00:00:00Z|2026-11-24T12:42:53Z\n|2026-11-24T12:42:53.Z|"
    b"1969-01-01T00:00:00Z".split(b"|"),
)
def test_other_texts_are_no_samples(text: bytes) -> None:
    with pytest.raises(ValueError, match="not a time"):
        TimeText(text, 0)


@given(sample=st.sampled_from(SAMPLES), numbers=st.lists(st.integers(0, 99), min_size=7, max_size=7))
def test_digits_of_any_kind_are_read_alike_or_left_alone(sample: bytes, numbers: list[int]) -> None:
    text = b"%02d%02d-%02d-%02dT%02d:%02d:%02d" % tuple(numbers) + sample[19:]
    assert read(sample, text)[0] in (None, alone(text))


@given(sample=st.sampled_from(SAMPLES), seconds=st.integers(40_000_000, 253_300_000_000))
def test_times_of_all_years_are_read(sample: bytes, seconds: int) -> None:
    clock = str(np.datetime64(seconds, "s")).encode()
    assert read(sample, clock + sample[19:]) == [alone(clock + sample[19:])]
