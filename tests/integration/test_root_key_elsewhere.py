"""A server that never has the root key: it is made elsewhere, and trust lists are signed there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import TAKEN_S, Deployment, Server, called, eventually, expect


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    """The directory on the machine where lists are signed."""
    expect(called("keys", "make-root", tmp_path / "safe"))
    return tmp_path / "safe"


@pytest.fixture
def data(tmp_path: Path, safe: Path) -> Path:
    """The server's directory, as ``init`` made it."""
    asked = ("--no-root-key", "--root-public-key", safe / "root.pub", "--demo")
    assert "draft of trust list version 1" in expect(called("init", "--data-dir", tmp_path / "data", *asked))
    return tmp_path / "data"


def sign_there(data: Path, safe: Path) -> str:
    """Carry the draft to the root key, sign it, and carry the list back."""
    shutil.copy(data / "trust-list.draft.json", safe)
    signed = expect(called("trust", "sign", "--data-dir", safe))
    shutil.copy(safe / "trust-list.jws", data / "new.jws")
    (data / "new.jws").rename(data / "trust-list.jws")
    return signed


def test_lists_are_signed_elsewhere_from_the_first_one_on(data: Path, safe: Path, serve: Callable[..., Server]):
    deployment = Deployment(data)
    server = serve(deployment, await_ready=False)
    eventually(lambda: "the trust list cannot be read" in server.log_file.read_text(), 30)
    assert sign_there(data, safe) == "trust list version 1 signed\n"
    server.await_ready()
    code = deployment.issue("440000")[0]
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT
    assert "draft of version 2" in expect(deployment.trust("rotate-gateway", "--format", "jwt"))
    assert sign_there(data, safe) == "trust list version 2 signed\n"
    eventually(lambda: server.samples("onecode_trust_list_version")[()] == 2, TAKEN_S)
    assert list(data.rglob("root.key")) == []
    assert not (safe / "trust-list.draft.json").exists()


def test_a_draft_that_has_come_back_as_the_list_is_none_any_more(data: Path, safe: Path):
    deployment, region = Deployment(data), ("--code", "990000", "--name", "X", "--adopts-national")
    sign_there(data, safe)
    expect(called("trust", "add-region", "--data-dir", safe, *region))
    assert (data / "trust-list.draft.json").exists()
    assert "draft of version 2" in expect(deployment.trust("add-region", *region))


def test_a_draft_that_would_undo_what_was_signed_since_is_refused(data: Path, safe: Path):
    deployment = Deployment(data)
    sign_there(data, safe)
    for code in ("990000", "980000"):
        expect(called("trust", "add-region", "--data-dir", safe, "--code", code, "--name", "X", "--adopts-national"))
    expect(deployment.trust("add-region", "--code", "970000", "--name", "X", "--adopts-national"))
    shutil.copy(safe / "trust-list.jws", data)
    ended = deployment.trust("add-region", "--code", "960000", "--name", "X", "--adopts-national")
    assert (ended.status, ended.out) == (2, "")
    assert "is of version 2, and the list of version 3 already: remove the draft" in ended.err


def test_a_root_key_is_made_once_and_is_its_owners_alone(safe: Path):
    before = (safe / "root.key").read_bytes()
    assert called("keys", "make-root", safe).status == 2
    (safe / "root.pub").unlink()
    assert called("keys", "make-root", safe).status == 2
    assert (safe / "root.key").read_bytes() == before
    assert {(safe / "root.key").stat().st_mode & 0o777, safe.stat().st_mode & 0o777} == {0o600, 0o700}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--no-root-key",), "go together"),
        (("--root-public-key", "@pub"), "go together"),
        (("--no-root-key", "--root-public-key", "/no/such/file"), "cannot read the key file"),
        (("--no-root-key", "--root-public-key", "@zero"), "is not a canonical point"),
        (("--no-root-key", "--root-public-key", "@private"), "is not hex"),
    ],
)
def test_a_root_that_cannot_be_trusted_makes_no_directory(
    tmp_path: Path, safe: Path, options: tuple[str, ...], why: str
):
    (tmp_path / "zero").write_text("00" * 32)
    (tmp_path / "private").write_text("no hex")
    files = {"@pub": safe / "root.pub", "@zero": tmp_path / "zero", "@private": tmp_path / "private"}
    ended = called("init", "--data-dir", tmp_path / "data", *(files.get(option, option) for option in options))
    assert (ended.status, ended.out) == (2, "")
    assert why in ended.err
    assert not (tmp_path / "data").exists()
