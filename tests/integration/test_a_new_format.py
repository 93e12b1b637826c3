"""A format is one folder and one entry: a copy of the server gets one more, and issues, checks and translates it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import onecode_server
from onecode.v1 import recognition_pb2 as pb
from onecode_client import OnecodeClient
from onecode_server.codes import codec as registry
from onecode_server.codes.codec import Codec
from onecode_server.crypto.signing import Signer, make_secret

from tests.integration import toy_codec
from tests.integration.deployment import Deployment, Server, command, expect

TOY: Codec = toy_codec  # a type checker holds it to the interface
REGION, KEY_ID = "990000", "toy-1"
CLAIMS = {"subject": "sub", "level": ["health", 0, "colour"], "issued_at": "iat", "expiry": "exp"}
LEVELS = {"lush": "GREEN", "ripe": "RED"}
CODES = 100
"""More than are read one by one where a format has layouts."""


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the server with the format, which every command of the test then runs."""
    package = tmp_path / "extended" / "onecode_server"
    shutil.copytree(Path(onecode_server.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    folder = package / "codes" / "toy"
    folder.mkdir()
    (folder / "__init__.py").touch()
    shutil.copy(toy_codec.__file__, folder / "codec.py")
    file = package / "codes" / Path(registry.__file__).name
    text = file.read_text()
    for line in ("from onecode_server.codes.paseto import codec as paseto\n", "    paseto.FORMAT: paseto,\n"):
        assert text.count(line) == 1
        text = text.replace(line, line + line.replace("paseto", "toy"))
    file.write_text(text)
    paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture
def toyland(tmp_path: Path, extended: None) -> Deployment:
    """A deployment with a region whose codes have the format, and with that region's key."""
    there = Deployment(tmp_path / "data")
    expect(command("init", "--data-dir", there.path))
    for name, content in (("claims", CLAIMS), ("levels", LEVELS)):
        (tmp_path / name).write_text(json.dumps(content))
    files = ("--claims", tmp_path / "claims", "--levels", tmp_path / "levels")
    edit = ("--data-dir", there.path, "--format", "toy", "--code", REGION, "--name", "Toyland", *files)
    expect(command("trust", "add-region", *edit))
    secret = make_secret(there.path / "keys" / f"{REGION}.issuer.toy.{KEY_ID}.key")
    key = ("--kid", KEY_ID, "--public-key", Signer(secret).public_key.hex())
    expect(command("trust", "add-key", "--data-dir", there.path, "--region", REGION, *key))
    return there


def issued(deployment: Deployment, region: str, level: str, count: int = 1) -> list[bytes]:
    asked = ("--data-dir", deployment.path, "--region", region, "--level", level, "--count", count)
    return expect(command("issue", *asked)).encode().splitlines()


def test_a_folder_and_an_entry_are_a_format(toyland: Deployment, serve: Callable[..., Server]) -> None:
    codes = issued(toyland, REGION, "GREEN", CODES)
    assert all(code.startswith(TOY.PREFIX) for code in codes)
    changed = codes[0][:-1] + (b"0" if codes[0][-1:] != b"0" else b"1")
    (red,), (national,) = issued(toyland, REGION, "RED"), issued(toyland, "000000", "GREEN")
    with OnecodeClient(serve(toyland).address) as client:
        for _ in range(2):  # the second batch is read by templates of the first
            verdicts = list(client.verify_all([*codes, changed, national], REGION))
            assert {(verdict.decision, verdict.home_region) for verdict in verdicts[:CODES]} == {
                (pb.DECISION_ADMIT, REGION)
            }
            assert verdicts[CODES].authenticity == pb.AUTHENTICITY_BAD_SIGNATURE
            assert verdicts[CODES + 1].decision == pb.DECISION_ADMIT
        assert client.verify(codes[0], REGION).verdict.reason == pb.REASON_GREEN
        assert client.verify(red, REGION).verdict.reason == pb.REASON_RED
        assert client.verify(changed, REGION).verdict.reason == pb.REASON_SIGNATURE_INVALID

        made = client.translate(national, REGION)
        assert (made.format, made.code.startswith(TOY.PREFIX)) == ("toy", True)
        verdict = client.verify(made.code, REGION).verdict
        assert (verdict.decision, verdict.home_region) == (pb.DECISION_ADMIT, "000000")
        back = client.translate(codes[0], "000000")
        assert client.verify(back.code, "000000").verdict.home_region == REGION

    shown = expect(command("inspect", "--data-dir", toyland.path, made.code.decode()))
    assert "toy" in shown
    assert "level at `health/0/colour`: 'lush' is GREEN" in shown
