"""A region with a profile of its own: tried on samples before it is signed, then served, inspected and translated."""

import json
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cbor2
import jwt
import pyseto
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSE, COSEKey

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client import OnecodeClient
from onecode_server.codes.encodings import base45
from onecode_server.codes.national import codec as national

from tests.integration.deployment import TAKEN_S, Deployment, Ended, command, eventually, expect, record

CORPS = "660000"
KEY = Ed25519PrivateKey.from_private_bytes(bytes([9] * 32))
PUBLIC = KEY.public_key().public_bytes_raw()
SECRET = "660102199001011234"
LEVELS = {"绿": "GREEN", "黄": "YELLOW", "红": "RED"}
RED = status_pb2.LEVEL_RED
BEIJING = timezone(timedelta(hours=8))


def local(time_s: float) -> str:
    return datetime.fromtimestamp(int(time_s), BEIJING).replace(tzinfo=None).isoformat(" ")


def by_pyjwt(level: str = "绿", /, **changes: Any) -> bytes:
    now = time.time()
    claims = {
        "iss": "corps",
        "holders": [{"no": SECRET}],
        "level": level,
        "nbf": int(now * 1000),
        "until": local(now + 7200),
    }
    return jwt.encode(claims | changes, KEY, algorithm="EdDSA", headers={"kid": "Corps-1"}).encode()


def by_pyseto(level: str = "绿", /, **changes: Any) -> bytes:
    key = pyseto.Key.from_asymmetric_key_params(4, d=KEY.private_bytes_raw())
    claims = {"who": ["x", SECRET], "level": level, "made": str(int(time.time())), "until": local(time.time() + 7200)}
    return bytes(pyseto.encode(key, payload=claims | changes, footer={"kid": "Corps-1"}))


def by_cwt(level: str = "绿", /, **changes: Any) -> bytes:
    key = COSEKey.new({1: 1, 2: b"\xab\x01", 3: -8, -1: 6, -2: PUBLIC, -4: KEY.private_bytes_raw()})
    claims = {5: int(time.time() * 1000), -70001: [SECRET.encode()[:16], level]} | changes
    made = COSE.new().encode_and_sign(cbor2.dumps(claims), key, protected={1: -8, 4: b"\xab\x01"})
    return b"NC1:" + base45.encode(made)


PROFILES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "jwt": (
        "Corps-1",
        {
            "subject": ["holders", 0, "no"],
            "level": "level",
            "issued_at": "nbf",
            "expiry": "until",
            "time_format": {"issued_at": "ms", "expiry": "local"},
            "utc_offset": "+08:00",
            "issuer": "corps",
        },
        by_pyjwt,
    ),
    "paseto": (
        "Corps-1",
        {
            "subject": ["who", 1],
            "level": "level",
            "issued_at": "made",
            "expiry": "until",
            "time_format": {"issued_at": "s_text", "expiry": "local"},
            "utc_offset": "+08:00",
        },
        by_pyseto,
    ),
    "national": (
        "AB01",
        {
            "subject": [-70001, 0],
            "level": [-70001, 1],
            "issued_at": 5,
            "valid_for_s": 7200,
            "time_format": "ms",
            "issuer": None,
        },
        by_cwt,
    ),
}


class Entry:
    """The files of a region that is to be added."""

    def __init__(self, deployment: Deployment, fmt: str = "jwt", **changes: Any) -> None:
        self.deployment, self.format = deployment, fmt
        self.kid, self.where, self.make = PROFILES[fmt]
        self.where = {name: value for name, value in (self.where | changes).items() if value is not ...}

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.deployment.path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def add(self, samples: bytes | None = None, levels: str = json.dumps(LEVELS)) -> Ended:
        files = ["--claims", self.file("claims", json.dumps(self.where)), "--levels", self.file("levels", levels)]
        tried = [] if samples is None else ["--try", self.file("samples", samples)]
        return self.deployment.trust(
            "add-region", "--code", CORPS, "--name", "Corps", "--format", self.format, *files, *tried
        )

    def add_key(self, *more: object) -> Ended:
        asked = ("--region", CORPS, "--kid", self.kid, "--public-key", PUBLIC.hex())
        return self.deployment.trust("add-key", *asked, *more)


@pytest.mark.parametrize("fmt", PROFILES)
def test_a_region_with_a_profile_of_its_own_is_tried_signed_served_and_translated(deployment, serve, fmt):
    entry = Entry(deployment, fmt)
    samples = b"\n".join([entry.make(level) for level in LEVELS])
    output = expect(entry.add(b"\xef\xbb\xbf" + samples + b"\r\n\r\n"))
    assert output.count("subject at") == output.count("not shown") == 3
    assert "'红' is RED" in output
    assert "signature not checked: no key yet" in output
    assert output.endswith("there is no key yet\ntrust list version 2 signed\n")
    assert SECRET not in output
    signed = expect(entry.add_key("--try", deployment.path / "samples"))
    assert signed.count(f"good, by the key of region {CORPS}") == 3
    server = serve(deployment)
    codes = [entry.make(level) for level in LEVELS for _ in range(20)]
    with OnecodeClient(server.address) as client:
        decisions = [verdict.decision for verdict in client.verify_all(codes, "110000")]
        assert decisions == [pb.DECISION_ADMIT] * 20 + [pb.DECISION_CHECK] * 20 + [pb.DECISION_REFUSE] * 20
        assert decisions == [verdict.decision for verdict in client.verify_all(codes, "110000")]
        assert server.verify(codes[0]).verdict.home_region == CORPS
        (there,) = deployment.issue("420000", "RED")
        translation = client.translate(there, CORPS)
        assert server.verify(translation.code).verdict.level == RED
        home = client.translate(codes[0], "440000")
        assert server.verify(home.code).verdict.decision == pb.DECISION_ADMIT
    local_id = SECRET.encode()[:16].hex() if fmt == "national" else SECRET
    expect(deployment.publish(record(CORPS, "RED", local_id)))
    eventually(lambda: server.verify(codes[0]).verdict.level == RED, TAKEN_S)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nbf": int(time.time())}, "before the year 2000: is time_format the wrong unit?"),
        (
            {"nbf": "2026-11-25 08:00:00"},
            "issued_at at `nbf`: expected milliseconds since 1970 or",
        ),
        ({"nbf": int(time.time() * 1000) + 3_000_000}, "7. validity: NOT_YET_VALID"),
        ({"holders": []}, "subject at `holders/0/no`: `holders/0` is missing"),
        ({"holders": [{"no": {SECRET: 1}}]}, "subject at `holders/0/no`: expected an identifier"),
        ({"until": 12.5}, "the code expires before it is issued"),
        ({"level": "绿 "}, "is none of the entry's words; '\\u7eff' is known and differs in white space"),
        ({"level": None}, "the level 'null' is none of the entry's words"),
        ({"iss": "Corps"}, "another issuer than the trust list names"),
    ],
)
def test_a_sample_that_does_not_fit_is_named_and_nothing_is_signed(deployment: Deployment, changes, why):
    before = deployment.list_file.read_bytes()
    ended = Entry(deployment).add(by_pyjwt() + b"\n" + by_pyjwt(**changes))
    assert ended.status == 2
    first, last = ended.err.splitlines()
    assert first.startswith("onecode: sample 2 does not fit: ")
    assert why in first
    assert last == "onecode: 1 of 2 samples do not fit: nothing was signed"
    assert deployment.list_file.read_bytes() == before
    assert SECRET not in ended.out + ended.err


def test_an_old_sample_fits_its_entry(deployment: Deployment):
    old = {"nbf": int(time.time() * 1000) - 900_000_000, "until": local(time.time() - 86_400)}
    output = expect(Entry(deployment).add(by_pyjwt(**old)))
    assert "EXPIRED: the code is valid from" in output


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (b"", "samples has no codes"),
        (b"\n\n", "samples has no codes"),
        (b"hello", "sample 1 does not fit: 2. format: neither a signed code"),
        (by_pyseto(), "2. format: paseto, and the entry is of the format jwt"),
        (b"x" * 5000, "sample 1 does not fit: 1. size: 5,000 bytes, at most 4,096"),
        (b"x" * 70_000, "line 1: more than 65,536 bytes are no code"),
        (b"x\n" * 1001, "samples has more than 1,000 codes"),
    ],
)
def test_samples_that_are_none_of_the_regions_codes_are_refused(deployment: Deployment, samples, why):
    ended = Entry(deployment).add(samples)
    assert ended.status == 2
    assert why in ended.err
    assert "trust list version" not in ended.out


def test_a_key_that_did_not_sign_the_samples_is_not_added(deployment: Deployment):
    entry = Entry(deployment)
    expect(entry.add())
    tampered = by_pyjwt()[:-20] + b"A" * 20
    ended = entry.add_key("--try", entry.file("samples", tampered))
    assert ended.status == 2
    assert "5. signature: none of the 1 keys with this id verifies it" in ended.err


@pytest.mark.parametrize("kid", ["corps-1", "Corps-2"])
def test_a_key_whose_id_is_not_that_of_the_samples_is_not_added(deployment: Deployment, kid: str):
    entry = Entry(deployment)
    expect(entry.add())
    before = deployment.list_file.read_bytes()
    ended = entry.add_key("--kid", kid, "--try", entry.file("samples", by_pyjwt()))
    assert ended.status == 2
    assert f"4. key: the code's key id is 'Corps-1', that of the key to be added is '{kid}'" in ended.err
    assert ("; 'corps-1' is known and differs in case" in ended.err) == (kid == "corps-1")
    assert deployment.list_file.read_bytes() == before


def test_a_sample_of_a_time_to_come_does_not_fit_a_key_of_a_time_to_come(deployment: Deployment):
    entry = Entry(deployment)
    expect(entry.add())
    ahead = {"nbf": int((time.time() + 8 * 3600) * 1000), "until": local(time.time() + 9 * 3600)}
    samples = entry.file("samples", by_pyjwt(**ahead))
    ended = entry.add_key("--not-before", "2099-01-01T00:00:00Z", "--try", samples)
    assert (ended.status, "does not fit: 7. validity: issued" in ended.err) == (2, True)


@pytest.mark.parametrize("region", [CORPS, "440000"])
def test_a_sample_by_another_key_does_not_speak_for_the_one_to_be_added(deployment: Deployment, region: str):
    entry = Entry(deployment)
    expect(entry.add())
    expect(entry.add_key())
    sample = entry.file("samples", by_pyjwt())
    other = Ed25519PrivateKey.from_private_bytes(bytes([8] * 32)).public_key().public_bytes_raw().hex()
    ended = deployment.trust("add-key", "--region", region, "--kid", "k-2", "--public-key", other, "--try", sample)
    assert (ended.status, "does not fit" in ended.err) == (2, True)


def test_a_sample_that_names_no_key_is_none_that_any_key_could_be_found_for(deployment: Deployment):
    claims = jwt.decode(by_pyjwt(), options={"verify_signature": False})
    for headers in ({}, {"kid": ""}, {"kid": "k" * 256}):
        ended = Entry(deployment).add(jwt.encode(claims, KEY, algorithm="EdDSA", headers=headers).encode())
        assert ended.status == 2
        assert "sample 1 does not fit: 4. key: a trust list cannot have the key id" in ended.err


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"subject": ["level", "id"]},
            "at the same place, or one inside of the other: subject and level",
        ),
        ({"subject": ["holders", "no"], "level": ["holders", 0]}, "an object for one claim and an array for another"),
        ({"expiry": "nbf"}, "claim expiry stands where the format has its own"),
        ({"subject": 2}, "claim subject is not a name"),
        ({"subject": ["holders", -1]}, "claim subject is not a name"),
        ({"utc_offset": ...}, "time_format local needs a utc_offset such as +08:00"),
        ({"utc_offset": "8"}, "utc_offset is not of the form +08:00"),
        ({"time_format": "ms"}, "utc_offset is for a local time_format, and there is none"),
        ({"time_format": "us"}, "is not one of s, ms, s_text, ms_text, rfc3339, local, local_t"),
        ({"expiry": ..., "valid_for_s": 60}, "time_format has a member expiry, and claims has none"),
        ({"level": "iss"}, "claim level stands where the issuer does"),
        ({"isuer": "x"}, "claims has an unknown member 'isuer': 'issuer' is known"),
    ],
)
def test_an_entry_that_no_code_can_meet_is_refused(deployment: Deployment, changes, why):
    ended = Entry(deployment, **changes).add()
    assert (ended.status, ended.out) == (2, "")
    assert why in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("file", ["claims", "levels"])
def test_a_name_that_stands_twice_is_refused(deployment: Deployment, file: str):
    entry = Entry(deployment)
    if file == "levels":
        ended = entry.add(levels='{"g": "GREEN", "g": "RED"}')
        assert ended.err.endswith("levels: the name 'g' occurs twice in one object\n")
    else:
        claims = entry.file("twice", '{"subject": "a", "level": "l", "issued_at": "i", "expiry": "e", "subject": "b"}')
        levels = entry.file("levels", json.dumps(LEVELS))
        asked = ("--code", CORPS, "--name", "C", "--format", "jwt", "--claims", claims, "--levels", levels)
        ended = deployment.trust("add-region", *asked)
        assert ended.err.endswith("twice: the name 'subject' occurs twice in one object\n")
    assert (ended.status, ended.out) == (2, "")


def test_tokens_of_an_opaque_region_are_tried_by_their_prefix_and_length(deployment: Deployment):
    file = deployment.path / "samples"
    asked = ("--code", CORPS, "--name", "C", "--format", "opaque", "--prefix", "CO-", "--try", file)
    for sample, why in (
        ("CO-short", "3. decoding: not a token"),
        ("H31-" + "x" * 22, "2. format: opaque, by the prefix of another region"),
        (by_pyjwt().decode(), "2. format: jwt, and the entry is of the format opaque"),
    ):
        file.write_text(sample)
        ended = deployment.trust("add-region", *asked)
        assert (ended.status, why in ended.err) == (2, True)
    file.write_text("CO-" + "x" * 22)
    assert "1 of 1 samples fit" in expect(deployment.trust("add-region", *asked))


@pytest.mark.parametrize("region", ["110000", "150000", "420000", "440000", "540000"])
def test_a_status_under_the_regions_own_identifier_counts_for_its_codes(deployment: Deployment, serve, region: str):
    (code,) = deployment.issue(region, id="wang")
    publisher = "000000" if region == "540000" else region
    expect(deployment.publish(record(publisher, "RED", "wang", subject={"local": {"region": region, "id": "wang"}})))
    assert serve(deployment).verify(code, "430000").verdict.level == RED


def test_only_the_national_authority_issues_pseudonyms(deployment: Deployment):
    subjects = {}
    for region in ("110000", "540000", "000000"):
        (code,) = deployment.issue(region, id="wang")
        subjects[region] = national.read_claims(national.decode(code).payload)[national.SUBJECT]
    assert subjects["110000"] == "wang"
    assert len(subjects["540000"]) == len(subjects["000000"]) == 16
    assert subjects["540000"] != subjects["000000"]


def test_an_adopter_has_nothing_to_try(deployment: Deployment):
    ended = deployment.trust("add-region", "--code", CORPS, "--name", "C", "--adopts-national", "--try", "/dev/null")
    assert (ended.status, ended.out) == (2, "")
    assert "--try needs a region" in ended.err


def test_a_region_whose_codes_change_is_counted_and_logged(deployment: Deployment, serve):
    entry = Entry(deployment)
    expect(entry.add())
    expect(entry.add_key())
    server = serve(deployment)
    for _ in range(3):
        assert server.verify(by_pyjwt(until="soon")).verdict.reason == pb.REASON_CLAIMS_MALFORMED
    assert server.counted("onecode_claim_faults_total") == {("expiry", CORPS): 3}
    messages = [line["message"] for line in server.log() if "refused for their claims" in line["message"]]
    assert messages == [
        f"codes of region {CORPS} are refused for their claims: expiry at `until`: expected a local time such as "
        "2026-11-25 08:00:00, seconds since 1970 or RFC 3339 text, found text"
    ]


def test_the_command_as_an_operator_types_it_tries_samples(deployment: Deployment):
    entry = Entry(deployment)
    files = ("--claims", entry.file("c", json.dumps(entry.where)), "--levels", entry.file("l", json.dumps(LEVELS)))
    sample = entry.file("s", by_pyjwt())
    asked = ("--data-dir", deployment.path, "--code", CORPS, "--name", "C", "--format", "jwt", *files, "--try", sample)
    assert "1 of 1 samples fit" in expect(command("trust", "add-region", *asked))
