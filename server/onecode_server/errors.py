"""The expected failures. Every other exception is a bug.

This module imports no other module of the project. A code that fails a check is *not* a failure: it has a verdict.
"""


class OnecodeError(Exception):
    """The base of every expected failure. Its text is written for operators."""


class Malformed(OnecodeError):
    """Input bytes are not valid in their format. The text contains nothing of their content."""


class AlgorithmNotAllowed(Malformed):
    """A code names a signature algorithm other than Ed25519."""


class ClaimFault(Malformed):
    """A claim of an authentic code does not match its region's entry in the trust list.

    ``claim`` is a member of the region's claim map, or a name that this project gives the claim; ``place`` is its path
    by the trust list. ``why`` names kinds and never a value, so it may be logged.
    """

    def __init__(self, claim: str, why: str, place: str = "") -> None:
        super().__init__(f"{claim} at `{place}`: {why}" if place else f"{claim}: {why}")
        self.claim = claim
        self.place = place
        self.why = why


class ClaimMissing(ClaimFault):
    """A code lacks a claim that is in its region's claim map."""


class IssuerMismatch(ClaimFault):
    """A code names another issuer than its region's entry requires."""


class ResidenceNotAdopter(ClaimFault):
    """A code of the national authority names a region of residence that does not adopt the national code."""


class SourceUnknown(ClaimFault):
    """A translation names a source region or a target that is not in the trust list."""


class InvalidRequest(OnecodeError):
    """A request is not valid in itself. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PreconditionFailed(OnecodeError):
    """A request is not possible in the present state. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unauthenticated(OnecodeError):
    """A caller has no identity. ``reason`` is for programs, and a member of a closed set; the text helps its owner, and
    quotes nothing that the caller has sent."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotPermitted(OnecodeError):
    """A caller lacks the right to make this call. The text names the right, and no subject."""


class NotFound(OnecodeError):
    """A request names an object that does not exist. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class AlreadyExists(OnecodeError):
    """A request has the id of another request. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Draining(OnecodeError):
    """The server is ending: acknowledged work is done, other requests must go to another server."""


class Overloaded(OnecodeError):
    """A limit on waiting or running work is reached. ``retry_after_s`` (seconds) is when to retry."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RequestOverdue(OnecodeError):
    """A call did not send its request in time."""


class Idle(OnecodeError):
    """A stream received no message for too long. Its caller may open another at any time."""


class NotServing(OnecodeError):
    """The trust list or the store is not open yet, so no request can be answered."""


class StoreUnavailable(OnecodeError):
    """The store did not answer in time, or may not be the one that was opened."""


class StoreBusy(Overloaded, StoreUnavailable):
    """Too many calls wait for the store, so this one was refused; the store itself has no fault."""


class StoredDamaged(StoreUnavailable):
    """Stored data cannot be decoded: the file was changed or damaged. The text contains nothing of the data."""


class LogUnavailable(StoreUnavailable):
    """The log that several machines share did not confirm a message in time. The message may still be written."""


class LogBroken(OnecodeError):
    """The log cannot be followed from the place that this machine has reached: messages of it are gone, or it is
    another log."""


class SigningUnavailable(OnecodeError):
    """The token that holds the gateway keys does not answer, or refuses: nothing can be signed at present."""


class TrustListRefused(OnecodeError):
    """A trust list must not be accepted: unreadable, badly signed, older, or other content under a known version."""


class Misconfigured(OnecodeError):
    """Settings or command input are not valid. ``mistakes`` has one line for each mistake."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes
