"""Metrics need nothing of the machine: no directory, no disk, and nothing that the environment says."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from onecode_server.model.region import PROVINCES

from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.several_workers import HANDLED, VERIFY, pids, verify_on_each

Serve = Callable[..., Server]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    path = tmp_path / "small"
    path.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"a file system to fill needs root: {mount.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_when_the_temporary_directory_is_full_everything_is_served_and_counted(
    deployment: Deployment, serve: Serve, small: Path, monkeypatch: pytest.MonkeyPatch, workers: int
):
    monkeypatch.setenv("TMPDIR", str(small))
    server, code = serve(deployment, "--workers", workers), deployment.issue("420000")[0]
    before = pids(server) if workers > 1 else {}
    with (small / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(b"x" * 4096):
            pass
    for _ in range(4):  # each pair of regions is a metric more
        for host in PROVINCES:
            assert server.verify(code, host).verdict.decision
    eventually(lambda: server.samples(HANDLED)["OK", *VERIFY] == 4 * len(PROVINCES), 30)
    assert len(server.counted("onecode_scans_total")) == len(PROVINCES)
    assert (pids(server) if workers > 1 else {}) == before
    assert server.end() == 0
    assert [file.name for file in small.iterdir()] == ["filler"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_directory_for_metrics_that_the_environment_names_is_not_used(
    deployment: Deployment, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, is_there: bool
):
    directory = tmp_path / "of-another-program"
    if is_there:
        directory.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
    server = serve(deployment, "--workers", workers)
    verify_on_each(server, deployment.issue("420000")[0], 16)
    eventually(lambda: server.samples(HANDLED)["OK", *VERIFY] == 16, 30)
    assert server.end() == 0
    assert list(directory.iterdir()) == [] if is_there else not directory.exists()
