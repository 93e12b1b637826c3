"""The working state of one code on its way through the verifier."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.codes.codec import Codec
from onecode_server.model.code import Claims, Scan, SignedCode
from onecode_server.model.status import Level, StatusView, Token
from onecode_server.model.trust_list import IssuerKey, Region, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason, Verdict
from onecode_server.verification.authenticate.row_reader import Row


class Check:
    """Filled in step by step. Once ``finding`` is set the code is not authentic, and later steps skip it."""

    __slots__ = (
        "candidates",
        "claims",
        "codec",
        "finding",
        "key",
        "level",
        "opaque_home",
        "row",
        "scan",
        "signed",
        "token",
        "verdict",
        "view",
    )

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.finding: Finding | None = None
        self.codec: Codec | None = None
        self.opaque_home: Region | None = None
        self.row: Row | None = None
        self.signed: SignedCode | None = None
        self.candidates: tuple[IssuerKey, ...] = ()
        self.key: IssuerKey | None = None
        self.token: Token | None = None
        self.claims: Claims | None = None
        self.view: StatusView | None = None
        self.level = Level.UNSPECIFIED
        self.verdict: Verdict | None = None

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
    """The checks of some scans, the trust list that all of them used, and their time (Unix microseconds)."""

    checks: list[Check]
    trust: TrustList
    checked_at: int


class Verdicts(NamedTuple):
    """The distinct verdicts on a batch, and the place of each code's verdict among them (``which``, int64[n]).
    ``trust`` and ``checked_at`` are as in CheckResults."""

    distinct: list[Verdict]
    which: npt.NDArray[np.int64]
    trust: TrustList
    checked_at: int

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each code, in order."""
        return [self.distinct[place] for place in self.which.tolist()]
