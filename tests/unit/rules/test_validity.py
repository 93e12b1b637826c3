"""Keys and windows: every edge, at exactly the skew that clocks are allowed."""

from dataclasses import replace

import pytest

from onecode_server.model.code import Claims, Source
from onecode_server.model.status import Level
from onecode_server.model.trust_list import Format, IssuerKey, KeyState, Region, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason
from onecode_server.rules.validity import SKEW_US, is_in_date, key_fault, source_fault, window_fault

from tests import formats

ISSUED, NOW = 10 * SKEW_US, 20 * SKEW_US
KEY = IssuerKey("420000", formats.JWT, b"k1", bytes(32))
CLAIMS = Claims("420000", bytes(16), "green", Level.GREEN, ISSUED, None)

REVOKED = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_REVOKED)
RETIRED = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_RETIRED)
OUTSIDE = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_OUTSIDE_VALIDITY)
SOURCE_GONE = Finding(Authenticity.KEY_NOT_VALID, Reason.SOURCE_KEY_NOT_VALID)
NOT_YET = Finding(Authenticity.NOT_YET_VALID, Reason.NOT_YET_VALID)
EXPIRED = Finding(Authenticity.EXPIRED, Reason.EXPIRED)


def test_clocks_may_disagree_by_a_minute():
    assert SKEW_US == 60 * 1_000_000


def test_an_active_key_without_bounds_vouches_at_all_times():
    assert key_fault(KEY, ISSUED, NOW) is None


def test_a_revoked_key_vouches_for_nothing():
    assert key_fault(replace(KEY, state=KeyState.REVOKED), ISSUED, NOW) == REVOKED


@pytest.mark.parametrize(
    ("retired_at", "fault"), [(ISSUED + 1, None), (ISSUED, RETIRED), (ISSUED - 1, RETIRED), (None, RETIRED)]
)
def test_a_retired_key_vouches_only_for_what_was_issued_before_and_skew_does_not_help(retired_at, fault):
    assert key_fault(replace(KEY, state=KeyState.RETIRED, retired_at=retired_at), ISSUED, NOW) == fault


def test_the_time_at_which_an_active_key_will_retire_does_not_count():
    assert key_fault(replace(KEY, retired_at=ISSUED - 1), ISSUED, NOW) is None


@pytest.mark.parametrize(("issued_at", "fault"), [(ISSUED, None), (ISSUED - 1, OUTSIDE)])
def test_a_key_vouches_for_nothing_issued_before_its_window(issued_at, fault):
    assert key_fault(replace(KEY, not_before=ISSUED + SKEW_US), issued_at, NOW) == fault


@pytest.mark.parametrize(("now", "fault"), [(NOW, None), (NOW - 1, OUTSIDE)])
def test_a_key_vouches_for_nothing_before_its_window_begins_even_if_the_code_says_later(now, fault):
    assert key_fault(replace(KEY, not_before=NOW + SKEW_US), NOW + SKEW_US, now) == fault


@pytest.mark.parametrize(("issued_at", "fault"), [(ISSUED, None), (ISSUED + 1, OUTSIDE)])
def test_a_key_vouches_for_nothing_issued_after_its_window(issued_at, fault):
    assert key_fault(replace(KEY, not_after=ISSUED - SKEW_US), issued_at, ISSUED) == fault


@pytest.mark.parametrize(("now", "fault"), [(NOW, None), (NOW + 1, OUTSIDE)])
def test_a_key_vouches_for_nothing_any_more_once_its_window_has_ended(now, fault):
    assert key_fault(replace(KEY, not_after=NOW - SKEW_US), ISSUED, now) == fault


@pytest.mark.parametrize(
    ("bounds", "fault"), [({"not_before": ISSUED}, None), ({"not_before": ISSUED + 1}, OUTSIDE), ({}, None)]
)
def test_a_deployment_without_skew_has_sharp_edges(bounds, fault):
    assert key_fault(replace(KEY, **bounds), ISSUED, NOW, skew=0) == fault


@pytest.mark.parametrize(("now", "fault"), [(ISSUED - SKEW_US, None), (ISSUED - SKEW_US - 1, NOT_YET)])
def test_a_code_is_not_valid_before_it_was_issued(now, fault):
    assert window_fault(CLAIMS, now) == fault


@pytest.mark.parametrize(("now", "fault"), [(NOW - SKEW_US, None), (NOW - SKEW_US - 1, NOT_YET)])
def test_a_code_is_not_valid_before_the_time_that_it_names(now, fault):
    assert window_fault(CLAIMS._replace(not_before=NOW), now) == fault


def test_a_not_before_ahead_of_the_issue_does_not_make_a_code_valid_earlier():
    assert window_fault(CLAIMS._replace(not_before=0), ISSUED - SKEW_US - 1) == NOT_YET


@pytest.mark.parametrize(("now", "fault"), [(NOW + SKEW_US - 1, None), (NOW + SKEW_US, EXPIRED)])
def test_a_code_is_not_valid_from_its_expiry_on(now, fault):
    assert window_fault(CLAIMS._replace(expires_at=NOW), now) == fault


def test_a_code_without_an_expiry_does_not_expire():
    assert window_fault(CLAIMS, 2**62) is None


@pytest.mark.parametrize(("now", "in_date"), [(NOW, True), (NOW + 5, True), (NOW + 6, False)])
def test_a_trust_list_is_in_date_until_its_next_update_and_the_grace(now, in_date):
    assert is_in_date(trust_list(next_update=NOW), now, grace=5) is in_date


def trust_list(*regions, next_update=NOW):
    keys = [key for region in regions for key in region.keys]
    candidates: dict[tuple[Format, bytes], tuple[IssuerKey, ...]] = {}
    for key in keys:
        candidates[key.format, key.key_id] = (*candidates.get((key.format, key.key_id), ()), key)
    by_code = {region.code: region for region in regions}
    return TrustList(1, 0, next_update, bytes(32), by_code, (), candidates, ())


NATION_KEY = IssuerKey("000000", formats.NATIONAL, b"n1", bytes([1] * 32))
NATION = Region("000000", "Nation", formats.NATIONAL, keys=(NATION_KEY,))
HUBEI = Region("420000", "Hubei", formats.JWT, keys=(KEY,))
ADOPTER = Region("540000", "Tibet", formats.NATIONAL, adopts_national=True)
SHANGHAI = Region("310000", "Shanghai", formats.OPAQUE, prefix=b"SH-")


def translation(region, key_id):
    return CLAIMS._replace(source=Source(region, key_id, bytes(32), ISSUED, "110000"))


def hubei(**changes):
    return replace(HUBEI, keys=(replace(KEY, **changes),))


@pytest.mark.parametrize(
    ("claims", "regions"),
    [
        (CLAIMS, ()),
        (translation("420000", b"k1"), (HUBEI,)),
        (translation("420000", b"k1"), (hubei(state=KeyState.RETIRED, retired_at=ISSUED + 1),)),
        (translation("540000", b"n1"), (NATION, ADOPTER)),
        (translation("310000", b""), (SHANGHAI,)),
        (
            translation("420000", b"k1"),
            (replace(HUBEI, keys=(replace(KEY, state=KeyState.REVOKED), replace(KEY, public_key=bytes([2] * 32)))),),
        ),
    ],
    ids=["no translation", "active", "issued before", "adopter, by the nation", "opaque", "one of two keys is good"],
)
def test_the_source_of_a_translation_still_stands(claims, regions):
    assert source_fault(claims, trust_list(*regions), NOW) is None


@pytest.mark.parametrize(
    ("claims", "regions"),
    [
        (translation("420000", b"k1"), ()),
        (translation("420000", b"k2"), (HUBEI,)),
        (translation("420000", b"k1"), (hubei(state=KeyState.REVOKED),)),
        (translation("420000", b"k1"), (hubei(state=KeyState.RETIRED, retired_at=ISSUED),)),
        (translation("420000", b"k1"), (hubei(not_after=NOW - SKEW_US - 1),)),
        (translation("420000", b"k1"), (hubei(region="440000"),)),
        (translation("420000", b"k1"), (hubei(format=formats.PASETO),)),
        (translation("540000", b"n1"), (ADOPTER,)),
        (translation("540000", b"n1"), (ADOPTER, replace(NATION, keys=(replace(NATION_KEY, region="540000"),)))),
        (translation("310000", b""), (HUBEI,)),
        (translation("420000", b""), (HUBEI,)),
    ],
    ids=[
        "its region is gone",
        "its key is gone",
        "its key is revoked",
        "its key had been retired",
        "its key has run out",
        "another region's key with that id",
        "another format's key with that id",
        "the nation's key is gone",
        "an adopter has no key of its own",
        "its opaque region is gone",
        "its region is not opaque",
    ],
)
def test_a_translation_dies_with_its_source(claims, regions):
    assert source_fault(claims, trust_list(*regions), NOW) == SOURCE_GONE


def test_a_source_key_is_judged_by_when_the_source_was_issued_not_the_translation():
    retired = trust_list(hubei(state=KeyState.RETIRED, retired_at=ISSUED + 1))
    later = translation("420000", b"k1")._replace(issued_at=NOW)
    assert source_fault(later, retired, NOW) is None


def test_the_skew_counts_for_source_keys_too():
    edge = trust_list(hubei(not_after=NOW - 7))
    assert source_fault(translation("420000", b"k1"), edge, NOW, skew=7) is None
    assert source_fault(translation("420000", b"k1"), edge, NOW, skew=6) == SOURCE_GONE
