"""A Python client of onecode: verifies and translates codes over gRPC. It does not need the server's package.

``OnecodeClient`` is for whoever checks codes, ``OperatorClient`` for whoever publishes status, files exceptions or
takes the trust list, and ``OfflineTrustList`` for whoever verifies without a server.
"""

from onecode_client.client import OnecodeClient
from onecode_client.connection import ServerError
from onecode_client.operating import OperatorClient, status_record
from onecode_client.trust_list import OfflineKey, OfflineTrustList

__all__ = ["OfflineKey", "OfflineTrustList", "OnecodeClient", "OperatorClient", "ServerError", "status_record"]
