"""A Python client of onecode: verifies and translates codes over gRPC. It does not need the server's package.

``AsyncOnecodeClient`` and ``OnecodeClient`` check codes, with asyncio or without; ``AsyncOperatorClient`` and
``OperatorClient`` publish status, file exceptions and get the trust list; ``OfflineTrustList`` is for verification
without a server.
"""

from onecode_client.aio import AsyncOnecodeClient
from onecode_client.aio_operating import AsyncOperatorClient
from onecode_client.client import OnecodeClient
from onecode_client.errors import CredentialsUnusable, PermissionDenied, ServerError, Unauthenticated
from onecode_client.operating import OperatorClient, status_record
from onecode_client.publishing import failures
from onecode_client.tls import Tls
from onecode_client.trust_list import OfflineKey, OfflineTrustList

__all__ = [
    "AsyncOnecodeClient",
    "AsyncOperatorClient",
    "CredentialsUnusable",
    "OfflineKey",
    "OfflineTrustList",
    "OnecodeClient",
    "OperatorClient",
    "PermissionDenied",
    "ServerError",
    "Tls",
    "Unauthenticated",
    "failures",
    "status_record",
]
