"""Real TLS handshakes with the files in force: the certificate that a listener sees is that of the caller."""

import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from onecode_server.identity.callers import Callers
from onecode_server.identity.tls_files import TlsSource
from onecode_server.model.identity import Identity, Role
from onecode_server.system.clock import wall_clock
from onecode_server.telemetry.metrics import Metrics

from tests.certificates import TRUST_DOMAIN, Authority, Leaf, spiffe_id

ROOT = Authority(now=datetime.now(UTC))
ISSUING = Authority("issuing", issuer=ROOT)


@pytest.fixture
def source(tmp_path: Path):
    chain, key = ISSUING.server(kind="rsa").write(tmp_path)
    ca = tmp_path / "ca.crt"
    ca.write_bytes(ROOT.pem)
    made = TlsSource(chain, key, ca, None, Metrics(), wall_clock)
    yield made
    made.close()


def seen_by_the_listener(source: TlsSource, client: Leaf, directory: Path) -> bytes | None:
    """Return the client's certificate in DER as the server's side of a TLS connection on loopback has it."""
    for name, content in (("chain", source.current.chain), ("key", source.current.key)):
        (directory / name).write_bytes(content)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(directory / "chain", directory / "key")
    assert source.current.client_ca is not None
    server_side.load_verify_locations(cadata=source.current.client_ca.decode())
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side = ssl.create_default_context(cadata=ROOT.pem.decode())
    client_side.load_cert_chain(*client.write(directory, "client"))
    seen: list[bytes | None] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, server_side.wrap_socket(connection, server_side=True) as secured:
                seen.append(secured.getpeercert(binary_form=True))
                secured.sendall(b"!")

        thread = threading.Thread(target=serve)
        thread.start()
        with (
            socket.create_connection(listening.getsockname()) as connection,
            client_side.wrap_socket(connection, server_hostname="localhost") as secured,
        ):
            assert secured.recv(1) == b"!"
        thread.join()
    return seen[0]


@pytest.mark.parametrize("kind", ["p256", "p384", "ed25519", "rsa"])
def test_a_caller_is_known_by_the_certificate_of_its_handshake(source, tmp_path, kind):
    client = ISSUING.issue(spiffe_id("region/420000/scanner"), kind=kind)
    callers = Callers(lambda: {"420000": 1}, TRUST_DOMAIN, "onecode", Metrics(), wall_clock, source)
    assert callers.identify(seen_by_the_listener(source, client, tmp_path), None) == Identity(Role.SCANNER, "420000")
