"""What ends the program, on one line of standard error."""

from onecode_client.errors import ServerError


class Unusable(ValueError):
    """The command line, a file or credentials cannot be used: asking the server again would not mend it."""


def describe(fault: Exception) -> str:
    """Return one line: of a call that failed gRPC's code, the message, the server's reason, and when to ask again."""
    text = str(fault)
    if isinstance(fault, ServerError):
        if fault.reason:
            text += f" ({fault.reason})"
        if fault.retry_after_s is not None:
            text += f", retry in {_decimal(fault.retry_after_s)} s"
    return "".join(char if char.isprintable() else " " for char in text)


def _decimal(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".")
