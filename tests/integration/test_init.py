"""``onecode init``: keys that only their owner reads, made once, and a root key that stays offline."""

import os
import stat
from pathlib import Path

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import Deployment, Server, called, command, expect


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
