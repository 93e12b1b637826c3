"""Who may see the pages for operations, and the files of their TLS."""

import json
import logging
import os
import ssl
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from onecode_server.errors import NotServing
from onecode_server.identity.tls_files import TlsFiles
from onecode_server.model.identity import Identity
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.metrics_server import MetricsServer
from onecode_server.rpc.page_authorizer import PageAuthorizer
from onecode_server.system import memory_file

from tests.certificates import Authority

AUTHORITY = Authority()
SERVER = AUTHORITY.server()
FILES = TlsFiles("# privé\n".encode() + SERVER.chain_pem, SERVER.key_pem, AUTHORITY.pem, None, 1)


def is_usable(context: ssl.SSLContext | None) -> bool:
    """Return whether a handshake by which a caller checks the server's certificate comes to its end."""
    assert context is not None
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(received, sent, server_side=True)
    client = ssl.create_default_context(cadata=AUTHORITY.pem.decode()).wrap_bio(
        sent, received, server_hostname="localhost"
    )
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.version() == "TLSv1.3"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="the system has no files in memory")
def test_the_private_key_is_on_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_file, "NamedTemporaryFile", lambda: pytest.fail("a file was made"))
    before = os.listdir("/proc/self/fd")
    assert is_usable(PageAuthorizer(OnlyLocal(), lambda: FILES).tls())
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("lacks", ["memfd_create", "/proc"])
def test_where_no_file_can_be_in_memory_it_is_a_temporary_one_that_goes(
    monkeypatch: pytest.MonkeyPatch, lacks: str, tmp_path: Any
) -> None:
    def forbidden(*_: Any) -> int:
        raise PermissionError

    if lacks == "/proc":
        monkeypatch.setattr(memory_file, "_DESCRIPTORS", tmp_path / "nothing")
    else:
        monkeypatch.setattr(os, "memfd_create", forbidden, raising=False)
    monkeypatch.setattr(memory_file, "NamedTemporaryFile", partial(NamedTemporaryFile, dir=tmp_path))
    assert is_usable(PageAuthorizer(OnlyLocal(), lambda: FILES).tls())
    assert list(tmp_path.iterdir()) == []


class Unready:
    """Cannot tell who calls."""

    def identify(self, *_: Any, **__: Any) -> Identity:
        raise NotServing("no trust list is in force")


@pytest.fixture(params=[False, True])
def page(request: pytest.FixtureRequest) -> Iterator[tuple[bool, int]]:
    """A page without a trust list, which may tell anybody about health."""
    authorizer = PageAuthorizer(Unready(), answers_health=request.param)
    server = MetricsServer(lambda _: b"a 1\n", lambda: {"serving": False, "more": 1}, authorizer)
    yield request.param, server.start("127.0.0.1", 0)
    server.stop()


def test_without_a_trust_list_a_page_is_unavailable_and_that_is_no_error(
    page: tuple[bool, int], caplog: pytest.LogCaptureFixture
) -> None:
    answers_health, port = page
    for path in ("/healthz", "/readyz", "/metrics"):
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status == 503
        if answers_health and path != "/metrics":
            assert json.loads(body) == {{"/healthz": "serving", "/readyz": "ready"}[path]: False}
        else:
            assert body == b"no trust list is in force\n"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
