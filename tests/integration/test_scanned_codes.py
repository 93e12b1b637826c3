"""Codes as scanners and files have them, and of the greatest length, through real processes."""

import json
import subprocess
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.codes.jwt import codec as jwt
from onecode_server.crypto.signing import Signer
from onecode_server.model.code import CODE_BYTES_MAX
from onecode_server.model.trust_list import Role
from onecode_server.settings.data_directory import DataDirectory

from tests.integration.deployment import ONECODE, Deployment, Server, called, expect, record

MARK = b"\xef\xbb\xbf"


def verified(server: Server, file: Path, piped: bytes | None = None) -> list[str]:
    asked = [ONECODE, "verify", "--server", server.address, "--host", "110000", "--file", str(file), "--json"]
    ended = subprocess.run(asked, capture_output=True, timeout=100, check=True, input=piped)
    return [json.loads(line)["reason"] for line in ended.stdout.splitlines()]


@pytest.fixture(scope="module")
def codes(shared: Deployment) -> list[bytes]:
    return [code for region in ("000000", "420000", "440000") for code in shared.issue(region)]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r", b"\r\n\r\n \n"])
def test_a_file_with_a_byte_order_mark_and_blank_lines_has_the_codes_that_are_in_it(server, codes, ends, tmp_path):
    file = tmp_path / "codes"
    file.write_bytes(MARK + b"\n" + ends.join([b"]Q1" + codes[0], b" " + codes[1], b"x", codes[2]]) + ends)
    expected = ["REASON_GREEN", "REASON_GREEN", "REASON_FORMAT_UNKNOWN", "REASON_GREEN"]
    assert verified(server, file) == expected
    assert verified(server, Path("-"), file.read_bytes()) == expected
    file.write_bytes(file.read_bytes().removeprefix(MARK).decode().encode("utf-16"))
    assert verified(server, file) == expected
    shown = expect(called("translate", "--server", server.address, "--to", "000000", "--file", file, "--json"))
    assert len(shown.splitlines()) == len(expected)


def test_inspect_and_samples_pass_over_the_lines_that_verify_passes_over(deployment, tmp_path):
    code, file = deployment.issue("420000")[0], tmp_path / "codes"
    file.write_bytes(b"\r]Q1\r" + code + b"\r\x1a\r\xc2\xa0\r" + MARK + b"\r")
    shown = expect(called("inspect", "--data-dir", deployment.path, "--file", file, "--json"))
    assert [json.loads(line)["authenticity"] for line in shown.splitlines()] == ["VALID"]
    asked = ("--region", "420000", "--kid", "k-2", "--public-key", Signer(bytes(32)).public_key.hex(), "--try", file)
    assert "of 1 samples do not fit" in deployment.trust("add-key", *asked).err
    file.write_bytes(b"\x1a\r\n" + MARK)
    assert "codes has no codes" in called("inspect", "--data-dir", deployment.path, "--file", file).err


def test_every_call_takes_off_what_a_scanner_added(server, codes):
    stub = server.stub()
    for code in codes:
        scanned = MARK + b"]Q1 " + code + b"\r\n"
        assert stub.Verify(pb.VerifyRequest(code=scanned, host_region="110000"), timeout=30).verdict.reason == 1
        batch = stub.BatchVerify(pb.BatchVerifyRequest(codes=[scanned] * 30, host_region="110000"), timeout=30)
        assert {verdict.reason for verdict in batch.verdicts} == {1}
        asked = pb.StreamVerifyRequest(request_id=1, code=scanned, host_region="110000")
        assert [answer.verdict.reason for answer in stub.StreamVerify(iter([asked]), timeout=30)] == [1]
        made = [
            stub.Translate(pb.TranslateRequest(code=one, target_region="630000"), timeout=30) for one in (code, scanned)
        ]
        assert made[0].code == made[1].code


def test_a_code_of_the_greatest_length_is_admitted_by_a_server(server, shared, codes):
    code = codes[1]
    signed = jwt.decode(code)
    tree = dict(jwt.read_claims(signed.payload))
    signer = next(iter(DataDirectory(shared.path).signers("420000", Role.ISSUER).values()))
    for size in range(2600, 3100):
        long = jwt.mint(tree | {"padding": "码😀" + "x" * (size - 7)}, signed.key_id, signer.sign)
        if len(long) > CODE_BYTES_MAX - 2:
            break
    assert CODE_BYTES_MAX - 2 < len(long) <= CODE_BYTES_MAX
    answer = server.stub().Verify(pb.VerifyRequest(code=long, host_region="110000"), timeout=30)
    assert pb.Reason.Name(answer.verdict.reason) == "REASON_GREEN"


@pytest.mark.parametrize(
    ("prefix", "why"), [("]Q1", "begins with ]"), (" SH", "printable"), ("IHs", "a JWT"), ("ew", "a JWT")]
)
def test_a_prefix_that_would_be_ambiguous_is_refused(deployment, prefix, why):
    ended = deployment.trust("add-region", "--code", "990000", "--name", "X", "--format", "opaque", "--prefix", prefix)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert why in ended.err


def test_a_file_of_records_may_have_a_byte_order_mark_and_blank_lines(deployment):
    good = record("420000", "RED", "1")
    file = deployment.path / "records"
    for encoded in (
        MARK + b"\r\n\r\n" + json.dumps(good).encode() + b"\r\n \r\n",
        ("\r\n" + json.dumps(good) + "\r\n").encode("utf-16"),
        b"\r" + json.dumps(good, ensure_ascii=False).encode() + b"\r",
    ):
        file.write_bytes(encoded)
        output = expect(called("status", "publish", "--data-dir", deployment.path, "--file", file))
        assert output.startswith("1 ")


def test_a_record_that_is_rejected_is_named_by_its_line_where_there_are_blank_ones(deployment, serve):
    bad = record("420000", "RED", "1", subject={"local": {"region": "430000", "id": "1"}})
    file = deployment.path / "records"
    file.write_text("\n\n" + json.dumps(bad) + "\n\n" + json.dumps(bad) + "\n", "utf-8")
    for where in (("--server", serve(deployment).address), ("--data-dir", deployment.path)):
        ended = called("status", "publish", *where, "--file", file)
        output = ended.out + ended.err
        assert "0 of 2 records published" in output
        assert "line 3" in output
        assert "line 5" in output
