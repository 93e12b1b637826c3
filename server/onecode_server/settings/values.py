"""The values of settings: each function reads a kind of them from text, and raises ValueError with what it expected."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

UNIX: Final = "unix:"
_PATH_BYTES_MAX: Final = 103
"""The shortest bound on the path of a Unix socket, of macOS; Linux has 107 (unix(7))."""
_DIGITS_MAX: Final = 20
"""More digits than any bound has, and far fewer than the thousands at which int() raises an error of its own."""


class Address(NamedTuple):
    """An address to listen on. Port 0 lets the system choose. The host of a Unix socket is ``unix:`` and its path."""

    host: str
    port: int

    @property
    def is_unix(self) -> bool:
        """Whether it is a Unix socket."""
        return self.host.startswith(UNIX)

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone reaches it."""
        if self.is_unix:
            return True
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.is_unix:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """Return ``HOST:PORT``, where the host is an IP address or ``localhost``: names may change what they stand for."""
    host, colon, port_text = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port_text.isdecimal() or len(port_text) > 5 or int(port_text) > 65_535:
        raise ValueError("expected HOST:PORT")
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("expected an IP address or localhost before the port") from None
    return Address(host, int(port_text))


def listening_address(text: str) -> Address:
    """Return ``HOST:PORT`` as ``address`` does, or ``unix:`` and the absolute path of a socket."""
    if not text.startswith(UNIX):
        return address(text)
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/") or "\0" in path or len(path.encode()) > _PATH_BYTES_MAX:
        raise ValueError(f"expected an absolute path of at most {_PATH_BYTES_MAX} bytes behind unix:")
    return Address(text, 0)


def number(low: float, high: float) -> Callable[[str], float]:
    """Return the reader of numbers from ``low`` to ``high``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return value

    return read


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return the reader of whole numbers from ``low`` to ``high``."""

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > _DIGITS_MAX or not low <= int(text) <= high:
            raise ValueError(f"expected a whole number from {low:,} to {high:,}")
        return int(text)

    return read


def one_of(*choices: str) -> Callable[[str], str]:
    """Return the reader of one of several words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text

    return read


def switch(text: str) -> bool:
    """Return true or false."""
    return one_of("true", "false")(text.lower()) == "true"


def directory(text: str) -> Path:
    """Return the path of a directory that is there."""
    if not text or not Path(text).is_dir():
        raise ValueError("no such directory")
    return Path(text)


def file(text: str) -> Path | None:
    """Return a path, None where there is none. The file may come later: whoever reads it says what is wrong with it."""
    return Path(text) if text else None


def http_url(text: str) -> str | None:
    """Return a URL of a host, with a port and a path or without, None where there is none."""
    if not text:
        return None
    wrong = ValueError("expected http://HOST:PORT or https://HOST:PORT")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise wrong
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it raises ValueError
    except ValueError:
        raise wrong from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise wrong
    return text


def word(text: str) -> str:
    """Return a text without spaces, of at most 255 characters."""
    if not 0 < len(text) <= 255 or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected up to 255 ASCII characters without spaces")
    return text


def trust_domain(text: str) -> str:
    """Return the name of a trust domain (SPIFFE-ID, section 2.1)."""
    if not 0 < len(text) <= 255 or not all(c in "abcdefghijklmnopqrstuvwxyz0123456789.-_" for c in text):
        raise ValueError("expected lower-case letters, digits, dots, dashes and underscores")
    return text
