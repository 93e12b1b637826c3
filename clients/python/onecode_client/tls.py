"""What a client shows to a server, and whom it believes: files of certificates, and of a token."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

from onecode_client.errors import CredentialsUnusable

CA_BYTES_MAX: Final = 1024 * 1024
"""Four times the list of all public authorities."""
PEM_BYTES_MAX: Final = 64 * 1024
"""A chain of ten certificates, or a key of any kind."""
TOKEN_BYTES_MAX: Final = 8 * 1024
"""As much as gRPC allows by default for the metadata of a call."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The PEM files of TLS, which may be replaced while a client uses them.

    ``ca`` has the authorities that vouch for the server; without it, gRPC's list of public ones counts. ``cert`` (with
    its chain) and ``key`` are the client's own, for a server that wants to know its callers: give both or neither. The
    key is ECDSA or RSA: gRPC's TLS offers no Ed25519. Raises ValueError where one of the two is missing.

    ``server_name`` is the name that the server's certificate must have, where it is not that of the address: for a
    server that is called by an address of its own machine, or through a tunnel.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise CredentialsUnusable("a client's certificate and its key go together: one of them is missing")
        if self.server_name == "":
            raise CredentialsUnusable("the name of the server is empty")


class TlsFiles(NamedTuple):
    """The contents of the files of TLS, in PEM; None for a file that is not given."""

    ca: bytes | None
    cert: bytes | None
    key: bytes | None


def read_tls(tls: Tls) -> TlsFiles:
    """Return the contents of the files. Raises CredentialsUnusable where they cannot be used together.

    Python's ``ssl`` checks them, and opens the files by their names: they are read before and after, so that what was
    checked is what is returned.
    """
    found = tls_contents(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if found.ca is not None:
        try:
            context.load_verify_locations(cadata=found.ca.decode("ascii"))
        except (ssl.SSLError, ValueError):  # a UnicodeDecodeError is a ValueError
            raise CredentialsUnusable(f"{tls.ca} has no certificates in PEM") from None
    if tls.cert is not None and tls.key is not None:
        _expect_pair(context, tls.cert, tls.key)
    if tls_contents(tls) != found:
        raise CredentialsUnusable("the files of TLS were replaced while they were read")
    return found


def tls_contents(tls: Tls) -> TlsFiles:
    """Return what the files hold at the moment, unchecked. Raises CredentialsUnusable where one cannot be read."""
    return TlsFiles(
        _content(tls.ca, CA_BYTES_MAX) if tls.ca else None,
        _content(tls.cert, PEM_BYTES_MAX) if tls.cert else None,
        _content(tls.key, PEM_BYTES_MAX) if tls.key else None,
    )


def read_token(path: Path) -> str:
    """Return the token in a file (RFC 6750, section 2.1: ``b64token``), which may end with a newline.

    Raises CredentialsUnusable; the message says nothing of the content.
    """
    token = _content(path, TOKEN_BYTES_MAX).strip()
    if not token:
        raise CredentialsUnusable(f"the token file {path} is empty")
    if not all(char in _TOKEN_CHARS for char in token):
        raise CredentialsUnusable(f"the token file {path} does not hold one token: it has other characters")
    return token.decode("ascii")


_TOKEN_CHARS: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")


def _content(path: Path, bytes_max: int) -> bytes:
    try:
        if not S_ISREG(path.stat().st_mode):  # a pipe would hold the caller up, and has its content once
            raise CredentialsUnusable(f"{path} is no regular file")
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as fault:
        raise CredentialsUnusable(f"cannot read {path}: {fault.strerror}") from None
    if len(content) > bytes_max:
        raise CredentialsUnusable(f"{path} is larger than {bytes_max:,} bytes")
    return content


def _expect_pair(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        # An encrypted key would have a password asked for on the terminal: it gets an empty one.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except ssl.SSLError as fault:
        if fault.reason == "KEY_VALUES_MISMATCH":
            raise CredentialsUnusable(f"the key {key} does not belong to the certificate {cert}") from None
        raise CredentialsUnusable(f"{cert} and {key} are no certificate and its key, in PEM, unencrypted") from None
    except OSError as fault:
        raise CredentialsUnusable(f"cannot read {fault.filename or cert}: {fault.strerror}") from None
