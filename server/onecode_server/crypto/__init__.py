"""Ed25519: checking signatures in batches behind one protocol, and making the few that the gateway makes.

``kernel/`` is C: tables of fixed keys, eight signatures at a time. ``native`` binds it and ``key_tables`` keeps its
tables; ``self_test`` and ``shadow`` hold it to PyNaCl's answers, at start and in service.

To add a backend: a module with a class that has what ``backend.SignatureBackend`` asks for, and a line in
``selection``. Nothing outside this folder knows which one runs.
"""

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.selection import BACKENDS, open_backend
from onecode_server.crypto.shadow import ShadowedBackend

__all__ = ["BACKENDS", "ShadowedBackend", "SignatureBackend", "open_backend"]
