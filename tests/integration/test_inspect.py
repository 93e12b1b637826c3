"""``onecode inspect``: offline, the first of the seven steps that fails, for people and as JSON."""

import json
import subprocess

import jwt
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import ONECODE, Deployment, Server, called, command, expect
from tests.integration.test_trust_edits import CORPS, Corps, add_key, add_region

SECRET = "420106190001011234"


def walked(deployment: Deployment, code: bytes) -> dict[str, object]:
    """Return the walk of a code as JSON has it."""
    found: dict[str, object] = json.loads(
        expect(called("inspect", code.decode(), "--data-dir", deployment.path, "--json"))
    )
    return found


@pytest.mark.parametrize("region", ["000000", "110000", "150000", "420000", "440000", "540000"])
def test_a_good_code_passes_every_step_and_its_bearer_is_not_shown(shared: Deployment, region: str):
    (code,) = shared.issue(region, id=SECRET)
    output = expect(called("inspect", code.decode(), "--data-dir", shared.path))
    steps = ["size", "format", "decoding", "key", "signature", "claims", "validity"]
    for number, step in enumerate(steps, 1):
        assert f"{number}. {step}: ok" in output
    assert output.endswith("VALID: all steps pass; only a server checks status and recognition\n")
    assert SECRET not in output
    assert " is GREEN" in output


def test_an_opaque_code_is_looked_up_in_the_store(shared: Deployment):
    (code,) = shared.issue("310000")
    assert "5. signature: ok: the token was published" in expect(
        called("inspect", code.decode(), "--data-dir", shared.path)
    )
    assert walked(shared, b"H31-" + b"x" * 22)["reason"] == "TOKEN_UNKNOWN"


def test_the_claim_at_fault_is_named_with_the_kinds_and_a_server_says_the_same(deployment: Deployment, serve):
    corps = Corps()
    expect(add_region(deployment, deployment.trust))
    expect(add_key(corps, deployment.trust))
    claims = {"holder": {"no": SECRET}, "sky": "☀", "made": "soon"}
    code = jwt.encode(claims, corps.key, algorithm="EdDSA", headers={"kid": "corps-1"})
    shown = expect(called("inspect", code, "--data-dir", deployment.path))
    assert "6. claims: FAILED: issued_at at `made`: expected seconds since 1970 or RFC 3339 text, found text\n" in shown
    assert shown.endswith("MALFORMED, CLAIMS_MALFORMED: step 6, claims, fails\n")
    assert SECRET not in shown
    server: Server = serve(deployment)
    assert server.verify(code.encode()).verdict.reason == pb.REASON_CLAIMS_MALFORMED
    assert server.counted("onecode_claim_faults_total") == {("issued_at", CORPS): 1}


def test_each_step_can_be_the_first_that_fails(shared: Deployment):
    (code,) = shared.issue("420000")
    (old,) = shared.issue("420000", valid=1)
    header, payload, signature = code.split(b".")
    unknown = jwt.encode({"a": 1}, Corps().key, algorithm="EdDSA", headers={"kid": "420000-ISSUER"}).encode()
    failed = [
        walked(shared, one)["failed"]
        for one in (b"x" * 4097, b"hello", code + b"=", unknown, b".".join((header, payload[:-4] + b"AAAA", signature)))
    ]
    assert failed == ["size", "format", "decoding", "key", "signature"]
    assert walked(shared, code)["failed"] is None
    assert walked(shared, old)["failed"] is None  # within the skew
    assert walked(shared, code) | {"steps": []} == {
        "steps": [],
        "failed": None,
        "authenticity": "VALID",
        "reason": None,
    }


def test_a_key_id_that_only_looks_alike_is_told(deployment: Deployment):
    corps = Corps()
    expect(add_region(deployment, deployment.trust))
    expect(add_key(corps, deployment.trust))
    code = corps.code(kid="Corps-1")
    shown = expect(called("inspect", code.decode(), "--data-dir", deployment.path))
    assert "4. key: FAILED: no key for jwt codes has the id 'Corps-1'; 'corps-1' is known and differs in case" in shown


def test_a_revoked_key_is_the_reason(deployment: Deployment):
    (code,) = deployment.issue("420000")
    (kid,) = [key["kid"] for key in listed(deployment, "420000")["keys"]]
    expect(deployment.trust("revoke-key", "--region", "420000", "--kid", kid))
    assert walked(deployment, code)["reason"] == "KEY_REVOKED"


def listed(deployment: Deployment, region: str) -> dict[str, list[dict[str, str]]]:
    document = json.loads(expect(deployment.trust("show", "--json")))
    return next(entry for entry in document["regions"] if entry["code"] == region)


def test_a_file_or_standard_input_has_one_code_a_line(shared: Deployment, tmp_path):
    codes = [*shared.issue("420000"), b"hello"]
    file = tmp_path / "codes"
    file.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(codes) + b"\n\n")
    asked = ("inspect", "--data-dir", shared.path, "--json")
    lines = [json.loads(line) for line in expect(command(*asked, "--file", file)).splitlines()]
    assert [line["reason"] for line in lines] == [None, "FORMAT_UNKNOWN"]
    run = subprocess.run(
        [ONECODE, *map(str, asked), "--file", "-"], input=file.read_bytes(), capture_output=True, check=True
    )
    assert run.stdout.decode().splitlines() == [json.dumps(line, ensure_ascii=False) for line in lines]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ([], "either a CODE or --file"),
        (["x", "--file", "y"], "either a CODE or --file"),
        (["--file", "/no"], "No such"),
    ],
)
def test_a_mistake_in_what_is_asked_is_one_line(shared: Deployment, asked: list[str], why: str):
    ended = called("inspect", *asked, "--data-dir", shared.path)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert why in ended.err


def test_nothing_but_the_list_is_needed(deployment: Deployment, tmp_path):
    (code,) = deployment.issue("420000")
    copy = Deployment(tmp_path / "copy")
    copy.path.mkdir()
    for name in ("trust-list.jws", "root.pub"):
        (copy.path / name).write_bytes((deployment.path / name).read_bytes())
    assert walked(copy, code)["authenticity"] == "VALID"
    opaque = expect(called("inspect", "H31-" + "x" * 22, "--data-dir", copy.path))
    assert "5. signature: not checked: token not looked up: no store" in opaque
    assert sorted(path.name for path in copy.path.iterdir()) == ["root.pub", "trust-list.jws"]
