"""A command's connection to a server; the server's refusals become failures of the command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from onecode_client import CredentialsUnusable, OnecodeClient, OperatorClient, ServerError
from onecode_server.cli.target import Target
from onecode_server.errors import Misconfigured, OnecodeError

_Client = TypeVar("_Client", OnecodeClient, OperatorClient)


@contextmanager
def connected(kind: type[_Client], target: Target) -> Iterator[_Client]:
    """Yield a client of a kind, and close it.

    Raises Misconfigured for files that cannot be used and a call that the server refuses as invalid, else OnecodeError.
    """
    try:
        client = kind(target.server, tls=target.tls, token_file=target.token_file)
    except CredentialsUnusable as fault:
        raise Misconfigured(str(fault)) from None
    try:
        with client:
            yield client
    except ServerError as failure:
        refused = Misconfigured if failure.code == "INVALID_ARGUMENT" else OnecodeError
        raise refused(str(failure)) from None
