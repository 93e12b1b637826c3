"""The files of TLS in force: certificate, authorities and revocation lists, as they are replaced."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.identity import certificate
from onecode_server.identity.tls_files import TlsFiles, TlsSource
from onecode_server.identity.watched_files import PATIENCE_S

from tests.certificates import Authority, Leaf
from tests.unit.identity.conftest import NOON_S, Times

NOW = datetime.fromtimestamp(NOON_S, UTC)
ROOT = Authority(now=NOW)
SERVER = ROOT.server(not_after=NOW + timedelta(hours=2))
CLIENT = ROOT.issue("spiffe://onecode.internal/ops")


class Deployment:
    """The files of a server in a directory, and what watches them."""

    def __init__(self, directory: Path, times: Times, leaf: Leaf = SERVER, crl: bytes | None = ROOT.crl()) -> None:
        self.chain, self.key = leaf.write(directory)
        self.ca, self.crl = directory / "ca.crt", directory / "clients.crl"
        self.ca.write_bytes(ROOT.pem)
        if crl is not None:
            self.crl.write_bytes(crl)
        self.times = times
        self.source = TlsSource(
            self.chain, self.key, self.ca, self.crl if crl else None, times.metrics, times.clock, times.monotonic
        )
        self.seen: list[TlsFiles] = []
        self.source.subscribe(self.seen.append)

    @property
    def revokes_client(self) -> bool:
        assert self.source.clients is not None
        return self.source.clients.revocations.revoked(certificate.read(CLIENT.der))

    async def lasting(self) -> None:
        """Let a fault last until it is reported."""
        await self.source.refresh()
        self.times.pass_by(PATIENCE_S)
        await self.source.refresh()


@pytest.fixture
def deployment(tmp_path: Path, times: Times):
    made = Deployment(tmp_path, times)
    yield made
    made.source.close()


async def test_a_renewed_pair_is_taken_once_both_files_are_there(deployment, caplog):
    renewed = ROOT.server()
    deployment.chain.write_bytes(renewed.chain_pem)
    await deployment.source.refresh()
    assert deployment.source.current == (SERVER.chain_pem, SERVER.key_pem, ROOT.pem, deployment.crl.read_bytes(), 1)
    deployment.key.write_bytes(renewed.key_pem)
    await deployment.source.refresh()
    assert deployment.source.current[:2] == (renewed.chain_pem, renewed.key_pem)
    assert [files.generation for files in deployment.seen] == [2]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_pair_that_does_not_fit_for_long_is_a_fault_and_keeps_no_revocation_out(deployment, times):
    deployment.chain.write_bytes(ROOT.server().chain_pem)
    deployment.crl.write_bytes(ROOT.crl(CLIENT))
    await deployment.lasting()
    assert "do not fit each other" in deployment.source.faults["server_certificate"]
    assert times.metric("onecode_identity_files_refused_total", file="server_certificate") == 1
    assert deployment.source.current.chain == SERVER.chain_pem
    assert deployment.revokes_client
    assert deployment.source.current.crl == deployment.crl.read_bytes()


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"nonsense",
        ROOT.crl(CLIENT)[:-50],
        Authority(now=NOW).crl(),
        ROOT.crl(last_update=NOW - timedelta(hours=1)),
    ],
)
async def test_a_bad_or_older_list_leaves_the_last_good_one_in_force(tmp_path, times, bad):
    deployment = Deployment(tmp_path, times, crl=ROOT.crl(CLIENT))
    deployment.crl.write_bytes(bad)
    await deployment.lasting()
    assert deployment.revokes_client
    assert "clients.crl" in deployment.source.faults["client_authorities"]
    assert deployment.source.current.generation == 1
    deployment.source.close()


async def test_authorities_and_their_lists_are_replaced_together(deployment):
    other = Authority("other root", now=NOW)
    deployment.ca.write_bytes(other.pem)
    await deployment.source.refresh()  # the list is of an authority that is not in the bundle any more
    assert deployment.source.current.client_ca == ROOT.pem
    deployment.crl.write_bytes(other.crl())
    await deployment.source.refresh()
    assert deployment.source.current.client_ca == other.pem
    assert deployment.source.faults == {}


async def test_a_list_past_its_next_update_still_counts_and_is_a_fault(tmp_path, times, caplog):
    deployment = Deployment(tmp_path, times, crl=ROOT.crl(CLIENT, next_update=NOW + timedelta(hours=1)))
    await deployment.source.refresh()
    assert deployment.source.faults == {}
    times.pass_by(3601)
    for _ in range(3):
        await deployment.source.refresh()
    assert deployment.source.faults == {"client_authorities": "a revocation list is past its next update"}
    assert deployment.revokes_client
    assert sum("past its next update" in record.message for record in caplog.records) == 1
    deployment.crl.write_bytes(ROOT.crl(CLIENT, last_update=NOW + timedelta(hours=1)))
    await deployment.source.refresh()
    assert deployment.source.faults == {}
    deployment.source.close()


async def test_the_time_until_the_certificate_expires_is_a_metric_and_then_a_fault(deployment, times):
    assert times.metric("onecode_tls_certificate_expiry_seconds") == 7200
    times.pass_by(7201)
    await deployment.source.refresh()
    assert times.metric("onecode_tls_certificate_expiry_seconds") == -1
    assert deployment.source.faults == {"server_certificate": "the certificate in force has expired"}
    assert deployment.source.current.chain == SERVER.chain_pem


async def test_the_lifetime_of_the_certificate_is_a_metric_whatever_is_left_of_it(deployment, times):
    whole = (SERVER.certificate.not_valid_after_utc - SERVER.certificate.not_valid_before_utc).total_seconds()
    times.pass_by(3600)
    assert times.metric("onecode_tls_certificate_lifetime_seconds") == whole > 7200


async def test_a_key_that_is_opened_to_others_is_a_fault(deployment):
    deployment.key.chmod(0o640)
    await deployment.lasting()
    assert "mode 0640" in deployment.source.faults["server_certificate"]


async def test_authorities_without_lists_revoke_nothing_and_bad_ones_are_not_taken(tmp_path, times):
    deployment = Deployment(tmp_path, times, crl=None)
    assert not deployment.revokes_client
    assert deployment.source.current.crl is None
    deployment.ca.write_bytes(CLIENT.pem)
    await deployment.lasting()
    assert "ca.crt: certificate 1: it is no authority's" in deployment.source.faults["client_authorities"]
    assert deployment.source.current.client_ca == ROOT.pem
    deployment.source.close()


def test_without_client_authorities_there_are_none(tmp_path, times):
    chain, key = SERVER.write(tmp_path)
    source = TlsSource(chain, key, None, None, times.metrics, times.clock, times.monotonic)
    assert (source.clients, source.current.client_ca, source.current.crl) == (None, None, None)
    assert "PRIVATE" not in repr(source.current)
    source.close()


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key", "ca.crt", "clients.crl"])
def test_a_file_that_is_missing_at_the_start_is_a_mistake_of_the_settings(deployment, times, missing):
    (deployment.chain.parent / missing).unlink()
    with pytest.raises(Misconfigured, match=missing):
        TlsSource(
            deployment.chain, deployment.key, deployment.ca, deployment.crl, times.metrics, times.clock, times.monotonic
        )
