"""The native front's files of TLS: taken once, offered again where they were refused, and that is told."""

import logging
from pathlib import Path
from typing import Any

import pytest

from onecode_server.identity.tls_files import TlsFiles, TlsSource
from onecode_server.rpc.native_tls import AGAIN_S, NativeTls
from onecode_server.system.clock import wall_clock
from onecode_server.telemetry.metrics import Metrics

from tests.certificates import Authority
from tests.fronts import NEEDS_FRONT

pytestmark = NEEDS_FRONT


class Front:
    """Counts what it is given."""

    given = 0

    def renew_tls(self, tls: Any) -> None:
        self.given += 1


class Given:
    """Files that a test replaces, with a clock of its own."""

    def __init__(self) -> None:
        self.authority = Authority()
        leaf = self.authority.server()
        self.files = TlsFiles(leaf.chain_pem, leaf.key_pem, self.authority.pem, self.authority.crl(), 1)
        self.now_s = 0.0
        self.notes: list[str | None] = []
        self.tls = NativeTls(
            lambda: self.files, demands_certificate=True, note=self.notes.append, monotonic=lambda: self.now_s
        )
        self.front: Any = Front()

    def replace(self, **parts: Any) -> None:
        self.files = self.files._replace(**parts, generation=self.files.generation + 1)
        self.tls.renew(self.front)


def test_files_are_handed_over_once_for_each_generation() -> None:
    given = Given()
    given.tls.make()
    given.tls.renew(given.front)
    assert given.front.given == 0
    given.replace(crl=given.authority.crl())
    given.tls.renew(given.front)
    assert (given.front.given, given.notes) == (1, [])


def test_what_the_front_does_not_take_is_told_once_and_offered_again(caplog: pytest.LogCaptureFixture) -> None:
    given = Given()
    given.tls.make()
    good = given.files.key
    given.replace(key=Authority().server().key_pem)
    for _ in range(5):
        given.now_s += AGAIN_S
        given.tls.renew(given.front)
    (fault,) = given.notes
    assert fault is not None
    assert "does not belong" in fault
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR] == [fault]
    given.replace(key=good)
    assert (given.front.given, given.notes) == (1, [fault, None])


def test_refused_files_are_not_read_at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    given, made = Given(), []
    real = given.tls._make

    def counted(files: Any) -> Any:
        made.append(files)
        return real(files)

    monkeypatch.setattr(given.tls, "_make", counted)
    given.replace(key=b"")
    for _ in range(8):
        given.now_s += AGAIN_S / 4
        given.tls.renew(given.front)
    assert len(made) == 3


def test_the_fault_is_shown_with_those_of_the_files(tmp_path: Path) -> None:
    metrics = Metrics()
    source = TlsSource(*Authority().server().write(tmp_path), None, None, metrics, wall_clock)
    labels = {"file": "tls_of_front"}
    for fault, faults in (("refused", {"tls_of_front": "refused"}), (None, {})):
        source.note(fault)
        assert source.faults == faults
        assert metrics.registry.get_sample_value("onecode_identity_files_fault", labels) == bool(faults)
    source.close()
