"""The working state of one code on its way through the verifier, and the results of a batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.model.code import Claims, SignedCode
from onecode_server.model.status import Level, StatusView, Token
from onecode_server.model.trust_list import IssuerKey, Region, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason, Verdict
from onecode_server.verification.authenticate.template import Template


class Check:
    """One code, without what its scanner added to it, and the host where it was scanned (empty for an authentication
    alone). The other fields are filled in step by step: ``authenticate.authenticator`` and ``verifier`` say by which
    steps. Once ``finding`` is set the code is not authentic, and later steps skip it."""

    # Of the class until a step sets them: most checks set few, and each costs as much as reading a time.
    finding: Finding | None = None
    opaque_home: Region | None = None
    template: Template | None = None
    signed: SignedCode | None = None
    candidates: tuple[IssuerKey, ...] = ()
    key: IssuerKey | None = None
    token: Token | None = None
    claims: Claims | None = None
    view: StatusView | None = None
    level = Level.UNSPECIFIED
    verdict: Verdict | None = None

    def __init__(self, code: bytes, host: str = "") -> None:
        self.code = code
        self.host = host

    def refuse(self, authenticity: Authenticity, reason: Reason) -> None:
        """Set the finding: the reason why the code is not authentic."""
        self.finding = Finding(authenticity, reason)

    @property
    def answer(self) -> Verdict:
        """The verdict of a finished check."""
        if self.verdict is None:
            raise AssertionError("a check that was not finished has no answer")
        return self.verdict


class CheckResults(NamedTuple):
    """The results of a batch: verdicts, and the place of each code's verdict among them (``which``, int64[n]).

    ``trust`` is the trust list that all of them used, ``checked_at`` their time (Unix microseconds). ``checks``, in
    order, are those of codes that were checked for translations.
    """

    distinct: list[Verdict]
    which: npt.NDArray[np.int64]
    trust: TrustList
    checked_at: int
    checks: list[Check]

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each code, in order."""
        return [self.distinct[place] for place in self.which.tolist()]


class CheckResult(NamedTuple):
    """The result of one code: its place in the results of the batch that it was checked in."""

    results: CheckResults
    place: int = 0

    @property
    def verdict(self) -> Verdict:
        """The verdict on the code."""
        return self.results.distinct[int(self.results.which[self.place])]

    @property
    def check(self) -> Check:
        """The check of a code that was checked by itself, as it is for a translation."""
        return self.results.checks[self.place]


def counted(
    verdicts: Sequence[Verdict], hosts: Sequence[str]
) -> tuple[list[tuple[Verdict, str, int]], npt.NDArray[np.int64]]:
    """Return the distinct verdicts of each host, with how many codes have them, and the place of each code's: int64[n].

    ``hosts`` are where the codes were scanned. The verdict on codes of the same facts is mostly one object, which is
    found faster than one that says the same.
    """
    kinds = [*zip(map(id, verdicts), hosts, strict=True)]
    distinct = dict(zip(kinds, verdicts, strict=True))
    places = dict(zip(distinct, range(len(distinct)), strict=True))
    which = np.array([*map(places.__getitem__, kinds)], np.int64)
    counts = np.bincount(which).tolist()
    return [(distinct[kind], kind[1], count) for kind, count in zip(distinct, counts, strict=True)], which
