"""The outcomes of commands: what only applying can tell, kept for the machine that waits for it.

An outcome is also a machine's memory of the command's identifier: a second message with it is ignored.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from onecode_server.errors import (
    AlreadyExists,
    InvalidRequest,
    LogUnavailable,
    NotFound,
    NotPermitted,
    NotServing,
    OnecodeError,
    PreconditionFailed,
    StoredDamaged,
    TrustListRefused,
)
from onecode_server.rules.publication import Outcome, Rejection, Replay
from onecode_server.stores import layout
from onecode_server.stores.protocol import ExceptionAnswer

_TAKEN: Final = 0
_KNOWN: Final = 255
_REJECTIONS: Final[dict[Outcome, int]] = {
    Rejection.UNKNOWN_PUBLISHER: 1,
    Rejection.INVALID_SUBJECT: 2,
    Rejection.INVALID_LEVEL: 3,
    Rejection.INVALID_SCOPE: 4,
    Rejection.INVALID_TIME: 5,
    Rejection.INVALID_REVISION: 6,
    Rejection.NOT_THE_HOME: 7,
    Rejection.NOT_AN_ADOPTER: 8,
    Rejection.TOO_MANY_PENDING: 9,
    Rejection.REVISION_CONFLICT: 10,
    Rejection.SUPERSEDED: 11,
    Rejection.NOT_PERMITTED: 12,
}
"""The numbers of rejections are those of the API."""
_NUMBERS: Final[dict[Outcome, int]] = {None: _TAKEN, Replay.KNOWN: _KNOWN, **_REJECTIONS}
_OUTCOMES: Final = {number: outcome for outcome, number in _NUMBERS.items()}

# The first byte of an outcome. Records come first in number, so their outcome is a byte each.
_RECORDS, _ANSWER, _NUMBER, _DONE, _REFUSED = b"r", b"a", b"n", b"d", b"x"

_WITH_REASON: Final = (InvalidRequest, AlreadyExists, PreconditionFailed, NotFound)
_PLAIN: Final = (NotPermitted, NotServing, LogUnavailable, TrustListRefused)
_ERRORS: Final[dict[str, Callable[..., OnecodeError]]] = {error.__name__: error for error in (*_WITH_REASON, *_PLAIN)}
REFUSALS: Final = (*_WITH_REASON, *_PLAIN)
"""The errors that applying a command may raise: they are its outcome. Any other is a bug, and stops the machine."""


def of_records(outcomes: Sequence[Outcome]) -> bytes:
    """Return the outcome of a chunk: a byte for each record, in order."""
    return _RECORDS + bytes(map(_NUMBERS.__getitem__, outcomes))


def of_answer(answer: ExceptionAnswer) -> bytes:
    """Return the outcome of a step: the report after it, and the time of the step."""
    return _ANSWER + layout.number(answer.time) + layout.pack_exception(answer.report)


def of_number(value: int) -> bytes:
    """Return an outcome that is a number: the former revision of a Reset."""
    return _NUMBER + layout.number(value)


def done() -> bytes:
    """Return the outcome of a command that has no answer."""
    return _DONE


def of_refusal(refusal: OnecodeError) -> bytes:
    """Return the outcome of a refused command: one of REFUSALS, with its reason and message."""
    return _REFUSED + json.dumps([type(refusal).__name__, getattr(refusal, "reason", ""), str(refusal)]).encode()


def counts(outcome: bytes) -> tuple[int, int]:
    """Return how many records or steps were known already, and how many were refused."""
    if outcome[:1] != _RECORDS:
        return 0, int(outcome[:1] == _REFUSED)
    known = outcome.count(_KNOWN, 1)
    return known, len(outcome) - 1 - known - outcome.count(_TAKEN, 1)


def read_records(outcome: bytes) -> list[Outcome]:
    """Return the outcome of each record. Raises what refused the chunk, and StoredDamaged, as every function here."""
    try:
        return [_OUTCOMES[number] for number in _content(outcome, _RECORDS)]
    except LookupError:
        raise _damaged() from None


def read_answer(outcome: bytes) -> ExceptionAnswer:
    """Return the answer to a step. Raises what refused it."""
    content = _content(outcome, _ANSWER)
    return ExceptionAnswer(layout.unpack_exception(content[8:]), layout.read_number(content[:8]))


def read_number(outcome: bytes) -> int:
    """Return the former revision of a Reset. Raises what refused it."""
    content = _content(outcome, _NUMBER)
    if len(content) != len(layout.number(0)):
        raise _damaged()
    return layout.read_number(content)


def expect_done(outcome: bytes) -> None:
    """Raise what refused a command, if it was refused."""
    if _content(outcome, _DONE):
        raise _damaged()


def _content(outcome: bytes, kind: bytes) -> bytes:
    found, content = outcome[:1], outcome[1:]
    if found == _REFUSED:
        raise _refusal(content)
    if found != kind:
        raise _damaged()
    return content


def _refusal(content: bytes) -> OnecodeError:
    try:
        name, reason, message = json.loads(content)
        arguments: tuple[Any, ...] = (reason, message) if reason else (message,)
        return _ERRORS[name](*arguments)
    except (ValueError, LookupError, TypeError):
        return _damaged()


def _damaged() -> StoredDamaged:
    return StoredDamaged("the stored outcome of a message cannot be read")
