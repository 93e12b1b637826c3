"""Where a log is: its brokers, the files for mutual TLS with them, and how its topics' names begin."""

from pathlib import Path
from typing import Final, NamedTuple

SCHEME: Final = "kafka://"
BROKERS_MAX: Final = 16
"""Brokers that are named. A client asks one of them for all others, so that a few are enough."""
PREFIX: Final = "onecode."
_PREFIX_LENGTH_MAX: Final = 64
"""Kafka's names of topics have at most 249 characters."""
_HOST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]")
_NAME: Final = _HOST - frozenset(":[]")
_LOOPBACK: Final = ("127.", "localhost:", "[::1]:")


class LogAddress(NamedTuple):
    """A log. ``brokers`` are HOST:PORT; ``ca``, ``cert`` and ``key`` are PEM files, or None for plaintext."""

    brokers: tuple[str, ...]
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    prefix: str = PREFIX

    @property
    def is_loopback(self) -> bool:
        """Whether all brokers that are named are on this machine."""
        return all(broker.startswith(_LOOPBACK) for broker in self.brokers)

    def __str__(self) -> str:
        return SCHEME + ",".join(self.brokers)


def read_address(text: str) -> LogAddress | None:
    """Return the log of ``kafka://HOST:PORT,HOST:PORT``, without files for TLS; None where there is none.

    Raises ValueError.
    """
    if not text:
        return None
    brokers = tuple(text.removeprefix(SCHEME).split(","))
    if not text.startswith(SCHEME) or not all(_is_broker(broker) for broker in brokers):
        raise ValueError(f"expected {SCHEME}HOST:PORT, with commas between several brokers")
    if len(brokers) > BROKERS_MAX:
        raise ValueError(f"expected at most {BROKERS_MAX} brokers: they tell clients of the others")
    return LogAddress(brokers)


def read_prefix(text: str) -> str:
    """Return what the topics' names begin with. Raises ValueError."""
    if not 0 < len(text) <= _PREFIX_LENGTH_MAX or not set(text) <= _NAME:
        raise ValueError(f"expected up to {_PREFIX_LENGTH_MAX} letters, digits, dots, dashes and underscores")
    return text


def _is_broker(text: str) -> bool:
    host, _, port = text.rpartition(":")
    is_port = port.isdecimal() and port.isascii() and len(port) <= 5 and 0 < int(port) <= 65_535
    return bool(host) and len(host) <= 255 and set(host) <= _HOST and is_port and (":" not in host or host[0] == "[")
