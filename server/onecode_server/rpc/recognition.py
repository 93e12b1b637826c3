"""The RecognitionService: checks and translations, one at a time and in batches."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Final

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode_server.errors import InvalidRequest, Overloaded, PreconditionFailed
from onecode_server.model.code import Scan, Scans
from onecode_server.model.region import is_region_code
from onecode_server.model.scanned import SCAN_BYTES_MAX, enough
from onecode_server.rpc import convert, scan_stream
from onecode_server.rpc.callers import Caller
from onecode_server.rules.authorisation import Right
from onecode_server.translation.translator import Obstacle, Translator
from onecode_server.trust.source import TrustSource
from onecode_server.verification.batcher import Batcher, Remaining

BATCH_CODES_MAX: Final = 4096
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
SIGNED_TOGETHER: Final = 64
"""Translations that are signed without a pause by keys in memory: a full batch would block the event loop for half a
second."""
TRANSLATING_CODES_MAX: Final = 32_768
"""Codes of batches that are checked or signed at once: the queue's 16,384, and as many again. A token may take 20 s to
sign a batch, whose results, 2 KB a code, would otherwise pile up in each call that is admitted."""
TRANSLATED_S: Final = 5.0
"""The time after which a batch that was refused for others may come back: a token signs a thousand codes in it."""

_OBSTACLES: Final = {
    Obstacle.ALREADY_TRANSLATED: "the code is a translation already; scan the bearer's own code",
    Obstacle.LEVEL_WITHOUT_WORD: "the target region has no word for the level",
}


class RecognitionServicer(pb_grpc.RecognitionServiceServicer):
    """Converts requests to scans, and results to responses, some of them already serialized."""

    def __init__(self, batcher: Batcher, translator: Translator, trust: TrustSource, draining: asyncio.Event) -> None:
        self._batcher = batcher
        self._translator = translator
        self._trust = trust
        self._draining = draining
        self._translating_codes = 0
        self.expect_room = batcher.expect_room

    async def Verify(self, request: pb.VerifyRequest, caller: Caller) -> bytes:  # type: ignore[override]
        """Check one code. Raises InvalidRequest, NotPermitted, Overloaded, NotServing."""
        _expect_region(request.host_region, "host_region")
        caller.expect(Right.CHECK, request.host_region)
        result = await self._batcher.submit(Scan(request.code, request.host_region), caller.time_remaining)
        return convert.single(result.verdict, result.results.trust.version, result.results.checked_at)

    async def BatchVerify(self, request: pb.BatchVerifyRequest, caller: Caller) -> bytes:  # type: ignore[override]
        """Check many codes. Raises InvalidRequest, NotPermitted, Overloaded, NotServing."""
        _expect_region(request.host_region, "host_region")
        caller.expect(Right.CHECK, request.host_region)
        codes, host = read_batch(request.codes), request.host_region
        caller.charge_more(len(codes) - 1)
        del request  # only the codes wait, each within its bound
        return convert.batch(await self._batcher.submit_batch(Scans.at(host, codes), caller.time_remaining))

    async def StreamVerify(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.StreamVerifyRequest], caller: Caller
    ) -> AsyncIterator[bytes]:
        """Check codes as they come. Raises InvalidRequest, NotPermitted, NotServing."""
        async with aclosing(scan_stream.answers(request_iterator, caller, self._batcher, self._draining)) as answers:
            async for answer in answers:
                yield answer

    async def Translate(  # type: ignore[override]
        self, request: pb.TranslateRequest, caller: Caller
    ) -> pb.TranslateResponse:
        """Translate one code. Raises InvalidRequest, NotPermitted, PreconditionFailed, Overloaded, NotServing,
        SigningUnavailable."""
        _expect_region(request.target_region, "target_region")
        caller.expect(Right.TRANSLATE, request.target_region)
        self._translator.check_target(request.target_region, self._trust.current)
        scan = Scan(request.code, request.target_region, for_translation=True)
        result = await self._batcher.submit(scan, caller.time_remaining)
        made = await self._translator.translate(result.check, result.results)
        if made.obstacle is not Obstacle.NONE:
            raise PreconditionFailed(made.obstacle.name, _OBSTACLES[made.obstacle])
        return convert.translation(made)

    async def BatchTranslate(  # type: ignore[override]
        self, request: pb.BatchTranslateRequest, caller: Caller
    ) -> pb.BatchTranslateResponse:
        """Translate many codes. Raises InvalidRequest, NotPermitted, PreconditionFailed, Overloaded, NotServing,
        SigningUnavailable."""
        _expect_region(request.target_region, "target_region")
        caller.expect(Right.TRANSLATE, request.target_region)
        codes = read_batch(request.codes)
        caller.charge_more(len(codes) - 1)
        self._translator.check_target(request.target_region, self._trust.current)
        scans = Scans.at(request.target_region, codes, for_translation=True)
        del request, codes
        with self._translating(len(scans)):
            return await self._batch_translate(scans, caller.time_remaining)

    @contextmanager
    def _translating(self, codes: int) -> Iterator[None]:
        """Count codes that are being translated. Raises Overloaded where they are too many."""
        if self._translating_codes + codes > TRANSLATING_CODES_MAX:
            raise Overloaded(f"{self._translating_codes:,} codes are being translated", TRANSLATED_S)
        self._translating_codes += codes
        try:
            yield
        finally:
            self._translating_codes -= codes

    async def _batch_translate(self, scans: Scans, remaining: Remaining) -> pb.BatchTranslateResponse:
        checked = await self._batcher.submit_batch(scans, remaining)
        results = []
        for number, check in enumerate(checked.checks, 1):
            results.append(convert.batch_translation(await self._translator.translate(check, checked)))
            if number % SIGNED_TOGETHER == 0:
                await asyncio.sleep(0)
        return pb.BatchTranslateResponse(
            results=results,
            trust_list_version=checked.trust.version,
            checked_at=convert.timestamp(checked.checked_at),
        )


def _expect_region(text: str, field: str) -> None:
    if not is_region_code(text):
        raise InvalidRequest(f"{field.upper()}_INVALID", f"{field} is not six digits")


def read_batch(codes: Sequence[bytes]) -> list[bytes]:
    """Return the codes of a batch, each cut to the length that a check needs. Raises InvalidRequest."""
    read = list(codes)
    if not 1 <= len(read) <= BATCH_CODES_MAX:
        raise InvalidRequest("CODES_COUNT", f"a batch has 1 to {BATCH_CODES_MAX:,} codes, not {len(read):,}")
    sizes = list(map(len, read))
    if sum(sizes) > BATCH_BYTES_MAX:
        raise InvalidRequest("CODES_BYTES", f"a batch has at most {BATCH_BYTES_MAX:,} bytes of codes")
    return read if max(sizes) <= SCAN_BYTES_MAX else [*map(enough, read)]
