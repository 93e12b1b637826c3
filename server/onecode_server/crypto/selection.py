"""Selects the signature backend, once, at start."""

import logging
from importlib.util import find_spec
from typing import Final

from onecode_server.crypto import self_test
from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.errors import Misconfigured

BACKENDS: Final = ("auto", "native", "libsodium")

_log = logging.getLogger(__name__)


def open_backend(name: str = "auto") -> SignatureBackend:
    """Return the backend of that name; ``auto`` is the fastest that this build has and that passes its self-test.

    Raises Misconfigured for an unknown name, and for ``native`` where this build does not have it or it fails its test.
    """
    if name not in BACKENDS:
        raise Misconfigured(f"signature backend {name!r} is not one of {', '.join(BACKENDS)}")
    if name == "libsodium":
        return LibsodiumBackend()
    if find_spec("onecode_server.crypto._kernel") is None:
        if name == "native":
            raise Misconfigured("signature backend 'native' needs a C compiler when onecode is installed")
        return LibsodiumBackend()
    try:
        return _native()
    except (ImportError, OSError, ValueError) as fault:
        why = f"the native backend does not run: {fault}"
    if name == "native":
        raise Misconfigured(why)
    _log.critical("%s; PyNaCl checks signatures instead", why)
    return LibsodiumBackend(why)


def _native() -> SignatureBackend:
    """Return the native backend. Raises ImportError, OSError, ValueError where it is missing or fails its self-test."""
    from onecode_server.crypto.native import NativeBackend  # noqa: PLC0415 - it may not have been built

    backend = NativeBackend()
    if failure := self_test.failure(backend):
        raise ValueError(f"its self-test failed: {failure}")
    return backend
