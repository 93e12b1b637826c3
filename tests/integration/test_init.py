"""``onecode init``: keys that only their owner reads, made once, and a root key that stays offline."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import LOOPBACK, Deployment, Server, called, command, expect


def contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_init_refuses_to_overwrite_a_deployment_and_changes_nothing(made: Deployment):
    before = contents(made.path)
    ended = command("init", "--data-dir", made.path)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == f"onecode: {made.path} has been initialised before; nothing was changed\n"
    assert contents(made.path) == before


def test_init_refuses_a_directory_in_which_another_init_was_killed(tmp_path: Path):
    left = tmp_path / "pseudonym.key"
    left.write_text("left behind")
    ended = called("init", "--data-dir", tmp_path)
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert left.read_text() == "left behind"
    assert not (tmp_path / "root.key").exists()


def test_only_the_owner_reads_the_secrets(made: Deployment):
    secrets = [made.path / "root.key", made.path / "pseudonym.key", *(made.path / "keys").iterdir()]
    assert len(secrets) > 30
    assert {mode(file) for file in secrets} == {0o600}
    assert {mode(made.path), mode(made.path / "keys")} == {0o700}


def test_the_umask_does_not_open_the_secrets(tmp_path: Path):
    before = os.umask(0)
    try:
        expect(called("init", "--data-dir", tmp_path / "data"))
    finally:
        os.umask(before)
    assert {mode(file) for file in (tmp_path / "data").rglob("*.key")} == {0o600}


def test_init_without_demo_lists_the_national_authority_alone(tmp_path: Path):
    assert "1 region" in expect(called("init", "--data-dir", tmp_path / "data"))
    shown = expect(called("trust", "show", "--data-dir", tmp_path / "data"))
    assert "000000" in shown
    assert "110000" not in shown


def test_serve_never_opens_the_root_key(server: Server, shared: Deployment):
    assert (shared.path / "root.key").is_fifo()  # nobody writes to it: whoever reads it is stuck
    assert server.verify(shared.issue("420000")[0]).verdict.decision == pb.DECISION_ADMIT


def refused(file: Path) -> str:
    return f"onecode: the key file {file} is open to more than its owner (mode 0644): set it to 0600, with chmod\n"


@pytest.mark.parametrize("name", ["pseudonym.key", "keys/000000.gateway.jwt.*.key"])
def test_a_server_does_not_start_on_keys_that_others_may_open(deployment: Deployment, name: str):
    (file,) = deployment.path.glob(name)
    file.chmod(0o644)
    ended = command("serve", "--data-dir", deployment.path, *LOOPBACK, "--workers", 1)
    assert (ended.status, ended.out, ended.err) == (2, "", refused(file))


def test_a_directory_without_its_pseudonym_key_gets_no_store_and_so_takes_one_from_a_backup(deployment: Deployment):
    (deployment.path / "pseudonym.key").unlink()
    assert command("serve", "--data-dir", deployment.path, *LOOPBACK, "--workers", 1).status == 2
    assert not (deployment.path / "store").exists()


def test_nothing_is_issued_or_signed_with_keys_that_others_may_open(deployment: Deployment):
    root, (issuer,) = deployment.path / "root.key", (deployment.path / "keys").glob("420000.issuer.*.key")
    before = deployment.list_file.read_bytes()
    for file, ended in (
        (root, lambda: deployment.trust("sign")),
        (root, lambda: deployment.trust("sign", "--root-key", root)),
        (issuer, lambda: called("issue", "--data-dir", deployment.path, "--region", "420000", "--level", "GREEN")),
    ):
        file.chmod(0o644)
        assert ended() == (2, "", refused(file))
    assert deployment.list_file.read_bytes() == before


def test_everybody_may_read_the_public_key_and_the_list(deployment: Deployment, serve: Callable[..., Server]):
    (deployment.path / "root.pub").chmod(0o644)
    deployment.list_file.chmod(0o644)
    assert serve(deployment).verify(b"x").verdict.decision == pb.DECISION_REFUSE
