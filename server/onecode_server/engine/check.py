"""The working state of one code on its way through the verifier."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.engine.row_reader import Row
from onecode_server.formats import Codec
from onecode_server.model.code import Claims, Scan, SignedCode
from onecode_server.model.status import Level, StatusView, Token
from onecode_server.model.trust_list import IssuerKey, Region, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason, Verdict


class Check:
    """Filled in step by step. Once ``finding`` is set the code is not authentic, and later steps pass it by."""

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
        """Note why the code is not authentic."""
        self.finding = Finding(authenticity, reason)

    @property
    def answer(self) -> Verdict:
        """The verdict of a check that went through every step."""
        if self.verdict is None:
            raise AssertionError("a check that was not finished has no answer")
        return self.verdict


class Outcome(NamedTuple):
    """The checks of some scans, the trust list on which all of them rest, and when they were made (Unix
    microseconds)."""

    checks: list[Check]
    trust: TrustList
    checked_at: int


class Answers(NamedTuple):
    """The verdicts on a batch, each of them once, and which of them each code has: int64[n]. The rest is Outcome's."""

    distinct: list[Verdict]
    which: npt.NDArray[np.int64]
    trust: TrustList
    checked_at: int

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each code, in order."""
        return [self.distinct[place] for place in self.which.tolist()]
