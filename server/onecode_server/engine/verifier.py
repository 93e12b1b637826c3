"""The main path: every check of every call goes through ``Verifier.verify_batch``, in these steps.

 1. Size: a code of 1 to 4,096 bytes.
 2. Format: told by its first bytes; opaque prefixes are the trust list's.
 3. Decoding, bounded: to the signed message, the signature, the key id and the claims' bytes.
 4. Candidate keys: those of this format and key id.
 5. Signatures, in batches; opaque tokens, the whole slice in one lookup.
 6. Claims, of authentic codes only.
 7. Validity: the key's, the source's where there is one, the code's window.
 8. Status: the records that count, and the level they leave.
 9. Recognition: does the host recognise the home?
10. Verdict: the first row of the table that matches.

The steps run on the event loop, in slices; only store lookups leave it.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.engine.check import Check, Outcome
from onecode_server.engine.claims_reader import ClaimsReader
from onecode_server.engine.clock import Clock
from onecode_server.engine.exception_book import ExceptionBook
from onecode_server.engine.national_columns import ROWS_MIN, LayoutBook, Row
from onecode_server.engine.status_cache import StatusCache
from onecode_server.engine.token_reader import TokenReader
from onecode_server.engine.trust_source import TrustSource
from onecode_server.errors import AlgorithmNotAllowed, Malformed
from onecode_server.formats import Codec, codec_of
from onecode_server.metrics import UNKNOWN_REGION, Metrics
from onecode_server.model.code import CODE_BYTES_MAX, Claims, Scan, SignedCode
from onecode_server.model.status import Level, Status
from onecode_server.model.trust_list import KeyState, TrustList
from onecode_server.model.verdict import Authenticity, Reason, Recognition
from onecode_server.rules import admission, levels, validity
from onecode_server.rules.validity import Tolerance

COLUMN_CODES: Final = 256
"""How many codes that were decoded together do: columns and signatures take about 8 us a code."""
SLICE_CODES: Final = 64
"""How many codes hold the event loop in one go: about 2 ms of decoding, after which others have their turn.

Signatures stay on the loop too, in the slices that their backend asks for: from a second thread a check by PyNaCl
cost 80 us instead of 56, since its binding lets go of the GIL for each and takes it back."""
_log = logging.getLogger(__name__)


def _slices(checks: list[Check]) -> Iterator[list[Check]]:
    """Yield the checks in order, as many as hold the event loop for about 2 ms."""
    part: list[Check] = []
    work = 0
    for check in checks:
        part.append(check)
        work += 1 if check.row is not None else COLUMN_CODES // SLICE_CODES
        if work >= COLUMN_CODES:
            yield part
            part, work = [], 0
    if part:
        yield part


class Verifier:
    """Checks codes. Everything that it works with is handed in."""

    def __init__(
        self,
        trust: TrustSource,
        backend: SignatureBackend,
        layouts: LayoutBook,
        claims: ClaimsReader,
        tokens: TokenReader,
        statuses: StatusCache,
        exceptions: ExceptionBook,
        metrics: Metrics,
        clock: Clock,
        tolerance: Tolerance,
    ) -> None:
        self._trust = trust
        self._backend = backend
        self._layouts = layouts
        self._claims = claims
        self._tokens = tokens
        self._statuses = statuses
        self._exceptions = exceptions
        self._metrics = metrics
        self._clock = clock
        self._tolerance = tolerance

    async def verify_batch(self, scans: Sequence[Scan]) -> Outcome:
        """Check every scan and return the checks in order. Raises NotServing while there is no trust list.

        A batch answers as its items would alone: nothing of one code reaches another.
        """
        trust, now = self._trust.current, self._clock()
        checks: list[Check] = []
        for part in _slices(await self._read_together(scans, trust)):
            if checks:
                await asyncio.sleep(0)  # whoever else has work on the loop
            await self._authenticate(part, trust, now)
            await self._look_up_status(part)  # 8
            self._decide(part, trust, now)  # 9, 10
            checks += part
        self._count(checks, trust)
        return Outcome(checks, trust, now)

    async def _read_together(self, scans: Sequence[Scan], trust: TrustList) -> list[Check]:
        """Begin the checks, and decode together what is built alike: steps 1 to 3 of national codes."""
        checks: list[Check] = []
        for start in range(0, len(scans), COLUMN_CODES):
            if start:
                await asyncio.sleep(0)
            part = scans[start : start + COLUMN_CODES]
            rows = self._rows(part, trust)
            checks += [Check(scan, rows.get(place)) for place, scan in enumerate(part)]
        return checks

    def _rows(self, scans: Sequence[Scan], trust: TrustList) -> dict[int, Row]:
        """Return what was read together, by place; where that fails, each code is read by itself."""
        if len(scans) < ROWS_MIN:
            return {}
        try:
            return self._layouts.read([scan.code for scan in scans], trust)
        except Exception as bug:
            self._metrics.check_bugs.inc()
            _log.error("codes could not be read together: %s", type(bug).__name__)  # see _alone
            return {}

    async def authenticate(self, scan: Scan) -> Check:
        """Check whose code this is, without asking whether its bearer may pass: steps 1 to 7."""
        check = Check(scan)
        await self._authenticate([check], self._trust.current, self._clock())
        return check

    async def _authenticate(self, checks: list[Check], trust: TrustList, now: int) -> None:
        for check in checks:
            self._alone(check, self._decode, trust)  # 1, 2, 3, 4
        await self._check_signatures([check for check in checks if check.candidates])  # 5
        await self._tokens.look_up([check for check in checks if check.opaque_home and check.finding is None])
        for check in checks:
            self._alone(check, self._read_claims, trust)  # 6
            self._check_validity(check, trust, now)  # 7
        if len(checks) >= ROWS_MIN:  # a batch, of which more will come
            for check in checks:
                if check.row is None and check.claims is not None and check.finding is None:
                    self._layouts.learn(check.scan.code)

    def _alone(self, check: Check, step: Callable[[Check, TrustList], None], trust: TrustList) -> None:
        """Run a step that reads a stranger's bytes, so that a bug found by one code refuses that code and no other."""
        try:
            step(check, trust)
        except Exception as bug:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_MALFORMED)
            self._metrics.check_bugs.inc()
            # Neither message nor traceback: they could hold what the code says.
            _log.error("a check failed in a way that nobody expected: %s in %s", type(bug).__name__, step.__name__)

    def _decode(self, check: Check, trust: TrustList) -> None:
        if check.row is not None:
            check.signed = check.row.signed
            self._find_keys(check, check.signed, trust)
            return
        code = check.scan.code
        codec = codec_of(code)
        if not code:  # 1
            check.refuse(Authenticity.MALFORMED, Reason.CODE_EMPTY)
        elif len(code) > CODE_BYTES_MAX:
            check.refuse(Authenticity.MALFORMED, Reason.CODE_TOO_LARGE)
        elif codec is not None:  # 2
            self._decode_signed(check, codec, trust)
        else:
            check.opaque_home = trust.issuer_of_prefix(code)
            if check.opaque_home is None:
                check.refuse(Authenticity.MALFORMED, Reason.FORMAT_UNKNOWN)

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
            if check.key.state is KeyState.REVOKED:  # a revoked key is not even listened to
                check.refuse(Authenticity.KEY_NOT_VALID, Reason.KEY_REVOKED)
                return
            plain = check.row.claims(check.key) if check.row is not None else None
            said = plain or self._claims.read(check.key, check.signed.payload, trust)
            if isinstance(said, Claims):
                check.claims = said
            else:
                check.finding = said

    def _check_validity(self, check: Check, trust: TrustList, now: int) -> None:
        claims, skew = check.claims, self._tolerance.skew
        if claims is None or check.finding is not None:
            return
        if check.key is not None:
            check.finding = validity.key_fault(check.key, claims.issued_at, now, skew)
        check.finding = (
            check.finding or validity.source_fault(claims, trust, now, skew) or validity.window_fault(claims, now, skew)
        )

    async def _look_up_status(self, checks: list[Check]) -> None:
        authentic = [(check, check.claims) for check in checks if check.finding is None and check.claims is not None]
        if not authentic:
            return
        views = await self._statuses.lookup([claims.subject for _, claims in authentic])
        for (check, _), view in zip(authentic, views, strict=True):
            check.view = view

    def _decide(self, checks: list[Check], trust: TrustList, now: int) -> None:
        list_in_date = validity.is_in_date(trust, now, self._tolerance.grace)
        for check in checks:
            if check.finding is None and check.claims is not None and check.view is not None:
                facts = self._facts(check, check.claims, trust, now, list_in_date=list_in_date)
            else:
                facts = admission.Facts(check.finding)
            check.level = facts.level
            check.verdict = admission.decide(facts)

    def _facts(
        self, check: Check, claims: Claims, trust: TrustList, now: int, *, list_in_date: bool
    ) -> admission.Facts:
        view, host = check.view, trust.region(check.scan.host)
        reader = trust.region(claims.reader)
        claimed = Level.UNSPECIFIED
        if reader is not None and claims.level_word is not None:
            claimed = reader.levels.get(claims.level_word, Level.UNSPECIFIED)
        local = check.scan.host if host is not None and host.adopts_national and not check.scan.travels else None
        records = view.records if view is not None else ()
        standing = levels.standing(claimed, claims.spoken_at, claims.home, local, records, now)
        status = view.status if view is not None else Status.UNAVAILABLE
        if status is Status.CURRENT and not standing.counted:
            status = Status.NONE
        recognition, exception_id = Recognition.RECOGNISED, ""
        if host is None:
            recognition = Recognition.UNKNOWN_HOST
        elif suspension := self._exceptions.suspension(host.code, claims.home, now):
            recognition, exception_id = Recognition.SUSPENDED, suspension.id
        return admission.Facts(
            None,
            standing.red_by_national,
            standing.red_by_host,
            recognition,
            standing.level,
            status,
            list_in_date,
            claims.home,
            exception_id,
            view.age_s if view is not None and status is not Status.NONE else 0,
        )

    def _count(self, checks: list[Check], trust: TrustList) -> None:
        self._metrics.batch_codes.observe(len(checks))
        answers = Counter((check.answer.decision, check.answer.authenticity) for check in checks)
        for (decision, authenticity), count in answers.items():
            self._metrics.verdicts.labels(decision.name, authenticity.name).inc(count)
        scans = Counter((check.answer.home, check.scan.host) for check in checks)
        for (home, host), count in scans.items():
            known = host if host in trust.regions else UNKNOWN_REGION
            self._metrics.scans.labels(home or UNKNOWN_REGION, known).inc(count)
