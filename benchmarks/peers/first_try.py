"""A first try at the same contract: what a good Python developer writes before measuring anything.

grpc.aio on the standard event loop; each code is checked by itself, in order, as its call comes. What can be prepared
once is: keys and mappings are read at start, and one LMDB transaction serves a whole call. It reads the data directory
of ``onecode init`` and its store.

It makes the same decisions after the same checks, and leaves out what costs CPU and decides nothing in the benchmark:
metrics, limits, translations, a new trust list without a restart. That makes it faster, not slower.
"""

import argparse
import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grpc
import lmdb

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode.v1 import status_pb2
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.rules.recognition import is_in_effect
from onecode_server.stores import layout

from benchmarks.peers.first_try_codes import NATIONAL, CodeReader, Refused

EXCEPTIONS_S = 1.0
REQUEST_BYTES_MAX = 4 * 1024 * 1024 + 64 * 1024


class FirstTry(pb_grpc.RecognitionServiceServicer):
    """Verify and BatchVerify."""

    def __init__(self, data_dir: Path, skew_s: float) -> None:
        self.store = lmdb.open(str(data_dir / "store"), readonly=True, max_dbs=4)
        names = (b"statuses", b"tokens", b"reports")
        self.statuses, tokens, self.reports = (self.store.open_db(name, create=False) for name in names)
        self.reader = CodeReader(data_dir, tokens, skew_s)
        self.exceptions: dict[tuple[str, str], list[RecognitionException]] = {}

    async def keep_exceptions(self) -> None:
        """Read the recognition exceptions again every second, as the other server does."""
        while True:
            exceptions: dict[tuple[str, str], list[RecognitionException]] = {}
            with self.store.begin() as txn:
                for _, data in txn.cursor(db=self.reports):
                    report = layout.unpack_exception(data)
                    exceptions.setdefault((report.host, report.home), []).append(report)
            self.exceptions = exceptions
            await asyncio.sleep(EXCEPTIONS_S)

    async def Verify(self, request: pb.VerifyRequest, context: Any) -> pb.VerifyResponse:  # noqa: N802
        """Check one code."""
        now_s = time.time()
        with self.store.begin() as txn:
            verdict = self.check(request.code, request.host_region, txn, now_s)
        response = pb.VerifyResponse(verdict=verdict, trust_list_version=self.reader.version)
        response.checked_at.FromNanoseconds(int(now_s * 1e9))
        return response

    async def BatchVerify(self, request: pb.BatchVerifyRequest, context: Any) -> pb.BatchVerifyResponse:  # noqa: N802
        """Check many codes."""
        now_s, host = time.time(), request.host_region
        with self.store.begin() as txn:
            verdicts = [self.check(code, host, txn, now_s) for code in request.codes]
        response = pb.BatchVerifyResponse(verdicts=verdicts, trust_list_version=self.reader.version)
        response.checked_at.FromNanoseconds(int(now_s * 1e9))
        return response

    def check(self, code: bytes, host: str, txn: Any, now_s: float) -> pb.Verdict:
        """Decide on one code."""
        try:
            home, subject, level, issued_at_s = self.reader.authenticate(code, txn, now_s)
        except Refused as why:
            return pb.Verdict(decision=pb.DECISION_REFUSE, authenticity=why.authenticity, reason=why.reason)
        now = int(now_s * 1e6)
        data = txn.get(subject, db=self.statuses)
        records = layout.unpack_records(data) if data else ()
        ours = newest(records, home, Scope.NATIONAL, now)
        if ours and ours.effective_at < issued_at_s * 1e6:
            ours = None  # the code is newer than the record
        national = ours if home == NATIONAL else newest(records, NATIONAL, Scope.NATIONAL, now)
        host_region = self.reader.regions.get(host)
        local = None
        if host_region and host_region.get("adopts_national"):
            local = newest(records, host, Scope.LOCAL, now)
        if ours:
            level = ours.level
        beside = [record.level for record in (national, local) if record]
        if level is not Level.UNSPECIFIED or Level.RED in beside:
            level = max(level, *beside, Level.UNSPECIFIED)

        exception = next((e for e in self.exceptions.get((host, home), ()) if is_in_effect(e, now)), None)
        recognition = pb.RECOGNITION_RECOGNISED
        if not host_region:
            recognition = pb.RECOGNITION_UNKNOWN_HOST
        elif exception:
            recognition = pb.RECOGNITION_SUSPENDED
        decision, level_shown, reason = self.decide(level, national, local, recognition, now_s)
        return pb.Verdict(
            decision=decision,
            level=level_shown,
            authenticity=pb.AUTHENTICITY_VALID,
            status=pb.STATUS_CURRENT if ours or national or local else pb.STATUS_NONE,
            recognition=recognition,
            reason=reason,
            home_region=home,
            exception_id=exception.id if exception else "",
        )

    def decide(
        self, level: Level, national: StatusRecord | None, local: StatusRecord | None, recognition: Any, now_s: float
    ) -> tuple[Any, Any, Any]:
        """Return decision, level to show and reason."""
        shown, reason = status_pb2.LEVEL_UNSPECIFIED, pb.REASON_LEVEL_UNMAPPED
        if national and national.level is Level.RED:
            return pb.DECISION_REFUSE, status_pb2.LEVEL_RED, pb.REASON_RED_BY_NATIONAL_AUTHORITY
        if local and local.level is Level.RED:
            return pb.DECISION_REFUSE, status_pb2.LEVEL_RED, pb.REASON_RED_BY_HOST
        if recognition == pb.RECOGNITION_UNKNOWN_HOST:
            reason = pb.REASON_HOST_UNKNOWN
        elif recognition == pb.RECOGNITION_SUSPENDED:
            reason = pb.REASON_RECOGNITION_SUSPENDED
        elif level is Level.RED:
            return pb.DECISION_REFUSE, status_pb2.LEVEL_RED, pb.REASON_RED
        elif level is Level.YELLOW:
            shown, reason = status_pb2.LEVEL_YELLOW, pb.REASON_YELLOW
        elif level is Level.GREEN:
            if now_s <= self.reader.list_ends_s:
                return pb.DECISION_ADMIT, status_pb2.LEVEL_GREEN, pb.REASON_GREEN
            reason = pb.REASON_TRUST_LIST_OUT_OF_DATE
        return pb.DECISION_CHECK, shown, reason


def newest(records: Iterable[StatusRecord], publisher: str, scope: Scope, now: int) -> StatusRecord | None:
    """Return a publisher's record with the highest revision that is in effect."""
    found = [r for r in records if r.publisher == publisher and r.scope is scope and r.effective_at <= now]
    record = max(found, key=lambda r: r.revision, default=None)
    return None if record is None or (record.expires_at is not None and record.expires_at <= now) else record


async def serve(data_dir: Path, skew_s: float) -> None:
    """Serve until the process is ended."""
    first_try = FirstTry(data_dir, skew_s)  # type: ignore[abstract]  # the other methods are UNIMPLEMENTED
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", REQUEST_BYTES_MAX)])
    pb_grpc.add_RecognitionServiceServicer_to_server(first_try, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready grpc=127.0.0.1:{port}", flush=True)
    await asyncio.gather(first_try.keep_exceptions(), server.wait_for_termination())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--skew-s", type=float, default=60.0)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.data_dir, arguments.skew_s))
