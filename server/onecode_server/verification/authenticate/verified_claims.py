"""The claims of authentic codes in columns: the result of steps 1 to 7 of the check, and the input of steps 8 to 10."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.model.code import Claims
from onecode_server.verification.authenticate.claim_fields import Assertion, assertion_of

Places = npt.NDArray[np.int64]
Times = npt.NDArray[np.int64]


class VerifiedClaims(NamedTuple):
    """The claims of authentic codes: their places in the batch, int64[n]; the place of each code's assertion in
    ``assertions``, int64[n]; the subjects, n pseudonyms of 16 bytes; and when each was asserted, int64[n] in Unix
    microseconds."""

    places: Places
    assertions: Sequence[Assertion]
    assertion: Places
    subjects: Sequence[bytes]
    asserted_at: Times


def joined(parts: Sequence[VerifiedClaims]) -> VerifiedClaims:
    """Return the claims of several parts of a batch as one."""
    assertions: list[Assertion] = []
    subjects: list[bytes] = []
    shifted = []
    for part in parts:
        shifted.append(part.assertion + len(assertions))
        assertions += part.assertions
        subjects += part.subjects
    return VerifiedClaims(
        np.concatenate([part.places for part in parts]),
        assertions,
        np.concatenate(shifted),
        subjects,
        np.concatenate([part.asserted_at for part in parts]),
    )


def of_claims(claims_at: Sequence[tuple[int, Claims]]) -> VerifiedClaims:
    """Return claims that were read one by one, each with its place in the batch, in columns."""
    assertions: dict[Assertion, int] = {}
    assertion = [assertions.setdefault(assertion_of(claims), len(assertions)) for _, claims in claims_at]
    return VerifiedClaims(
        np.array([place for place, _ in claims_at], np.int64),
        list(assertions),
        np.array(assertion, np.int64),
        [claims.subject for _, claims in claims_at],
        np.array([claims.asserted_at for _, claims in claims_at], np.int64),
    )
