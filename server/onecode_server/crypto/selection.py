"""Which signature backend runs: chosen once, at start."""

from typing import Final

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.errors import Misconfigured

BACKENDS: Final = ("auto", "native", "libsodium")


def open_backend(name: str = "auto") -> SignatureBackend:
    """Return the backend of that name; ``auto`` is the fastest that this build has.

    Raises Misconfigured for a name that is not known, or a backend that this build does not have.
    """
    if name not in BACKENDS:
        raise Misconfigured(f"signature backend {name!r} is not one of {', '.join(BACKENDS)}")
    if name == "native":
        raise Misconfigured("signature backend 'native' is not part of this build; 'auto' takes the fastest there is")
    return LibsodiumBackend()
