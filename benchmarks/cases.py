"""What is measured of whom: the canonical workload."""

from typing import Final

from benchmarks.load import Case

_ALL: Final = ("onecode", "grpc.aio", "first try", "go", "rust", "echo")
CERTIFICATE: Final = "certificate"
TOKEN: Final = "token"
SECURED: Final = (CERTIFICATE, TOKEN, f"grpc.aio, {CERTIFICATE}", f"grpc.aio, {TOKEN}")
"""onecode over TLS, for callers with a certificate or a token: by the front that ``onecode`` has, and by grpc.aio."""
_PYTHON: Final = ("onecode", "first try")
"""The peers in other languages read national codes only."""
_BUILT: Final = ("onecode", "go", "rust")
"""Servers of which one worker can answer some ten thousand single calls a second."""

BATCH: Final = Case("BatchVerify, national", "national", "BatchVerify", 1000, 2, 2, (*_ALL, *SECURED))
JWT: Final = Case("BatchVerify, JWT", "jwt", "BatchVerify", 1000, 2, 2, _PYTHON)
PASETO: Final = Case("BatchVerify, PASETO", "paseto", "BatchVerify", 1000, 2, 2, _PYTHON)
MIX: Final = Case("BatchVerify, mix", "mix", "BatchVerify", 1000, 2, 2, _PYTHON)
UNARY: Final = Case("Verify, 32 in flight", "national", "Verify", 1, 32, 4, (*_ALL, *SECURED))
MANY: Final = Case("Verify, 256 in flight", "national", "Verify", 1, 256, 32, _BUILT)
LONE: Final = Case("Verify, 1 in flight", "national", "Verify", 1, 1, 1, _BUILT)
STREAM: Final = Case("StreamVerify", "national", "StreamVerify", 1, 512, 2, ("onecode", "grpc.aio", "echo"))
"""As far ahead on each of two streams as the server checks at once."""
WORKERS: Final = Case("Verify, 64 in flight", "national", "Verify", 1, 64, 32, ("onecode", "two workers"))
"""Two calls in flight on each connection: enough of them for the system to deal out evenly among the workers."""

CASES: Final = (BATCH, JWT, PASETO, MIX, UNARY, MANY, LONE, STREAM, WORKERS)
