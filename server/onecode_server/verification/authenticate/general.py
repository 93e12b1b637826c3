"""Steps 1 to 7 of the check: whether a code is authentic and in its time, and what it claims.

 1. Size: a code of 1 to 4,096 bytes, without the bytes that its scanner added.
 2. Format: recognised by the code's structure; opaque codes by the prefixes of the trust list.
 3. Decoding, bounded: into the signed message, the signature, the key id and the claims' bytes.
 4. Candidate keys: those of this format and key id.
 5. Signatures, in batches; opaque tokens, the whole slice in one lookup.
 6. Claims, of authentic codes only.
 7. Validity: of the key, of the source if there is one, and the code's window.

Signatures are checked on the event loop, in slices of the backend's size. On a second thread a check by PyNaCl cost
80 us instead of 56, because its binding releases and reacquires the GIL for each check.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from onecode_server.codes.codec import Codec, codec_of, opaque_home
from onecode_server.crypto.backend import SignatureBackend
from onecode_server.errors import AlgorithmNotAllowed, Malformed
from onecode_server.model.code import CODE_BYTES_MAX, Claims, SignedCode
from onecode_server.model.trust_list import IssuerKey, KeyState, TrustList
from onecode_server.model.verdict import Authenticity, Reason
from onecode_server.rules import validity
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate.claims_reader import ClaimsReader
from onecode_server.verification.authenticate.row_reader import Row, RowReader
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.check import Check

_log = logging.getLogger(__name__)


class GeneralAuthenticator:
    """Authenticates codes one by one. Its parts are passed in; ``skew`` is in microseconds."""

    def __init__(
        self,
        backend: SignatureBackend,
        rows: RowReader,
        claims: ClaimsReader,
        tokens: TokenReader,
        metrics: Metrics,
        skew: int,
    ) -> None:
        self._backend = backend
        self._rows = rows
        self._claims = claims
        self._tokens = tokens
        self._metrics = metrics
        self._skew = skew

    async def authenticate(self, checks: list[Check], trust: TrustList, now: int) -> None:
        """Take checks through all seven steps. Each then has ``claims``, or a ``finding`` if it is not authentic."""
        for check in checks:
            self._alone(check, self._decode, trust)  # 1, 2, 3, 4
        await self._check_signatures([check for check in checks if check.candidates])  # 5
        await self._tokens.look_up([check for check in checks if check.opaque_home and check.finding is None])
        for check in checks:
            self._alone(check, self._read_claims, trust)  # 6
            self._check_validity(check, trust, now)  # 7
            if check.row is None and check.key is not None and check.finding is None:
                self._learn(check.scan.code, check.key, trust)

    def _alone(self, check: Check, step: Callable[[Check, TrustList], None], trust: TrustList) -> None:
        """Run a step that reads untrusted bytes: a bug that one code triggers refuses that code only."""
        try:
            step(check, trust)
        except Exception as bug:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_MALFORMED)
            self._tell(bug, step.__name__)

    def _learn(self, code: bytes, key: IssuerKey, trust: TrustList) -> None:
        """Learn a template from an authentic code; an error here does not affect its verdict."""
        try:
            self._rows.learn(code, key, trust)
        except Exception as bug:
            self._tell(bug, "learn")

    def _tell(self, bug: Exception, step: str) -> None:
        """Log a bug by its type only: its message and its traceback could contain claims."""
        self._metrics.check_bugs.inc()
        _log.error("a check failed in a way that nobody expected: %s in %s", type(bug).__name__, step)

    def _decode(self, check: Check, trust: TrustList) -> None:
        code = check.scan.code
        check.row = self._read_row(code, trust)
        if check.row is not None:
            check.signed = check.row.signed
            self._find_keys(check, check.signed, trust)
            return
        codec = codec_of(code)
        if not code:  # 1
            check.refuse(Authenticity.MALFORMED, Reason.CODE_EMPTY)
        elif len(code) > CODE_BYTES_MAX:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_TOO_LARGE)
        elif codec is not None:  # 2
            self._decode_signed(check, codec, trust)
        else:
            check.opaque_home = opaque_home(code, trust)
            if check.opaque_home is None:
                check.refuse(Authenticity.MALFORMED, Reason.FORMAT_UNKNOWN)

    def _read_row(self, code: bytes, trust: TrustList) -> Row | None:
        try:
            return self._rows.decode(code, trust)
        except Malformed:  # the general path finds it again and names the fault
            return None

    def _decode_signed(self, check: Check, codec: Codec, trust: TrustList) -> None:
        try:
            check.signed = codec.decode(check.scan.code)  # 3
        except AlgorithmNotAllowed:
            check.refuse(Authenticity.MALFORMED, Reason.ALGORITHM_NOT_ALLOWED)
        except Malformed:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_MALFORMED)
        else:
            self._find_keys(check, check.signed, trust)

    def _find_keys(self, check: Check, signed: SignedCode, trust: TrustList) -> None:
        check.candidates = trust.keys_for(signed.format, signed.key_id)  # 4
        if not check.candidates:
            check.refuse(Authenticity.UNKNOWN_ISSUER, Reason.KEY_UNKNOWN)

    async def _check_signatures(self, checks: list[Check]) -> None:
        tried = [(check, check.signed, key) for check in checks if check.signed for key in check.candidates]
        if not tried:
            return
        results: list[bool] = []
        slice_items = self._backend.slice_items
        for start in range(0, len(tried), slice_items):
            if start:
                await asyncio.sleep(0)
            part = tried[start : start + slice_items]
            started_s = time.perf_counter()
            results += self._backend.verify_batch(
                [key.public_key for _, _, key in part],
                [signed.signature for _, signed, _ in part],
                [signed.message for _, signed, _ in part],
            )
            self._metrics.signature_seconds.labels(self._backend.name).observe(time.perf_counter() - started_s)
        self._metrics.signatures.labels(self._backend.name).inc(len(tried))
        for (check, _, key), is_signed in zip(tried, results, strict=True):
            if is_signed and check.key is None:
                check.key = key
        for check in checks:
            if check.key is None:
                check.refuse(Authenticity.BAD_SIGNATURE, Reason.SIGNATURE_INVALID)

    def _read_claims(self, check: Check, trust: TrustList) -> None:
        if check.finding is not None:
            return
        if check.opaque_home is not None:
            check.claims = self._tokens.claims(check)
        elif check.key is not None and check.signed is not None:
            if check.key.state is KeyState.REVOKED:  # claims under a revoked key are not read
                check.refuse(Authenticity.KEY_NOT_VALID, Reason.KEY_REVOKED)
                return
            plain = self._rows.claims(check.row, check.key) if check.row is not None else None
            read = plain or self._claims.read(check.key, check.signed.payload, trust)
            if isinstance(read, Claims):
                check.claims = read
            else:
                check.finding = read

    def _check_validity(self, check: Check, trust: TrustList, now: int) -> None:
        claims, skew = check.claims, self._skew
        if claims is None or check.finding is not None:
            return
        if check.key is not None:
            check.finding = validity.key_fault(check.key, claims.issued_at, now, skew)
        check.finding = (
            check.finding or validity.source_fault(claims, trust, now, skew) or validity.window_fault(claims, now, skew)
        )
