"""A Python client of onecode: verifies and translates codes over gRPC. It does not need the server's package."""

from onecode_client.client import OnecodeClient, ServerError

__all__ = ["OnecodeClient", "ServerError"]
