"""Entries of a trust list that are right alone but clash: who is skipped, and who is not."""

import json
import time

import pytest

from onecode_server.crypto.signing import public_key_fault
from onecode_server.model.trust_list import CANDIDATES_MAX
from onecode_server.trust import document as trust_list

from tests import formats
from tests.unit.codes.samples import (
    DOCUMENT,
    GUANGDONG,
    HUBEI,
    NATION,
    SHANGHAI,
    TIBET,
    Entry,
    parse,
    public_key,
    with_keys,
)


def wheres(taken) -> list[str]:
    return [skipped.where for skipped in taken.skipped]


def jwt_region(number: int, *keys: dict[str, str]) -> Entry:
    return HUBEI | {"code": f"{number:06}", "keys": list(keys)}


def test_two_regions_with_the_same_key_id_are_both_candidates():
    keys = [{"kid": "1", "public_key": public_key(number)} for number in (1, 2)]
    taken = parse(regions=[NATION, jwt_region(420000, keys[0]), jwt_region(430000, keys[1])])
    assert [key.region for key in taken.keys_for(formats.JWT, b"1")] == ["420000", "430000"]
    assert taken.skipped == ()


def test_the_ninth_key_with_a_key_id_is_skipped_and_named():
    regions = [jwt_region(n, {"kid": "1", "public_key": public_key(n)}) for n in range(1, CANDIDATES_MAX + 3)]
    taken = parse(regions=[NATION, *regions])
    assert [key.region for key in taken.keys_for(formats.JWT, b"1")] == [f"{n:06}" for n in range(1, 9)]
    assert wheres(taken) == ["region 000009 key 1", "region 000010 key 1"]
    assert taken.regions["000009"].keys == ()
    assert taken.regions["000008"].keys != ()


def test_a_key_of_one_format_is_no_candidate_in_another():
    keys = [[{"kid": "67", "public_key": public_key(number)}] for number in (1, 2)]
    taken = with_keys({"420000": keys[0], "000000": keys[1]})
    assert [key.region for key in taken.keys_for(formats.JWT, b"67")] == ["420000"]
    assert [key.region for key in taken.keys_for(formats.NATIONAL, b"g")] == ["000000"]
    assert taken.keys_for(formats.PASETO, b"67") == taken.keys_for(formats.NATIONAL, b"67") == ()


@pytest.mark.parametrize("spelling", [str, str.upper])
def test_a_public_key_that_stands_twice_is_skipped_wherever_it_stands(spelling):
    twice = spelling(public_key(1))
    taken = with_keys(
        {
            "420000": [{"kid": "a", "public_key": public_key(1)}, {"kid": "b", "public_key": public_key(2)}],
            "440000": [{"kid": "c", "public_key": twice}],
            "000000": [{"kid": "67", "public_key": twice, "role": "gateway", "format": "jwt"}],
        }
    )
    assert sorted(wheres(taken)) == ["region 000000 key 67", "region 420000 key a", "region 440000 key c"]
    assert [key.key_id for keys in taken.candidates.values() for key in keys] == [b"b"]
    assert taken.regions["440000"].keys == ()


def test_a_key_id_that_a_region_uses_twice_is_skipped():
    taken = with_keys({"420000": [{"kid": kid, "public_key": public_key(n)} for n, kid in enumerate("aab", 1)]})
    assert wheres(taken) == ["region 420000 key a"] * 2
    assert [key.key_id for key in taken.regions["420000"].keys] == [b"b"]


def test_a_region_that_stands_twice_is_skipped_each_time_with_its_keys():
    first = jwt_region(420000, {"kid": "a", "public_key": public_key(1)})
    taken = parse(regions=[NATION, first, GUANGDONG, first | {"name": "Another Hubei", "keys": []}])
    assert list(taken.regions) == ["000000", "440000"]
    assert wheres(taken) == ["region 420000"] * 2
    assert taken.candidates == {}


@pytest.mark.parametrize(
    ("prefixes", "left"),
    [
        (["SH-", "HN-", "S-"], 3),
        (["SH-", "SH-"], 0),
        (["SH-", "SH"], 0),
        (["S", "SH-1", "SX"], 0),
        (["SH-1", "SH-2", "SH"], 0),
        (["SH-1", "SH-2"], 2),
        (["a", "ab", "ac"], 0),
        (["a", "b", "bc"], 1),
        (["ey", "SH-"], 1),
        (["eyJh", "SH-"], 1),
        (["NC1:", "SH-"], 1),
        (["v4", "SH-"], 1),
        (["v4.public.SH", "SH-"], 1),
        (["NC2:", "v4.p-", "eyK", "nc1:"], 4),
    ],
)
def test_prefixes_that_overlap_are_skipped_and_the_rest_are_read(prefixes, left):
    entries = [SHANGHAI | {"code": f"{n:06}", "prefix": prefix} for n, prefix in enumerate(prefixes, 1)]
    taken = parse(regions=[NATION, *entries])
    assert len(taken.prefixes) == left == len(taken.regions) - 1
    assert len(taken.skipped) == len(prefixes) - left


def test_an_opaque_code_is_told_by_its_prefix():
    taken = parse()
    assert taken.issuer_of_prefix(b"SH-xyz") == taken.regions["310000"]
    assert taken.issuer_of_prefix(b"SX-xyz") is None


def test_a_list_without_the_national_authority_says_so():
    taken = parse(regions=[HUBEI, TIBET])
    assert wheres(taken) == ["region 000000"]
    assert list(taken.regions) == ["420000", "540000"]


def test_an_empty_list_is_a_list():
    assert parse(regions=[]).regions == {}


def test_a_long_list_is_read_in_time_proportional_to_its_length():
    def seconds(count: int) -> float:
        entries = [SHANGHAI | {"code": f"{n:06}", "prefix": f"P{n}-"} for n in range(1, count)]
        payload = json.dumps(DOCUMENT | {"regions": [NATION, *entries]}).encode()
        started_s = time.process_time()
        assert len(trust_list.parse(payload, public_key_fault).regions) == count
        return time.process_time() - started_s

    assert seconds(8000) < 40 * seconds(1000) + 0.1  # the square would be 64 times
