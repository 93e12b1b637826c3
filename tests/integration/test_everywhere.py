"""One code passes everywhere: every region's codes, at every level, checked and translated for other regions."""

import json
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client import OnecodeClient
from onecode_server.model.region import PROVINCES

from tests.integration.deployment import Deployment, Server, called, command, expect

REGIONS = ("000000", *PROVINCES)
DECISIONS = {"GREEN": "DECISION_ADMIT", "YELLOW": "DECISION_CHECK", "RED": "DECISION_REFUSE"}
HOSTILE = (b"", b"x", b"x" * 5000, b"eyJ", b"eyJ.eyJ.eyJ", b"v4.public.", b"NC1:", b"NC1:NC1:", b"H31-", "码".encode())


@pytest.fixture(scope="module")
def codes(shared: Deployment) -> dict[str, dict[str, bytes]]:
    """A code of each level and region."""
    return {level: {region: shared.issue(region, level)[0] for region in REGIONS} for level in DECISIONS}


@pytest.mark.parametrize("level", DECISIONS)
@pytest.mark.parametrize("host", ["110000", "310000", "630000"])
def test_every_region_is_read_at_its_level_elsewhere(server: Server, codes, level: str, host: str):
    with OnecodeClient(server.address) as client:
        verdicts = list(client.verify_all(codes[level].values(), host))
    for region, verdict in zip(codes[level], verdicts, strict=True):
        assert pb.Decision.Name(verdict.decision) == DECISIONS[level], region
        assert status_pb2.Level.Name(verdict.level) == f"LEVEL_{level}"
        assert verdict.home_region == region
        assert (verdict.authenticity, verdict.recognition) == (pb.AUTHENTICITY_VALID, pb.RECOGNITION_RECOGNISED)


def test_a_code_is_answered_alike_alone_and_in_a_batch(server: Server, codes):
    every = [*HOSTILE, *(code for level in codes.values() for code in level.values())]
    every += [code[:-3] + b"AAA" for code in codes["GREEN"].values()]
    stub = server.stub()
    batch = stub.BatchVerify(pb.BatchVerifyRequest(codes=every, host_region="540000"), timeout=30).verdicts
    for code, together in zip(every, batch, strict=True):
        alone = stub.Verify(pb.VerifyRequest(code=code, host_region="540000"), timeout=30).verdict
        together.status_age_s = alone.status_age_s = 0  # the one thing that time may change
        assert alone == together


@pytest.mark.parametrize("target", ["000000", "420000", "440000", "540000"])  # national, JWT, PASETO, an adopter
def test_a_translation_keeps_home_and_level(server: Server, codes, target: str):
    stub = server.stub()
    for level, sources in codes.items():
        asked = pb.BatchTranslateRequest(codes=sources.values(), target_region=target)
        results = stub.BatchTranslate(asked, timeout=30).results
        made = [result.translation.code for result in results]
        assert all(made)
        assert not set(made) & set(sources.values())
        again = stub.BatchVerify(pb.BatchVerifyRequest(codes=made, host_region="110000"), timeout=30).verdicts
        for region, verdict in zip(sources, again, strict=True):
            assert (verdict.home_region, pb.Decision.Name(verdict.decision)) == (region, DECISIONS[level])
            assert status_pb2.Level.Name(verdict.level) == f"LEVEL_{level}"


def test_translating_is_answered_alike_alone_and_in_a_batch(server: Server, codes):
    sources = [*codes["RED"].values(), *HOSTILE]
    stub = server.stub()
    batch = stub.BatchTranslate(pb.BatchTranslateRequest(codes=sources, target_region="420000"), timeout=30).results
    for code, together in zip(sources, batch, strict=True):
        alone = stub.Translate(pb.TranslateRequest(code=code, target_region="420000"), timeout=30)
        assert bool(alone.code) == bool(together.translation.code)
        for answer in (alone, together.translation):
            answer.verdict.status_age_s = 0
        assert alone.verdict == together.translation.verdict


def test_ten_thousand_codes_are_answered_in_order(server: Server, shared: Deployment, tmp_path: Path):
    issued, scanned = tmp_path / "issued", tmp_path / "scanned"
    asked = ("--region", "420000", "--level", "GREEN", "--count", 10_000, "--out", issued)
    expect(command("issue", "--data-dir", shared.path, *asked))
    lines = issued.read_bytes().splitlines()
    assert len(set(lines)) == 10_000
    for spoilt in range(0, 10_000, 7):
        lines[spoilt] = lines[spoilt][:-20] + lines[spoilt][-20:].swapcase()
    scanned.write_bytes(b"\n".join(lines) + b"\n")
    answers = expect(command("verify", "--server", server.address, "--host", "110000", "--file", scanned, "--json"))
    decisions = [json.loads(line)["decision"] for line in answers.splitlines()]
    assert decisions == ["DECISION_ADMIT" if number % 7 else "DECISION_REFUSE" for number in range(10_000)]


def test_json_has_one_object_a_line_with_the_names_of_the_protos(server: Server, codes, tmp_path: Path):
    scanned = tmp_path / "scanned"
    scanned.write_bytes(codes["RED"]["420000"] + b"\n\nnonsense\n")
    shown = expect(called("verify", "--server", server.address, "--host", "999999", "--file", scanned, "--json"))
    red, nonsense = (json.loads(line) for line in shown.splitlines())
    assert set(red) == set(nonsense) == {field.name for field in pb.Verdict.DESCRIPTOR.fields}
    assert red == {
        "decision": "DECISION_CHECK",
        "level": "LEVEL_UNSPECIFIED",
        "authenticity": "AUTHENTICITY_VALID",
        "status": "STATUS_NONE",
        "recognition": "RECOGNITION_UNKNOWN_HOST",
        "reason": "REASON_HOST_UNKNOWN",
        "home_region": "420000",
        "exception_id": "",
        "status_age_s": 0,
    }
    assert nonsense["reason"] == "REASON_FORMAT_UNKNOWN"


def test_translate_shows_a_code_that_verify_takes(server: Server, codes):
    green = codes["GREEN"]["310000"].decode()
    made = json.loads(expect(called("translate", "--server", server.address, "--to", "320000", "--json", green)))
    assert (made["format"], made["verdict"]["home_region"]) == ("jwt", "310000")
    shown = expect(called("verify", "--server", server.address, "--host", "320000", made["code"]))
    assert "ADMIT" in shown
