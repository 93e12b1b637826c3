"""The files of TLS, as listeners see them."""

from collections.abc import Callable
from typing import Protocol


class Files(Protocol):
    """The files of TLS in force, in PEM. ``generation`` is another number for other files."""

    @property
    def chain(self) -> bytes:
        """The server's certificate and its chain."""
        ...

    @property
    def key(self) -> bytes:
        """Its private key."""
        ...

    @property
    def client_ca(self) -> bytes | None:
        """The authorities of callers' certificates, if callers show any."""
        ...

    @property
    def crl(self) -> bytes | None:
        """The revocation lists of these authorities."""
        ...

    @property
    def generation(self) -> int:
        """The number of these files."""
        ...


FilesOf = Callable[[], Files]
"""Returns the files in force. It may be called from any thread."""
