"""Why a message of the log is ignored: by every machine alike, without a change of records, digest or outcomes."""

from enum import StrEnum


class Ignored(StrEnum):
    """The reason. The value is the label of metrics."""

    APPLIED_BEFORE = "applied_before"
    """Its offset is below that of the next message."""
    FOREIGN = "foreign"
    """It is no message of this project: too short, or without the magic."""
    CERTIFICATE = "certificate"
    """The cluster key did not sign its certificate."""
    EXPIRED = "expired"
    """Its certificate ended before the partition's time."""
    SIGNATURE = "signature"
    """Its machine did not sign it, or signed it for another partition."""
    OTHER_MACHINE = "other_machine"
    """It names another machine than the one that signed it."""
    MALFORMED = "malformed"
    """Its fields break the form."""
    MISPLACED = "misplaced"
    """Messages of its kind, or its subjects, belong to another partition."""
    REPEATED = "repeated"
    """A message with its identifier was applied lately."""


class IgnoredMessage(Exception):
    """Ends the reading of a message that is ignored. ``apply`` catches it."""

    def __init__(self, reason: Ignored) -> None:
        super().__init__(reason.value)
        self.reason = reason
