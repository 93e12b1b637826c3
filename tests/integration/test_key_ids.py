"""Keys are named as they are shown: hex in either case, text byte for byte, and what looks alike is only told."""

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.deployment import Deployment, Ended, expect
from tests.pairwise import each_value

NATIONAL, JWT = "110000", "420000"


def public_key(seed: int = 3) -> str:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32)).public_key().public_bytes_raw().hex()


def add(deployment: Deployment, region: str, kid: str, *more: object, seed: int = 3) -> Ended:
    return deployment.trust("add-key", "--region", region, "--kid", kid, "--public-key", public_key(seed), *more)


def keys(deployment: Deployment, region: str) -> list[dict[str, Any]]:
    document = json.loads(expect(deployment.trust("show", "--json")))
    found: list[dict[str, Any]] = next(one["keys"] for one in document["regions"] if one["code"] == region)
    return found


def refused(ended: Ended) -> str:
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    return ended.err


@pytest.mark.parametrize(
    ("added", "named"),
    each_value(["ABCDEF", "abcdef", "AbCdEf", "ab cd ef", " abcdef\n"], ["abcdef", "aBCDEf", "ABCDEF"]),
)
def test_hex_is_shown_in_small_letters_and_named_in_any(deployment: Deployment, added: str, named: str):
    expect(add(deployment, NATIONAL, added))
    assert "abcdef" in expect(deployment.trust("show"))
    assert keys(deployment, NATIONAL)[-1]["kid"] == "abcdef"
    expect(deployment.trust("revoke-key", "--region", NATIONAL, "--kid", named))
    assert keys(deployment, NATIONAL)[-1]["state"] == "revoked"


def test_hex_in_capitals_in_a_document_is_found_as_it_is_shown(deployment: Deployment):
    expect(add(deployment, NATIONAL, "abcdef"))
    document = json.loads(expect(deployment.trust("show", "--json")))
    entry = next(one for one in document["regions"] if one["code"] == NATIONAL)
    entry["keys"][-1] |= {"kid": "ABCDEF", "public_key": public_key().upper()}
    (deployment.path / "trust-list.draft.json").write_text(json.dumps(document | {"version": 3}), "utf-8")
    expect(deployment.trust("sign"))
    assert keys(deployment, NATIONAL)[-1]["kid"] == "ABCDEF"
    assert "abcdef" in expect(deployment.trust("show"))
    expect(deployment.trust("retire-key", "--region", NATIONAL, "--kid", "abcdef"))
    assert keys(deployment, NATIONAL)[-1]["state"] == "retired"
    assert "uses the key id more than once" in add(deployment, NATIONAL, "AbcDEF", seed=4).err


def test_a_gateway_key_is_named_by_the_rule_of_its_format(deployment: Deployment):
    gateway = ("--role", "gateway", "--format")
    expect(add(deployment, "000000", "ABCDEF", *gateway, "national"))
    expect(add(deployment, "000000", "CAFE", *gateway, "jwt", seed=4))
    assert [key["kid"] for key in keys(deployment, "000000")[-2:]] == ["abcdef", "CAFE"]
    assert "'CAFE' is known and differs in case" in refused(
        deployment.trust("revoke-key", "--region", "000000", "--kid", "cafe")
    )
    expect(deployment.trust("revoke-key", "--region", "000000", "--kid", "ABCDEF"))
    expect(deployment.trust("revoke-key", "--region", "000000", "--kid", "CAFE"))
    assert [key["state"] for key in keys(deployment, "000000")[-2:]] == ["revoked", "revoked"]


@pytest.mark.parametrize(
    ("named", "how"),
    [
        ("k-abc", "case or width"),
        ("K-ABC ", "white space"),
        ("K-ABC\n", "white space"),
        ("K\u200b-ABC", "white space"),
        ("К-АВС", "look alike"),  # Cyrillic
        ("K–ABC", "look alike"),
        ("Ｋ-ABC", "width"),
    ],
)
@pytest.mark.parametrize("edit", ["retire-key", "revoke-key"])
def test_text_that_is_near_a_key_id_is_told_and_never_taken(deployment: Deployment, edit: str, named: str, how: str):
    expect(add(deployment, JWT, "K-ABC"))
    before = deployment.list_file.read_bytes()
    line = refused(deployment.trust(edit, "--region", JWT, "--kid", named))
    assert "'K-ABC' is known and differs in" in line
    assert how in line
    assert deployment.list_file.read_bytes() == before


def test_text_in_hex_digits_is_still_text(deployment: Deployment):
    expect(add(deployment, JWT, "ABCD"))
    assert "'ABCD' is known" in refused(deployment.trust("revoke-key", "--region", JWT, "--kid", "abcd"))
    expect(add(deployment, JWT, "abcd", seed=4))  # another key: its codes say so
    expect(deployment.trust("revoke-key", "--region", JWT, "--kid", "ABCD"))
    assert [key.get("state") for key in keys(deployment, JWT)[-2:]] == ["revoked", None]


def test_the_form_of_unicode_is_told(deployment: Deployment):
    expect(add(deployment, JWT, "grün"))
    line = refused(deployment.trust("revoke-key", "--region", JWT, "--kid", "gru\u0308n"))
    assert "'gr\\xfcn' is known and differs in its Unicode form" in line


@pytest.mark.parametrize("region", ["４２００００", "420000 ", "420000\n", "42O000"])
def test_a_region_that_is_near_another_is_told(deployment: Deployment, region: str):
    assert "'420000' is known and differs in" in refused(
        deployment.trust("revoke-key", "--region", region, "--kid", "x")
    )


@pytest.mark.parametrize(
    ("kid", "why"),
    [
        ("k-1\n", "it begins or ends with white space"),
        (" k-1", "it begins or ends with white space"),
        ("k\u200b-1", "it has invisible characters"),
        ("gru\u0308n", "not Unicode NFC"),
    ],
)
def test_a_key_id_that_is_not_what_it_looks_like_needs_force(deployment: Deployment, kid: str, why: str):
    line = refused(add(deployment, JWT, kid))
    assert why in line
    assert "--force accepts it" in line
    expect(add(deployment, JWT, kid, "--force"))
    assert keys(deployment, JWT)[-1]["kid"] == kid


def test_a_key_that_has_ended_needs_force(deployment: Deployment):
    line = refused(add(deployment, JWT, "k", "--not-after", "2020-01-01T00:00:00Z"))
    assert "--not-after 2020-01-01T00:00:00Z is in the past" in line
    expect(add(deployment, JWT, "k", "--not-after", "2020-01-01T00:00:00Z", "--force"))


def test_a_retirement_to_come_needs_force(deployment: Deployment):
    expect(add(deployment, JWT, "k"))
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
    asked = ("retire-key", "--region", JWT, "--kid", "k", "--at", later)
    assert "is in the future" in refused(deployment.trust(*asked))
    expect(deployment.trust(*asked, "--force"))


@pytest.mark.parametrize("option", ["--not-before", "--not-after"])
@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-25", "2099-01-01T00:00:00", "1700000000"])
def test_a_time_that_is_none_is_never_taken_for_no_bound(deployment: Deployment, option: str, time: str):
    line = refused(add(deployment, JWT, "k", option, time, "--force"))
    assert option.strip("-").replace("-", "_") in line.replace("-", "_")


@pytest.mark.parametrize("time", ["", "tomorrow", "2020-01-01T00:00:00"])
def test_a_retirement_at_no_time_is_never_taken_for_now(deployment: Deployment, time: str):
    expect(add(deployment, JWT, "k"))
    assert "--at" in refused(deployment.trust("retire-key", "--region", JWT, "--kid", "k", "--at", time))


def test_a_window_that_ends_before_it_begins_is_refused_whatever_the_force(deployment: Deployment):
    window = ("--not-before", "2031-01-01T00:00:00Z", "--not-after", "2030-01-01T00:00:00Z")
    for force in ((), ("--force",)):
        assert "not_after is not after not_before" in refused(add(deployment, JWT, "k", *window, *force))


def test_a_draft_with_a_name_twice_is_not_signed(deployment: Deployment):
    document = expect(deployment.trust("show", "--json"))
    twice = document.replace('"name": "Hubei"', '"name": "Hubei", "name": "Hunan"')
    assert twice != document
    (deployment.path / "trust-list.draft.json").write_text(twice, "utf-8")
    assert "the name 'name' occurs twice in one object" in refused(deployment.trust("sign"))


def test_a_record_with_a_name_twice_is_not_published(deployment: Deployment):
    line = '{"publisher": "420000", "subject": {"local": {"region": "420000", "id": "x"}}, "level": "GREEN", '
    line += '"level": "RED", "scope": "NATIONAL", "effective_at": "2026-11-23T08:00:00Z", "revision": 1}'
    assert "line 1: not a StatusRecord (the name 'level' occurs twice" in refused(deployment.publish(line))
