"""Ed25519: checks signatures in batches behind one protocol, and makes the few signatures of the gateway.

``kernel/`` is C: tables of fixed keys, eight signatures at a time. ``native`` binds it and ``key_tables`` keeps its
tables; ``self_test`` and ``shadow`` compare it with PyNaCl's answers, at start and in service.

To add a backend, write a module with a class that has the members of ``backend.SignatureBackend``, and a line in
``selection``. No code outside this package depends on which backend runs.
"""

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.selection import BACKENDS, open_backend
from onecode_server.crypto.shadow import ShadowedBackend

__all__ = ["BACKENDS", "ShadowedBackend", "SignatureBackend", "open_backend"]
