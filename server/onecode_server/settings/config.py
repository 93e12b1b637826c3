"""The server's settings: one frozen dataclass, validated once, before anything starts.

Each setting is a flag of ``onecode serve``, an environment variable (``ONECODE_`` and its name in capitals) and a key
of the settings file with its name. A flag takes precedence over a variable, and a variable over the file.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, get_type_hints

from onecode_server.crypto import BACKENDS, token_uri
from onecode_server.errors import Misconfigured
from onecode_server.log import address as log_address
from onecode_server.log.address import LogAddress
from onecode_server.settings import cores, limits, values
from onecode_server.settings.disagreements import disagreements
from onecode_server.settings.limits import Limits
from onecode_server.settings.sources import Sources
from onecode_server.settings.values import Address

FRONTS: Final = ("auto", "native", "grpc")
"""What answers callers: the native front, or grpc.aio. ``auto`` is the native front where it was built and works."""
LOOPBACK_ROLES: Final = ("auto", "none", "check", "ops", "all")
"""What callers of this machine may do without an identity: nothing, check and translate, what operations may, all."""
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
WORKERS_MAX: Final = 64
"""Two of the store's 512 reader slots each; the rest is for commands and for another server on the same data
directory."""
_LISTEN: Final = Address("127.0.0.1", 50051)
_METRICS: Final = Address("127.0.0.1", 9464)


def _one_for_each_core() -> int:
    return min(cores.usable(), WORKERS_MAX) if sys.platform == "linux" else 1


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. The defaults suit one server on its own machine."""

    data_dir: Path
    listen: Address = _LISTEN
    metrics: Address = _METRICS
    # Certificate, key, authorities of callers, revocations: PEM files that are watched.
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    tls_crl: Path | None = None
    metrics_tls: bool = False
    # Of the SPIFFE ids of callers. The top-level domain is reserved for names that nobody else resolves (ICANN, 2024).
    trust_domain: str = "onecode.internal"
    # A JWK set with the keys of bearer tokens, and the audience that they must name.
    token_keys: Path | None = None
    token_audience: str = "onecode"  # noqa: S105 - no token
    # What callers without an identity may do who call from this machine. A proxy here makes everybody one of them:
    # auto is all only while nothing but this machine reaches the server.
    loopback_role: str = "auto"
    insecure_plaintext: bool = False
    # Orchestrators ask for health before they have anything to show.
    health_without_identity: bool = False
    # Of each caller, by its role.
    limits: Limits = Limits()  # noqa: RUF009 - it does not change
    # A directory of key files, keys/ of the data directory where this is empty; or a PKCS#11 URI.
    gateway_keys: str | Path = ""
    # The log that several machines share. Without one this machine's store is all there is.
    log: LogAddress | None = None
    # PEM files for mutual TLS with its brokers: their authority, this machine's certificate and key.
    log_ca: Path | None = None
    log_cert: Path | None = None
    log_key: Path | None = None
    # Of the topics' names: two deployments may share brokers.
    log_topic_prefix: str = log_address.PREFIX
    # A worker uses one core, since Python runs one thread at a time.
    workers: int = field(default_factory=_one_for_each_core)
    front: str = "auto"
    signature_backend: str = "auto"
    # One signature in so many is also checked by PyNaCl: at 100,000 a second one wrong processor in a country shows
    # within seconds, and it costs a thousandth of checking all with PyNaCl.
    shadow_one_in: int = 10_000
    # A scanner that synchronises its clock once a day stays within a minute.
    skew_s: float = 60.0
    # A day to mend a publication that failed on a holiday, before gates stop admitting.
    trust_list_grace_s: float = 86_400.0
    # Sixty attempts: a file that is replaced by hand, or a file server that restarts, is back by then. A key that was
    # revoked meanwhile is accepted for at most this long.
    trust_list_unread_max_s: float = 30.0
    # Longer than the slowest batch, shorter than the 30 s after which orchestrators kill.
    drain_s: float = 10.0
    # Equal to rpc.listener.CONNECTION_AGE_S, which gives the reason.
    connection_age_s: float = 3600.0
    # Equal to verification.batcher.CODES_MAX and status.cache.ENTRIES_MAX, which give the reasons. A supervisor reads
    # settings, and does not import those.
    queue_codes_max: int = 16_384
    cache_entries_max: int = 100_000
    # A collector of OpenTelemetry. Calls are traced where there is one: a single check then costs twice the CPU.
    otel_endpoint: str | None = None
    # Tells anyone which calls exist: useful on a developer's machine, not needed elsewhere.
    reflection: bool = False
    log_level: str = "info"

    @classmethod
    def read(
        cls,
        flags: Mapping[str, str | None],
        environment: Mapping[str, str] | None = None,
        file: Path | None = None,
    ) -> "Settings":
        """Return the settings from all sources, by their precedence.

        ``flags`` are names to text, None for not given; ``environment`` is a process's; ``file`` is TOML.

        Raises Misconfigured with one line for each mistake, which begins with its source.
        """
        sources = Sources(flags, environment or {}, file)
        read: dict[str, Any] = {}
        mistakes = sources.unknown(_READERS) if sources.fault is None else [sources.fault]
        for name, kind in get_type_hints(cls).items():
            if (given := sources.find(name)) is None:
                continue
            try:
                read[name] = _READERS[name](given.text(kind))
            except ValueError as fault:
                mistakes.append(f"{given.where}: {fault}")
        # An unreadable file may set it: then it is not reported as missing.
        if sources.find("data_dir") is None and sources.fault is None:
            mistakes.append("--data-dir is missing")
        if mistakes:
            raise Misconfigured(*mistakes)
        if "workers" not in read and "listen" in read and read["listen"].is_unix:
            read["workers"] = 1
        settings = cls(**read)
        if mistakes := [*disagreements(settings)]:
            raise Misconfigured(*mistakes)
        return settings

    @property
    def serves_tls(self) -> bool:
        """Whether callers speak TLS on the address for gRPC."""
        return self.tls_cert is not None

    @property
    def is_supervised(self) -> bool:
        """Whether a supervisor holds the port for its workers: for several, or where a log is applied beside them."""
        return self.workers > 1 or self.log is not None

    @property
    def shared_log(self) -> LogAddress | None:
        """The log with its files for TLS and its prefix, None where there is none."""
        if self.log is None:
            return None
        return LogAddress(self.log.brokers, self.log_ca, self.log_cert, self.log_key, self.log_topic_prefix)

    @property
    def is_private(self) -> bool:
        """Whether this machine alone reaches the server, so that callers need no identity."""
        reaches_others = self.serves_tls or self.insecure_plaintext
        return self.listen.is_loopback and self.metrics.is_loopback and not reaches_others


def _workers(text: str) -> int:
    count = values.whole(1, WORKERS_MAX)(text)
    if count > 1 and sys.platform != "linux":
        raise ValueError("more than one needs Linux, which spreads connections over the workers")
    return count


def read_key_source(text: str) -> str | Path:
    """Return a directory or a PKCS#11 URI; "" for none. Raises ValueError."""
    if text.startswith(token_uri.SCHEME):
        token_uri.read_uri(text)
        return text
    return values.directory(text) if text else ""


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "data_dir": values.directory,
    "listen": values.listening_address,
    "metrics": values.address,
    "gateway_keys": read_key_source,
    "log": log_address.read_address,
    "log_ca": values.file,
    "log_cert": values.file,
    "log_key": values.file,
    "log_topic_prefix": log_address.read_prefix,
    "tls_cert": values.file,
    "tls_key": values.file,
    "tls_client_ca": values.file,
    "tls_crl": values.file,
    "metrics_tls": values.switch,
    "trust_domain": values.trust_domain,
    "token_keys": values.file,
    "token_audience": values.word,
    "loopback_role": values.one_of(*LOOPBACK_ROLES),
    "insecure_plaintext": values.switch,
    "health_without_identity": values.switch,
    "limits": limits.read,
    "workers": _workers,
    "front": values.one_of(*FRONTS),
    "signature_backend": values.one_of(*BACKENDS),
    "shadow_one_in": values.whole(1, 1_000_000_000),
    "skew_s": values.number(0, 3600),
    "trust_list_grace_s": values.number(0, 31 * 86_400),
    "trust_list_unread_max_s": values.number(0, 31 * 86_400),
    "drain_s": values.number(0, 300),
    "connection_age_s": values.number(1, 7 * 86_400),
    "queue_codes_max": values.whole(4096, 1_000_000),
    "cache_entries_max": values.whole(1, 10_000_000),
    "otel_endpoint": values.http_url,
    "reflection": values.switch,
    "log_level": values.one_of(*LOG_LEVELS),
}
