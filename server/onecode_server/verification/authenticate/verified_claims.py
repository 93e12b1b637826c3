"""The claims of authentic codes in columns: the result of steps 1 to 7 of the check, and the input of steps 8 to 10."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.model.code import Claims
from onecode_server.verification.authenticate.claim_fields import Assertion, assertion_of

Places = npt.NDArray[np.int64]
Times = npt.NDArray[np.int64]


class AssertionColumns(NamedTuple):
    """Assertions in columns: homes and claimed levels as numbers, int64[k], and which make no claim, bool[k]."""

    homes: Places
    claimed: Places
    makes_no_claim: npt.NDArray[np.bool_]


class Assertions:
    """Distinct assertions, each with a place. They are only ever added, and few: a home, a level, whether it is
    claimed."""

    def __init__(self) -> None:
        self._assertions: list[Assertion] = []
        self._places: dict[Assertion, int] = {}
        self._columns: AssertionColumns | None = None

    def __len__(self) -> int:
        return len(self._assertions)

    def __getitem__(self, place: int) -> Assertion:
        return self._assertions[place]

    def __iter__(self) -> Iterator[Assertion]:
        return iter(self._assertions)

    def place_of(self, assertion: Assertion) -> int:
        """Return the place of an assertion, which is added if it is new."""
        place = self._places.setdefault(assertion, len(self._assertions))
        if place == len(self._assertions):
            self._assertions.append(assertion)
            self._columns = None
        return place

    @property
    def columns(self) -> AssertionColumns:
        """All of them in columns, by their places."""
        if self._columns is None:
            self._columns = AssertionColumns(
                np.array([int(one.home) for one in self._assertions], np.int64),
                np.array([int(one.claimed) for one in self._assertions], np.int64),
                np.array([not one.makes_claim for one in self._assertions], bool),
            )
        return self._columns


class VerifiedClaims(NamedTuple):
    """The claims of authentic codes: their places in the batch, int64[n]; the place of each code's assertion in
    ``assertions``, int64[n]; the subjects, n pseudonyms of 16 bytes; and when each was asserted, int64[n] in Unix
    microseconds."""

    places: Places
    assertions: Assertions
    assertion: Places
    subjects: Sequence[bytes]
    asserted_at: Times


def joined(parts: Sequence[VerifiedClaims]) -> VerifiedClaims:
    """Return the claims of one or more parts of a batch as one."""
    if len(parts) == 1:
        return parts[0]
    assertions = Assertions()
    subjects: list[bytes] = []
    moved = []
    for part in parts:
        moved.append(np.array([assertions.place_of(one) for one in part.assertions], np.int64)[part.assertion])
        subjects += part.subjects
    return VerifiedClaims(
        np.concatenate([part.places for part in parts]),
        assertions,
        np.concatenate(moved),
        subjects,
        np.concatenate([part.asserted_at for part in parts]),
    )


def of_claims(claims_at: Sequence[tuple[int, Claims]]) -> VerifiedClaims:
    """Return claims that were read one by one, each with its place in the batch, in columns."""
    assertions = Assertions()
    assertion = [assertions.place_of(assertion_of(claims)) for _, claims in claims_at]
    return VerifiedClaims(
        np.array([place for place, _ in claims_at], np.int64),
        assertions,
        np.array(assertion, np.int64),
        [claims.subject for _, claims in claims_at],
        np.array([claims.asserted_at for _, claims in claims_at], np.int64),
    )
