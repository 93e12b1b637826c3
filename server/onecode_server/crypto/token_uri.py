"""PKCS#11 URIs (RFC 7512), which name the keys of a token, the module that reaches it, and the file with its PIN.

pkcs11:token=onecode;object=gateway-jwt?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/run/secrets/pin
"""

import re
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from onecode_server.errors import Misconfigured

SCHEME: Final = "pkcs11:"
URI_CHARS_MAX: Final = 1000
"""A key file may hold a URI, and at most 1,024 bytes of it are read. The example above has 110 characters."""

_PATH: Final = ("token", "serial", "object", "id", "type")
_QUERY: Final = ("module-path", "pin-source")
# Section 2.3: unreserved characters, percent-encodings, and what each part may have besides. Both are read as one.
_VALUE: Final = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=/?|&]|%[0-9A-Fa-f]{2})*")
_TYPES: Final = ("private", "secret-key")


class TokenUri(NamedTuple):
    """A PKCS#11 URI. ``token``, ``serial`` and ``label`` are texts and ``key_id`` bytes; None where any will do.

    ``module`` is the path of the PKCS#11 library, ``pin_file`` that of the file with the user's PIN.
    """

    module: Path
    pin_file: Path
    token: str | None = None
    serial: bytes | None = None
    label: str | None = None
    key_id: bytes | None = None

    def __str__(self) -> str:
        """Return what names the token and its keys, for people: no path of a PIN is in it."""
        named = {"token": self.token, "serial": self.serial and self.serial.decode(errors="replace")}
        named |= {"object": self.label, "id": self.key_id and self.key_id.hex()}
        return SCHEME + ";".join(f"{name}={value}" for name, value in named.items() if value is not None)


def read_uri(text: str) -> TokenUri:
    """Return a PKCS#11 URI.

    Raises ValueError where it is none, has an attribute that is not read here (section 2.3 has it refused), does not
    say which token, module or PIN file is meant, or holds a PIN itself, which every process of the machine could read.
    """
    if not text.startswith(SCHEME) or len(text) > URI_CHARS_MAX:
        raise ValueError(f"expected {SCHEME} and at most {URI_CHARS_MAX:,} characters")
    path, _, query = text.removeprefix(SCHEME).partition("?")
    found = _attributes(path, ";", _PATH) | _attributes(query, "&", _QUERY)
    if "token" not in found and "serial" not in found:
        raise ValueError("token= or serial= is missing: it says which token is meant")
    if (kind := _text(found, "type")) is not None and kind not in _TYPES:
        raise ValueError(f"type is not one of {', '.join(_TYPES)}")
    return TokenUri(
        _file(found, "module-path"),
        _file(found, "pin-source"),
        _text(found, "token"),
        found.get("serial"),
        _text(found, "object"),
        found.get("id"),
    )


def expect_module(uri: TokenUri) -> None:
    """Raise Misconfigured where the module of a URI is not there."""
    if not uri.module.is_file():
        raise Misconfigured(f"{uri}: there is no PKCS#11 module {uri.module}")


def _attributes(part: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    attributes: dict[str, bytes] = {}
    for attribute in part.split(separator) if part else ():
        name, equals, value = attribute.partition("=")
        if name == "pin-value":
            raise ValueError("pin-value shows the PIN to every process: write it to a file, named by pin-source")
        if name not in known:
            raise ValueError(f"{name!a} is not one of {', '.join(known)}")
        if name in attributes:
            raise ValueError(f"{name} occurs twice")
        if not equals or not value or not _VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} is empty, or has characters that must be percent-encoded")
        attributes[name] = unquote_to_bytes(value)
    return attributes


def _text(found: dict[str, bytes], name: str) -> str | None:
    try:
        return found[name].decode() if name in found else None
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8") from None


def _file(found: dict[str, bytes], name: str) -> Path:
    # Section 2.4 has a pin-source be a URI, or what an implementation takes: here a path, or file: and a path.
    path = (_text(found, name) or "").removeprefix("file://").removeprefix("file:")
    if not path.startswith("/") or "\0" in path:
        raise ValueError(f"{name}= is missing, or no absolute path")
    return Path(path)
