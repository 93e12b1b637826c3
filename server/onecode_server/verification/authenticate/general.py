"""The general authenticator: it reads codes of every format one by one, and names every fault."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from onecode_server.codes.codec import Codec, codec_of, opaque_home
from onecode_server.errors import AlgorithmNotAllowed, Malformed
from onecode_server.model.code import CODE_BYTES_MAX, Claims
from onecode_server.model.trust_list import KeyState, TrustList
from onecode_server.model.verdict import Authenticity, Reason
from onecode_server.rules import validity
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate.authenticator import (
    KEY_REVOKED,
    SIGNATURE_INVALID,
    CodeSlice,
    find_candidates,
)
from onecode_server.verification.authenticate.claims_reader import ClaimsReader
from onecode_server.verification.authenticate.signatures import SignatureChecker
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.check import Check

SLICE_CODES: Final = 64
"""Codes that are read without a pause: about 2 ms of the event loop, then other work has a turn."""
SLICE_BYTES: Final = 64 * 1024
"""Bytes of such codes: the longest codes, full of small values, take up to a millisecond each."""

_log = logging.getLogger(__name__)


class GeneralAuthenticator:
    """Authenticates codes one by one. Its parts are passed in; ``skew`` is in microseconds."""

    def __init__(
        self, signatures: SignatureChecker, claims: ClaimsReader, tokens: TokenReader, metrics: Metrics, skew: int
    ) -> None:
        self._signatures = signatures
        self._claims = claims
        self._tokens = tokens
        self._metrics = metrics
        self._skew = skew

    async def authenticate(self, codes: CodeSlice, trust: TrustList, now: int) -> None:
        """See ``Authenticator``. Afterwards every check has claims or a finding."""
        for number, checks in enumerate(in_parts(codes.left())):
            if number:
                await asyncio.sleep(0)
            for check in checks:
                self._alone(check, self._decode, trust)  # 1, 2, 3, 4
            if signed := [check for check in checks if check.candidates and check.key is None]:
                await self._find_keys(signed)  # 5
            if opaque := [check for check in checks if check.opaque_home and check.finding is None]:
                await self._tokens.look_up(opaque)
            for check in checks:
                self._alone(check, self._read_claims, trust)  # 6
                if check.claims is not None and check.finding is None:
                    check.finding = validity.code_fault(check.claims, check.key, trust, now, self._skew)  # 7

    async def _find_keys(self, checks: Sequence[Check]) -> None:
        """Step 5 of checks that have candidate keys."""
        signed = [check.signed for check in checks if check.signed is not None]
        candidates = [check.candidates for check in checks]
        keys = await self._signatures.find_keys(
            candidates, [one.signature for one in signed], [one.message for one in signed]
        )
        for check, key in zip(checks, keys, strict=True):
            check.key = key
            if key is None:
                check.finding = SIGNATURE_INVALID

    def _alone(self, check: Check, step: Callable[[Check, TrustList], None], trust: TrustList) -> None:
        """Run a step that reads untrusted bytes: a bug that one code triggers refuses that code only.

        A bug is logged by its type only: its message and its traceback could contain claims.
        """
        try:
            step(check, trust)
        except Exception as bug:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_MALFORMED)
            self._metrics.check_bugs.inc()
            _log.error("a check failed unexpectedly: %s in %s", type(bug).__name__, step.__name__)

    def _decode(self, check: Check, trust: TrustList) -> None:
        if check.key is not None:  # found by the authenticator before
            return
        codec = codec_of(check.code)
        if not check.code:  # 1
            check.refuse(Authenticity.MALFORMED, Reason.CODE_EMPTY)
        elif len(check.code) > CODE_BYTES_MAX:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_TOO_LARGE)
        elif codec is not None:  # 2
            self._decode_signed(check, codec, trust)
        else:
            check.opaque_home = opaque_home(check.code, trust)
            if check.opaque_home is None:
                check.refuse(Authenticity.MALFORMED, Reason.FORMAT_UNKNOWN)

    def _decode_signed(self, check: Check, codec: Codec, trust: TrustList) -> None:
        try:
            check.signed = codec.decode(check.code)  # 3
        except AlgorithmNotAllowed:
            check.refuse(Authenticity.MALFORMED, Reason.ALGORITHM_NOT_ALLOWED)
        except Malformed:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_MALFORMED)
        else:
            find_candidates(check, trust)  # 4

    def _read_claims(self, check: Check, trust: TrustList) -> None:
        if check.finding is not None:
            return
        if check.opaque_home is not None:
            check.claims = self._tokens.claims(check)
        elif check.key is not None and check.signed is not None:
            if check.key.state is KeyState.REVOKED:  # claims under a revoked key are not read
                check.finding = KEY_REVOKED
                return
            read = self._claims.read(check.key, check.signed.payload, trust)
            if isinstance(read, Claims):
                check.claims = read
            else:
                check.finding = read


def in_parts(checks: Sequence[Check]) -> Iterator[list[Check]]:
    """Yield the checks in parts of at most SLICE_CODES codes and SLICE_BYTES bytes; a single code may be longer."""
    part: list[Check] = []
    size = 0
    for check in checks:
        size += len(check.code)
        if part and (len(part) == SLICE_CODES or size > SLICE_BYTES):
            yield part
            part, size = [], len(check.code)
        part.append(check)
    if part:
        yield part
