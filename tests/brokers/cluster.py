"""The brokers of tests: with mutual TLS beside plaintext, and topics of each test's own."""

import itertools
from pathlib import Path

import pytest

from demo.brokers import cluster
from demo.brokers.cluster import STARTED_S
from demo.brokers.jars import BrokersMissing, class_path
from demo.brokers.node import NodeTls
from tests.certificates import Authority

__all__ = ["STARTED_S", "Brokers"]


class Brokers(cluster.Brokers):
    """Three nodes. ``ca``, ``client_cert`` and ``client_key`` are PEM files of a client, by ``authority``."""

    def __init__(self, path: Path) -> None:
        """Start the nodes and wait until they are ready and warm. Skips where Java or the jars are missing."""
        try:
            class_path()
        except BrokersMissing as missing:
            pytest.skip(str(missing))
        pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed (onecode[log])")
        self.authority = Authority("brokers' test root")
        files = path / "tls"
        files.mkdir(parents=True)
        self.ca, server = files / "ca.crt", files / "server.pem"
        self.ca.write_bytes(self.authority.pem)
        of_nodes = self.authority.server()
        server.write_bytes(of_nodes.key_pem + of_nodes.chain_pem)
        client = self.authority.issue("spiffe://onecode.internal/machine")
        self.client_cert, self.client_key = client.write(files, "client")
        self._prefixes = itertools.count(1)
        super().__init__(path, NodeTls(self.ca, server))

    def fresh_prefix(self) -> str:
        """Return a prefix of topics that no test had before."""
        return f"test{next(self._prefixes)}."
