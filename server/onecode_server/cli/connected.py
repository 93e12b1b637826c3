"""A command's connection to a server; the server's refusals become failures of the command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from onecode_client import OnecodeClient, OperatorClient, ServerError
from onecode_server.errors import Misconfigured, OnecodeError

_Client = TypeVar("_Client", OnecodeClient, OperatorClient)


@contextmanager
def connected(client: _Client) -> Iterator[_Client]:
    """Yield a client, and close it. Raises Misconfigured for a call that the server refuses as invalid, else
    OnecodeError."""
    try:
        with client:
            yield client
    except ServerError as failure:
        kind = Misconfigured if failure.code == "INVALID_ARGUMENT" else OnecodeError
        raise kind(str(failure)) from None
