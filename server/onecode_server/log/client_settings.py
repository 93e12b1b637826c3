"""The settings that every client of the log has: brokers, TLS, and how soon it gives a broker up.

Names are those of librdkafka's CONFIGURATION.md.
"""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar

from onecode_server.errors import Misconfigured
from onecode_server.log.address import LogAddress
from onecode_server.log.tls_files import expect_files

if TYPE_CHECKING:
    from confluent_kafka import KafkaError

REQUEST_MS: Final = 2000
"""The time for an answer. A broker that is stopped keeps its connections open, so that only this finds it out; its
cluster has another leader after as long (``broker.session.timeout.ms``)."""
MESSAGE_BYTES_MAX: Final = 1_000_000
"""The size of a message: a trust list of some 3,000 keys with its signatures. Chunks of records have 64 KiB."""
TOPIC_BYTES_MAX: Final = 1024 * 1024
"""What topics take at once (``max.message.bytes``): the largest message with what the protocol adds to it."""
_BATCH_BYTES_MAX: Final = 512 * 1024
"""The size from which messages for a partition go into a request of their own: eight chunks."""
_RECONNECT_MS_MAX: Final = 1000
"""The longest wait before a connection is tried again: a broker that is back is used within a second."""

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


def client_settings(address: LogAddress, client: str) -> dict[str, Any]:
    """Return the settings of a client named ``client``, for producers, consumers and administration alike.

    Raises Misconfigured where confluent-kafka is not installed, or a file for TLS cannot be read.
    """
    expect_library()
    expect_files(address)
    settings: dict[str, Any] = {
        "bootstrap.servers": ",".join(address.brokers),
        "client.id": client,
        "logger": _log,
        "log.connection.close": False,
        "socket.timeout.ms": REQUEST_MS,
        "socket.connection.setup.timeout.ms": REQUEST_MS,
        "socket.keepalive.enable": True,
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": _RECONNECT_MS_MAX,
        "retry.backoff.ms": 50,
        "retry.backoff.max.ms": 500,
        "topic.metadata.refresh.interval.ms": 10_000,  # a new leader is also looked for as soon as one fails
        "enable.metrics.push": False,
    }
    if address.ca is not None:
        settings |= {
            "security.protocol": "ssl",
            "ssl.ca.location": str(address.ca),
            "ssl.certificate.location": str(address.cert),
            "ssl.key.location": str(address.key),
            "ssl.endpoint.identification.algorithm": "https",
        }
    return settings


def producer_settings(address: LogAddress, client: str) -> dict[str, Any]:
    """Return the settings of a producer whose messages count once enough replicas have them (min.insync.replicas)."""
    return client_settings(address, client) | {
        "acks": "all",
        "compression.type": "none",  # records of a chunk are packed, and pseudonyms do not compress
        "request.timeout.ms": REQUEST_MS,
        "batch.size": _BATCH_BYTES_MAX,
        "message.max.bytes": TOPIC_BYTES_MAX,
        "linger.ms": 0,  # messages are chunks already
        "allow.auto.create.topics": False,
    }


def made(kind: Callable[[dict[str, Any]], _T], settings: dict[str, Any]) -> _T:
    """Return a client of a kind (``confluent_kafka.Producer`` and others); it connects later.

    Raises Misconfigured where a file for TLS cannot be used.
    """
    from confluent_kafka import KafkaException  # noqa: PLC0415

    try:
        return kind(settings)
    except KafkaException as fault:
        raise Misconfigured(f"--log: {fault.args[0].str()}".replace("\n", " ")) from None


def expect_library() -> None:
    """Raise Misconfigured where confluent-kafka is not installed."""
    if find_spec("confluent_kafka") is None:
        raise Misconfigured("--log needs confluent-kafka: install onecode[log]")


def reason(error: "KafkaError") -> str:
    """Return one line for an error of the library: its name, and what it says of itself."""
    return f"{error.name()}: {error.str()}".replace("\n", " ")
