"""What authentic codes say, in columns: how steps 1 to 7 of the check hand a batch to steps 8 to 10."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.engine.claim_fields import Claimant, claimant_of
from onecode_server.model.code import Claims
from onecode_server.model.trust_list import TrustList

Places = npt.NDArray[np.int64]
Times = npt.NDArray[np.int64]


class Testimony(NamedTuple):
    """Authentic codes: where each stands in its batch, whose word it is (its place in ``claimants``), of whom, and when
    it was spoken (Unix microseconds). Places and times are int64[n]."""

    places: Places
    claimants: Sequence[Claimant]
    claimant: Places
    subjects: Sequence[bytes]
    spoken_at: Times


def joined(parts: Sequence[Testimony]) -> Testimony:
    """Return some codes and others in one."""
    claimants: list[Claimant] = []
    subjects: list[bytes] = []
    shifted = []
    for part in parts:
        shifted.append(part.claimant + len(claimants))
        claimants += part.claimants
        subjects += part.subjects
    return Testimony(
        np.concatenate([part.places for part in parts]),
        claimants,
        np.concatenate(shifted),
        subjects,
        np.concatenate([part.spoken_at for part in parts]),
    )


def of_claims(spoken: Sequence[tuple[int, Claims]], trust: TrustList) -> Testimony:
    """Return what codes say that were read one by one, each with its place in the batch."""
    claimants: dict[Claimant, int] = {}
    claimant = [claimants.setdefault(claimant_of(claims, trust), len(claimants)) for _, claims in spoken]
    return Testimony(
        np.array([place for place, _ in spoken], np.int64),
        list(claimants),
        np.array(claimant, np.int64),
        [claims.subject for _, claims in spoken],
        np.array([claims.spoken_at for _, claims in spoken], np.int64),
    )
