"""The entry point of ``onecode-partner``: its status, and one line for what went wrong."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from onecode_client.errors import CredentialsUnusable, ServerError
from onecode_client.partner import commands
from onecode_client.partner.faults import Unusable, describe
from onecode_client.partner.options import Options, parse
from onecode_client.partner.publication import publish
from onecode_client.partner.session import Session

FAILED: Final = 1
"""The server failed or could not be reached, or a part of the answers is missing."""
UNUSABLE: Final = 2
"""The command line, a file or credentials cannot be used."""

_COMMANDS: Final[Mapping[str, Callable[[Session, Options], int]]] = {
    "verify": commands.verify,
    "scan": commands.scan,
    "translate": commands.translate,
    "publish": publish,
}


def program() -> int:
    """Run ``onecode-partner`` as a process of its own, and return its status.

    gRPC's core writes a line on descriptor 2 for each handshake that fails, and is told not to before it is imported
    only. So that one line says what went wrong, the descriptor is Python's alone here; with GRPC_VERBOSITY set it is
    left as it is.
    """
    if "GRPC_VERBOSITY" not in os.environ:
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program, and return its status."""
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        with Session(options) as session:
            return _COMMANDS[options.command](session, options)
    except (Unusable, CredentialsUnusable) as fault:
        return _fail(describe(fault), UNUSABLE)
    except ServerError as fault:
        return _fail(describe(fault), FAILED)
    except KeyboardInterrupt:
        return _fail("CANCELLED: interrupted", FAILED)
    except BrokenPipeError:
        # Whoever reads the answers has gone. What Python still has for them is not written at the end then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as fault:
        return _fail(f"cannot write the answers: {fault.strerror}", FAILED)


def _fail(line: str, status: int) -> int:
    sys.stderr.write(f"onecode-partner: {line}\n")
    return status
