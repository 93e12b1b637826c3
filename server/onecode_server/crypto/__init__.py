"""Ed25519: checking signatures in batches behind one protocol, and making the few that the gateway makes.

To add a backend: a module with a class that has ``name`` and ``verify_batch``, and a line in ``selection``. Nothing
outside this folder knows which one runs.
"""

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.selection import BACKENDS, open_backend

__all__ = ["BACKENDS", "SignatureBackend", "open_backend"]
