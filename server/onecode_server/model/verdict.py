"""The verdict of a check. It answers three questions separately: authenticity, status and recognition."""

from enum import IntEnum
from typing import NamedTuple

from onecode_server.model.status import Level, Status


class Decision(IntEnum):
    """What to do with the bearer. The API uses the same numbers; they rise from best to worst."""

    ADMIT = 1
    CHECK = 2
    REFUSE = 3


class Authenticity(IntEnum):
    """Whether the code is authentic and in its window. The API uses the same numbers."""

    VALID = 1
    MALFORMED = 2
    UNKNOWN_ISSUER = 3
    BAD_SIGNATURE = 4
    KEY_NOT_VALID = 5
    NOT_YET_VALID = 6
    EXPIRED = 7
    UNVERIFIABLE = 8


class Recognition(IntEnum):
    """Whether the host recognises the home. The API uses the same numbers."""

    UNSPECIFIED = 0
    RECOGNISED = 1
    SUSPENDED = 2
    UNKNOWN_HOST = 3
    UNCONFIRMED = 4


class Reason(IntEnum):
    """The rule that decided. The API uses the same numbers; ``recognition.proto`` describes them."""

    GREEN = 1
    YELLOW = 2
    RED = 3
    RED_BY_NATIONAL_AUTHORITY = 4
    RED_BY_HOST = 5
    HOST_UNKNOWN = 6
    RECOGNITION_SUSPENDED = 7
    STATUS_UNAVAILABLE = 8
    STATUS_STALE = 9
    LEVEL_UNMAPPED = 10
    TRUST_LIST_OUT_OF_DATE = 11
    NO_RULE = 12
    CODE_EMPTY = 13
    CODE_TOO_LARGE = 14
    FORMAT_UNKNOWN = 15
    CODE_MALFORMED = 16
    ALGORITHM_NOT_ALLOWED = 17
    KEY_UNKNOWN = 18
    SIGNATURE_INVALID = 19
    KEY_REVOKED = 20
    KEY_RETIRED = 21
    KEY_OUTSIDE_VALIDITY = 22
    SOURCE_KEY_NOT_VALID = 23
    CLAIMS_MALFORMED = 24
    CLAIM_MISSING = 25
    ISSUER_MISMATCH = 26
    RESIDENCE_NOT_ADOPTER = 27
    NOT_YET_VALID = 28
    EXPIRED = 29
    TOKEN_UNKNOWN = 30
    TOKEN_UNVERIFIABLE = 31
    RECOGNITION_UNCONFIRMED = 32


class Finding(NamedTuple):
    """The reason why a code is not authentic."""

    authenticity: Authenticity
    reason: Reason


class Verdict(NamedTuple):
    """The verdict of one check. ``home`` and ``exception_id`` are empty if there is none; ``status_age_s`` is in whole
    seconds."""

    decision: Decision
    level: Level
    authenticity: Authenticity
    status: Status
    recognition: Recognition
    reason: Reason
    home: str = ""
    exception_id: str = ""
    status_age_s: int = 0
