"""Enrolment: a machine's key is made once and stays, and only the cluster's own key makes it a member."""

import stat

import pytest

from onecode_server.crypto.signing import Signer
from onecode_server.errors import Misconfigured
from onecode_server.replication.enrolment import CLUSTER_KEY, enrol, found_cluster
from onecode_server.replication.machine import CERTIFICATE, CLUSTER, KEY, read_machine
from onecode_server.replication.signing import is_certified, open_sealed

END = 1_800_000_000_000_000


def content(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_a_machine_that_was_enrolled_signs_what_the_cluster_takes(tmp_path):
    cluster = found_cluster(tmp_path)
    certificate = enrol(tmp_path, cluster, END)
    machine = read_machine(tmp_path)
    assert machine.sealer.certificate == certificate
    assert (machine.identifier, machine.cluster) == (certificate.machine, cluster.public_key)
    sealed = machine.sealer.seal(b"body", 3)
    assert open_sealed(sealed, 3, cluster.public_key, END) == (machine.identifier, b"body")


def test_the_secrets_are_their_owners_alone(tmp_path):
    enrol(tmp_path, found_cluster(tmp_path), END)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in content(tmp_path)}
    assert modes.keys() == {CLUSTER_KEY, CLUSTER, KEY, CERTIFICATE}
    assert (modes[CLUSTER_KEY], modes[KEY]) == (0o600, 0o600)


def test_another_machine_has_another_id_and_the_same_cluster(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    cluster = found_cluster(first)
    enrol(first, cluster, END)
    enrol(second, cluster, END)
    assert CLUSTER_KEY not in content(second)
    assert read_machine(first).cluster == read_machine(second).cluster
    assert read_machine(first).identifier != read_machine(second).identifier


def test_a_membership_is_prolonged_with_the_same_id_and_key(tmp_path):
    cluster = found_cluster(tmp_path)
    before = enrol(tmp_path, cluster, END)
    after = enrol(tmp_path, cluster, END + 1)
    assert after[:2] == before[:2]
    assert (before.not_after, after.not_after) == (END, END + 1)
    assert is_certified(after, cluster.public_key)
    assert read_machine(tmp_path).sealer.certificate == after


def test_a_cluster_is_founded_once(tmp_path):
    enrol(tmp_path, found_cluster(tmp_path), END)
    before = content(tmp_path)
    with pytest.raises(Misconfigured, match="belongs to a cluster already"):
        found_cluster(tmp_path)
    (tmp_path / CLUSTER).unlink()
    with pytest.raises(Misconfigured, match=r"cluster\.key is there already"):
        found_cluster(tmp_path)
    assert content(tmp_path) == {name: data for name, data in before.items() if name != CLUSTER}


def test_a_member_joins_no_other_cluster(tmp_path):
    enrol(tmp_path, found_cluster(tmp_path), END)
    before = content(tmp_path)
    with pytest.raises(Misconfigured, match="of another cluster"):
        enrol(tmp_path, Signer(bytes(32)), END)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (CERTIFICATE, "ab", "is no certificate of the key"),
        (CERTIFICATE, "not hex", "is no certificate of the key"),
        (KEY, bytes(32).hex(), "is not of the key"),
        (KEY, "ab", "does not hold 32 bytes"),
        (CLUSTER, "ab", "does not hold 32 bytes"),
    ],
)
def test_a_damaged_file_is_one_line_and_is_not_replaced(tmp_path, name, text, why):
    cluster = found_cluster(tmp_path)
    enrol(tmp_path, cluster, END)
    (tmp_path / name).write_text(text)
    before = content(tmp_path)
    with pytest.raises(Misconfigured, match=why):
        enrol(tmp_path, cluster, END)
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (CERTIFICATE, "ab", "is no certificate of a machine"),
        (KEY, bytes(32).hex(), "is not of the key"),
        (CLUSTER, Signer(bytes(32)).public_key.hex(), "is not signed by the cluster"),
    ],
)
def test_files_that_do_not_belong_together_are_one_line_at_a_start(tmp_path, name, text, why):
    enrol(tmp_path, found_cluster(tmp_path), END)
    (tmp_path / name).write_text(text)
    with pytest.raises(Misconfigured, match=why):
        read_machine(tmp_path)


@pytest.mark.parametrize("name", [CERTIFICATE, KEY, CLUSTER])
def test_a_missing_file_is_one_line_at_a_start(tmp_path, name):
    enrol(tmp_path, found_cluster(tmp_path), END)
    (tmp_path / name).unlink()
    with pytest.raises(Misconfigured, match=f"cannot read .*{name}"):
        read_machine(tmp_path)
