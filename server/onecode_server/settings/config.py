"""The server's settings: one frozen dataclass, validated once, before anything starts.

Each setting is a flag of ``onecode serve``, an environment variable (``ONECODE_`` and its name in capitals) and a key
of the settings file with its name. A flag takes precedence over a variable, and a variable over the file.
"""

import ipaddress
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, get_type_hints

from onecode_server.crypto import BACKENDS, token_uri
from onecode_server.errors import Misconfigured
from onecode_server.settings import cores
from onecode_server.settings.sources import Sources

FRONTS: Final = ("auto", "native", "grpc")
"""What answers callers: the native front, or grpc.aio. ``auto`` is the native front where it was built and works."""
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
WORKERS_MAX: Final = 64
"""Two of the store's 512 reader slots each; the rest is for commands and for another server on the same data
directory."""
_DIGITS_MAX: Final = 20
"""More digits than any bound below has, and far fewer than the thousands at which int() raises an error of its own."""


class Address(NamedTuple):
    """An address to listen on. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _one_for_each_core() -> int:
    return min(cores.usable(), WORKERS_MAX) if sys.platform == "linux" else 1


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. The defaults suit one server on its own machine."""

    data_dir: Path
    # Loopback only, until callers have identities: nobody else may publish or translate.
    listen: Address = Address("127.0.0.1", 50051)
    metrics: Address = Address("127.0.0.1", 9464)
    # A directory of key files, keys/ of the data directory where this is empty; or a PKCS#11 URI.
    gateway_keys: str | Path = ""
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
    # Equal to verification.batcher.CODES_MAX and status.cache.ENTRIES_MAX, which give the reasons. A supervisor reads
    # settings, and does not import those.
    queue_codes_max: int = 16_384
    cache_entries_max: int = 100_000
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
        values: dict[str, Any] = {}
        mistakes = sources.unknown(_READERS) if sources.fault is None else [sources.fault]
        for name, kind in get_type_hints(cls).items():
            if (given := sources.find(name)) is None:
                continue
            try:
                values[name] = _READERS[name](given.text(kind))
            except ValueError as fault:
                mistakes.append(f"{given.where}: {fault}")
        # An unreadable file may set it: then it is not reported as missing.
        if sources.find("data_dir") is None and sources.fault is None:
            mistakes.append("--data-dir is missing")
        if mistakes:
            raise Misconfigured(*mistakes)
        return cls(**values)


def read_address(text: str) -> Address:
    """Return ``HOST:PORT``. Raises ValueError where the text is no address, or not one of this machine alone."""
    host, colon, port_text = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port_text.isdecimal() or len(port_text) > 5 or int(port_text) > 65_535:
        raise ValueError("expected HOST:PORT")
    if not _is_loopback(host):
        raise ValueError("only loopback addresses can be served: callers have no identities yet")
    return Address(host, int(port_text))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return value

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > _DIGITS_MAX or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low:,} to {high:,}")
        return int(text)

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return read


def _switch(text: str) -> bool:
    return _one_of("true", "false")(text.lower()) == "true"


def _workers(text: str) -> int:
    count = _whole(1, WORKERS_MAX)(text)
    if count > 1 and sys.platform != "linux":
        raise ValueError("more than one needs Linux, which spreads connections over the workers")
    return count


def read_key_source(text: str) -> str | Path:
    """Return a directory or a PKCS#11 URI; "" for none. Raises ValueError."""
    if text.startswith(token_uri.SCHEME):
        token_uri.read_uri(text)
        return text
    return _directory(text) if text else ""


def _directory(text: str) -> Path:
    if not text or not Path(text).is_dir():
        raise ValueError("no such directory")
    return Path(text)


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "data_dir": _directory,
    "listen": read_address,
    "metrics": read_address,
    "gateway_keys": read_key_source,
    "workers": _workers,
    "front": _one_of(*FRONTS),
    "signature_backend": _one_of(*BACKENDS),
    "shadow_one_in": _whole(1, 1_000_000_000),
    "skew_s": _number(0, 3600),
    "trust_list_grace_s": _number(0, 31 * 86_400),
    "trust_list_unread_max_s": _number(0, 31 * 86_400),
    "drain_s": _number(0, 300),
    "queue_codes_max": _whole(4096, 1_000_000),
    "cache_entries_max": _whole(1, 10_000_000),
    "reflection": _switch,
    "log_level": _one_of(*LOG_LEVELS),
}
