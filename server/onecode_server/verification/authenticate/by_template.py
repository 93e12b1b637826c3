"""The first authenticator: it reads codes of a known template, without parsing them.

A template names the faults that it can see: an unknown key, a bad signature, a key or a code out of its time. All else
is left to the general authenticator: codes that no template fits, claims that no template expresses, faults of claims.
A property test asserts that every code gets the answer that the general authenticator alone would give it.
"""

import logging
from collections.abc import Sequence
from typing import Final

from onecode_server.model.trust_list import TrustList
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate.authenticator import CodeSlice
from onecode_server.verification.authenticate.columns import ColumnReader
from onecode_server.verification.authenticate.issuer_index import IssuerIndex, IssuerIndexes
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms
from onecode_server.verification.authenticate.rows import RowReader
from onecode_server.verification.authenticate.signatures import SignatureChecker
from onecode_server.verification.authenticate.single import SingleReader
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN, TOGETHER_MIN, are_alike, read_rows
from onecode_server.verification.check import Check

LEARNED_MAX: Final = 64
"""Codes of one slice from which templates are learned, spread evenly over the slice: 6 ms of the event loop at most.
Codes of the templates learned from one slice are read in columns in the next, so rarer templates are learned then."""

_log = logging.getLogger(__name__)


class TemplateAuthenticator:
    """Authenticates codes by their templates. ``pseudonym_key`` is 32 bytes, ``skew`` is in microseconds."""

    def __init__(
        self, signatures: SignatureChecker, issuers: IssuerIndexes, pseudonym_key: bytes, metrics: Metrics, skew: int
    ) -> None:
        pseudonyms = Pseudonyms(pseudonym_key)
        self._issuers = issuers
        self._metrics = metrics
        self._columns = ColumnReader(signatures, pseudonyms, metrics, skew)
        self._signatures = signatures
        self._single = SingleReader(pseudonyms, skew)
        self._rows = RowReader(self._single, signatures, pseudonyms, skew, self._log_bug)

    def prefers_columns(self, codes: Sequence[bytes]) -> bool:
        """Return whether these codes are authenticated faster together than one by one."""
        try:
            return len(codes) >= TOGETHER_MIN or (len(codes) >= ROWS_MIN and are_alike(codes))
        except Exception as bug:
            self._log_bug(bug)
            return False

    async def authenticate(self, codes: CodeSlice, trust: TrustList, now: int) -> None:
        """See ``Authenticator``. A bug here leaves its codes to the general authenticator."""
        index = self._issuers.of(trust)
        if codes.in_columns:
            await self._in_columns(codes, index, now)
        else:
            await self._rows.read(codes, range(len(codes.codes)), index, now)

    def authenticate_one(self, check: Check, trust: TrustList, now: int) -> None:
        """Do the same with one code, at once. It is left where its check has neither claims nor a finding then."""
        index = self._issuers.of(trust)
        try:
            row = self._single.decode(check, index)
            if row is not None and check.finding is None:
                self._signatures.find_key(check)
                self._single.read_claims(check, row, index, now)
        except Exception as bug:
            self._log_bug(bug)

    def learn(self, codes: CodeSlice, trust: TrustList) -> None:
        """Learn templates from the authentic codes that no template fitted. From codes that were too few for columns
        nothing is learned again: it takes longer than their check."""
        signed = [
            (check.code, check.key)
            for place, check in codes.checks.items()
            if check.key is not None and check.template is None and check.finding is None and place not in codes.few
        ]
        if not signed:
            return
        index = self._issuers.of(trust)
        for code, key in signed[:: 1 + len(signed) // LEARNED_MAX]:
            try:
                index.templates.learn(code, index.place_of[key.public_key], key, is_single=not codes.in_columns)
            except Exception as bug:
                self._log_bug(bug)

    async def _in_columns(self, codes: CodeSlice, index: IssuerIndex, now: int) -> None:
        try:
            tables, few = read_rows(index.templates, codes.codes)
        except Exception as bug:
            self._log_bug(bug)
            return
        codes.few = frozenset(few)
        for table in tables:
            try:
                await self._columns.read(table, index, now, codes)
            except Exception as bug:  # it concerns this table only: the other tables are still read in columns
                self._log_bug(bug)
        if few:
            await self._rows.read(codes, few, index, now)

    def _log_bug(self, bug: Exception) -> None:
        """Log a bug by its type only: its message and its traceback could contain claims."""
        self._metrics.check_bugs.inc()
        _log.error("codes could not be read by template: %s", type(bug).__name__)
