"""The series of regions: all there with a list, and what becomes of those of a region that leaves it."""

import math

import pytest

from onecode_server.model.identity import Role
from onecode_server.model.trust_list import Format, IssuerKey, KeyState, Region, TrustList
from onecode_server.model.trust_list import Role as KeyRole
from onecode_server.telemetry.metrics import Metrics
from onecode_server.telemetry.region_series import REGIONS_MAX, RegionSeries

JWT = Format("jwt")
DAY_US = 86_400 * 1_000_000


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def series(metrics):
    return RegionSeries(metrics, ["level", "expiry"], ["translated"], ["taken"], [Role.REGIONAL_OPERATOR, Role.LOCAL])


def key(region, role=KeyRole.ISSUER, **more):
    return IssuerKey(region, JWT, b"k", bytes(32), role, **more)


def listed(*keys, adopters=()):
    """Return a list of the regions of some keys, and of regions without."""
    regions = {
        one.region: Region(one.region, "", JWT, keys=tuple(k for k in keys if k.region == one.region)) for one in keys
    }
    regions |= {code: Region(code, "", JWT, adopts_national=True) for code in adopters}
    return TrustList(1, 0, 0, b"", regions, (), {}, ())


def values(metrics, name):
    """Return the values of a metric by its labels' values."""
    families = {family.name: family for family in metrics.registry.collect()}
    return {
        tuple(sample.labels.values()): sample.value
        for sample in families[name].samples
        if not sample.name.endswith("_created")
    }


def test_all_series_of_a_list_are_there_with_nothing_counted(metrics, series):
    series.show(listed(key("000000"), key("420000"), adopters=["540000"]))
    codes, all_of_them = {"000000", "420000", "540000"}, {"000000", "420000", "540000", "unknown"}
    assert values(metrics, "onecode_scans") == {(home, host): 0 for home in all_of_them for host in all_of_them}
    assert values(metrics, "onecode_unmapped_levels") == {(code,): 0 for code in codes}
    assert values(metrics, "onecode_bad_signatures") == {("000000",): 0, ("420000",): 0}
    assert values(metrics, "onecode_translations") == {(code, "translated"): 0 for code in all_of_them}
    assert values(metrics, "onecode_claim_faults") == {
        (code, claim): 0 for code in ("000000", "420000") for claim in ("level", "expiry")
    }
    regional = {("taken", "regional_operator", code): 0 for code in ("420000", "540000")}
    assert values(metrics, "onecode_published_records") == regional | {("taken", "local", ""): 0}


def test_another_list_adds_its_regions_and_keeps_what_was_counted(metrics, series):
    series.show(listed(key("420000")))
    metrics.scans.labels("420000", "420000").inc(3)
    series.show(listed(key("440000")))
    shown = values(metrics, "onecode_scans")
    assert (shown["420000", "420000"], shown["440000", "440000"]) == (3, 0)


def test_the_last_key_of_a_role_counts_and_a_revoked_one_never(metrics, series):
    series.show(
        listed(
            key("110000", not_after=3 * DAY_US),
            key("110000", not_after=9 * DAY_US, state=KeyState.RETIRED, retired_at=5 * DAY_US),
            key("110000", state=KeyState.REVOKED),
            key("120000"),
            key("120000", not_after=DAY_US),
            key("130000", state=KeyState.REVOKED),
            key("000000", not_after=DAY_US),
            key("000000", KeyRole.GATEWAY, not_after=2 * DAY_US),
            adopters=["540000"],
        )
    )
    assert values(metrics, "onecode_region_keys_end_timestamp_seconds") == {
        ("110000", "issuer"): 5 * 86_400,
        ("120000", "issuer"): math.inf,
        ("130000", "issuer"): 0,
        ("000000", "issuer"): 86_400,
        ("000000", "gateway"): 2 * 86_400,
    }


def test_the_end_of_keys_that_left_the_list_is_not_a_number(metrics, series):
    series.show(listed(key("420000", not_after=DAY_US)))
    series.show(listed(key("440000", not_after=DAY_US)))
    ends = values(metrics, "onecode_region_keys_end_timestamp_seconds")
    assert math.isnan(ends["420000", "issuer"])
    assert ends["440000", "issuer"] == 86_400


def test_a_list_that_is_longer_than_any_country_needs_makes_no_page_of_megabytes(metrics, series):
    series.show(listed(*(key(f"{number:06d}") for number in range(REGIONS_MAX + 1))))
    assert values(metrics, "onecode_scans") == values(metrics, "onecode_region_keys_end_timestamp_seconds") == {}
