"""Times of claims: seconds or text with an offset, from 1970 to 9999, and nothing that only looks like one."""

from datetime import UTC, datetime

import pytest

from onecode_server.errors import Malformed
from onecode_server.formats import claims
from onecode_server.model.trust_list import Format

from tests.unit.formats.samples import PLACES


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        (253_402_300_799, 253_402_300_799),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T08:00:01.5+08:00", 1.5),
        ("2023-11-14T22:13:20.000001+00:00", 1_700_000_000.000001),
        (datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC), 2),
    ],
)
def test_a_time_is_seconds_or_rfc_3339_text(value, seconds):
    assert claims.read_time(value) == round(seconds * claims.MICROSECONDS)


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
        claims.read_time(value)


@pytest.mark.parametrize("value", ["2023-11-14T22:13:20", "2023-11-14", "20231114T221320", datetime(2023, 11, 14)])  # noqa: DTZ001
def test_a_time_without_an_offset_is_refused(value):
    with pytest.raises(Malformed, match="offset"):
        claims.read_time(value)


@pytest.mark.parametrize(
    "value",
    [
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
    ],
)
@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
def test_a_time_that_is_none_is_refused_wherever_it_stands(name, value):
    tree = {"sub": "1", "level": "green", "iat": 100, "exp": 200, name: value}
    with pytest.raises(Malformed):
        claims.read(tree, PLACES[Format.JWT], Format.JWT)
