"""Failures that are expected. Everything else that is raised is a bug and says so.

This module knows nothing of the rest. A code that fails a check is *not* a failure: it is a verdict.
"""


class OnecodeError(Exception):
    """The base of every failure that this project raises on purpose. Its text is fit for an operator to read."""


class Malformed(OnecodeError):
    """Bytes from outside that cannot be what they claim to be. The text holds nothing of their content."""


class AlgorithmNotAllowed(Malformed):
    """A code that names a signature algorithm other than Ed25519."""


class ClaimFault(Malformed):
    """A claim of an authentic code that is not what its region promised.

    ``claim`` is a member of the region's claim map, or another name of ours; ``place`` is where it stands by the trust
    list. ``why`` names kinds and never a value, so that it may be logged.
    """

    def __init__(self, claim: str, why: str, place: str = "") -> None:
        super().__init__(f"{claim} at `{place}`: {why}" if place else f"{claim}: {why}")
        self.claim = claim
        self.place = place
        self.why = why


class ClaimMissing(ClaimFault):
    """A claim that the region promised in the trust list is not in its code."""


class IssuerMismatch(ClaimFault):
    """A code that names another issuer than its region does."""


class ResidenceNotAdopter(ClaimFault):
    """A code of the national authority for residents of a region that does not use the national code."""


class SourceUnknown(ClaimFault):
    """A translation from or for a region that is not in the trust list."""


class InvalidRequest(OnecodeError):
    """A request that cannot be decided, because of how it was asked. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PreconditionFailed(OnecodeError):
    """A request that the state of things forbids. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFound(OnecodeError):
    """A request for something that is not there. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class AlreadyExists(OnecodeError):
    """A request whose name another one has. ``reason`` is for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Draining(OnecodeError):
    """The server ends: what was acknowledged is done, the rest is for another server."""


class Overloaded(OnecodeError):
    """A bounded queue is full. ``retry_after_s`` (seconds) is when asking again makes sense."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RequestOverdue(OnecodeError):
    """A call that did not say in time what it wants."""


class Idle(OnecodeError):
    """A stream on which nothing came for too long. Its caller may open another at any time."""


class NotServing(OnecodeError):
    """The trust list or the store is not open yet, so that nothing can be decided."""


class StoreUnavailable(OnecodeError):
    """The store did not answer in time, or cannot be trusted to be the one that was opened."""


class StoreBusy(Overloaded, StoreUnavailable):
    """So much waits for the store that this call was turned away: nothing is wrong with the store."""


class StoredDamaged(StoreUnavailable):
    """What is stored cannot be read as what it must be: the file was changed or damaged. The text names no content."""


class TrustListRefused(OnecodeError):
    """A trust list that must not be taken: unreadable, badly signed, older, or other content under a version."""


class Misconfigured(OnecodeError):
    """Settings or command input that cannot work. ``mistakes`` has one clear line for each."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes
