"""A blocking client for commands, scripts and gateways that check codes in batches."""

from collections.abc import Iterable, Iterator
from typing import Final

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode_client.connection import DEADLINE_S, Connection, answered

BATCH_CODES_MAX: Final = 4096
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024


class OnecodeClient(Connection):
    """A connection to one server, ``HOST:PORT``. Use it in a ``with`` statement, or close it."""

    def __init__(self, server: str, deadline_s: float = DEADLINE_S) -> None:
        super().__init__(server, deadline_s)
        self._stub = pb_grpc.RecognitionServiceStub(self.channel)

    def verify(self, code: bytes, host_region: str) -> pb.VerifyResponse:
        """Check one code as scanned. Raises ServerError."""
        request = pb.VerifyRequest(code=code, host_region=host_region)
        return answered(lambda: self._stub.Verify(request, timeout=self.deadline_s))

    def verify_all(self, codes: Iterable[bytes], host_region: str) -> Iterator[pb.Verdict]:
        """Check any number of codes in batches; yields one verdict a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchVerifyRequest(codes=batch, host_region=host_region)
            yield from answered(lambda r=request: self._stub.BatchVerify(r, timeout=self.deadline_s)).verdicts  # type: ignore[misc]

    def translate(self, code: bytes, target_region: str) -> pb.TranslateResponse:
        """Translate one code as scanned. Raises ServerError."""
        request = pb.TranslateRequest(code=code, target_region=target_region)
        return answered(lambda: self._stub.Translate(request, timeout=self.deadline_s))

    def translate_all(self, codes: Iterable[bytes], target_region: str) -> Iterator[pb.BatchTranslateResult]:
        """Translate any number of codes in batches; yields one result a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchTranslateRequest(codes=batch, target_region=target_region)
            yield from answered(lambda r=request: self._stub.BatchTranslate(r, timeout=self.deadline_s)).results  # type: ignore[misc]


def batches(codes: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Group codes so that each group fits one call: at most 4,096 codes and 4 MiB."""
    batch: list[bytes] = []
    size = 0
    for code in codes:
        if batch and (len(batch) == BATCH_CODES_MAX or size + len(code) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(code)
        size += len(code)
    if batch:
        yield batch
