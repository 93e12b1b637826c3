"""The brokers of tests: with mutual TLS beside plaintext, and topics of each test's own."""

import itertools
import time
from pathlib import Path

import pytest

from demo.brokers import cluster
from demo.brokers.cluster import POLL_S, READY_S, STARTED_S
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

    def delete_topic(self, name: str) -> None:
        """Delete a topic, and wait until no node knows it any more: they hear of it one after the other."""
        from confluent_kafka.admin import AdminClient

        self.admin.delete_topics([name])[name].result(READY_S)
        for node in self.nodes:
            alone = AdminClient(self._settings(node.address))
            deadline_s = time.monotonic() + READY_S
            while name in alone.list_topics(timeout=READY_S).topics:
                self._expect_before(deadline_s)
                time.sleep(POLL_S)
