"""``onecode log join``: machines become members of a cluster whose secret need not be on them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from onecode_server.replication.enrolment import found_cluster

from tests.integration.deployment import ONECODE, Deployment, called, expect


@pytest.fixture
def data(made: Deployment, tmp_path) -> Path:
    """A data directory of the test's own."""
    return Path(shutil.copytree(made.path, tmp_path / "data", ignore=shutil.ignore_patterns("store")))


@pytest.fixture
def cluster_key(tmp_path):
    """The file of a cluster's secret, on another machine."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found_cluster(elsewhere)
    return elsewhere / "cluster.key"


def machine_row(data: Path, *more: str) -> tuple[int, dict[str, str]]:
    ended = called("keys", "check", "--data-dir", data, "--json", *more)
    rows = [json.loads(line) for line in ended.out.splitlines()]
    return ended.status, next(row for row in rows if row["role"] == "machine")


def test_a_machine_joins_by_a_secret_that_is_not_kept_on_it(data, cluster_key):
    ended = subprocess.run(
        [ONECODE, "log", "join", "--data-dir", data, "--cluster-key", "/dev/stdin"],
        input=cluster_key.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(b"machine ")
    assert b": a member until 20" in ended.stdout
    assert {file.name for file in data.glob("machine.*")} == {"machine.key", "machine.cert"}
    assert not (data / "cluster.key").exists()


def test_the_end_of_a_membership_is_a_row_of_keys_check(data, cluster_key):
    expect(called("log", "join", "--data-dir", data, "--cluster-key", cluster_key, "--days", 40))
    _, row = machine_row(data)
    assert (row["state"], row["file"]) == ("active", str(data / "machine.key"))
    status, _ = machine_row(data, "--within", "41d")
    assert status == 1
    (data / "cluster.pub").unlink()
    status, row = machine_row(data)
    assert (status, row["state"]) == (1, "unreadable")


def test_a_membership_is_prolonged_under_the_same_id(data, cluster_key):
    said = [
        expect(called("log", "join", "--data-dir", data, "--cluster-key", cluster_key, "--days", days))
        for days in (1, 2)
    ]
    assert said[0].split(":")[0] == said[1].split(":")[0]
    assert said[0] != said[1]


def test_a_secret_that_others_can_read_is_refused(data, cluster_key):
    cluster_key.chmod(0o644)
    ended = called("log", "join", "--data-dir", data, "--cluster-key", cluster_key)
    assert ended.status == 2
    assert "open to more than its owner" in ended.err
    assert not (data / "machine.key").exists()


def test_the_first_machine_founds_the_cluster_with_the_topics(data, brokers):
    log = ("--log", f"kafka://{brokers.plaintext}", "--log-topic-prefix", brokers.fresh_prefix())
    said = expect(called("log", "init", *log, "--data-dir", data)).splitlines()
    assert [line.split()[0] for line in said[2:]] == ["cluster", "machine"]
    assert (data / "cluster.key").exists()
    again = called("log", "init", *log, "--data-dir", data)
    assert again.status == 2
    assert "belongs to a cluster already" in again.err
    expect(called("log", "join", "--data-dir", data, "--cluster-key", data / "cluster.key"))
