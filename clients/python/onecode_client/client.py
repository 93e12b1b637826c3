"""A blocking client for gateways, commands and scripts: single checks of many threads share calls."""

import threading
import time
from collections.abc import Iterable, Iterator
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode_client.access import Access
from onecode_client.batches import batches
from onecode_client.channels import CONNECTIONS, Line
from onecode_client.connection import DEADLINE_S, Connection
from onecode_client.errors import closed, overdue
from onecode_client.gathering import Batch, Caller, Gathering
from onecode_client.tls import Tls

_Line = Line[grpc.Channel, pb_grpc.RecognitionServiceStub]


class _Caller(Caller):
    """A waiting thread. A lock that is released once costs less than an Event, which is implemented in Python."""

    __slots__ = ("answer", "done", "fault")

    def __init__(self, code: bytes, host_region: str, deadline_s: float) -> None:
        super().__init__(code, host_region, deadline_s)
        self.answer: pb.VerifyResponse | None = None
        self.fault: Exception | None = None
        self.done = threading.Lock()
        self.done.acquire()


class OnecodeClient(Connection[pb_grpc.RecognitionServiceStub]):
    """A client of one server, ``HOST:PORT``. Use it in a ``with`` statement, or close it.

    It is safe for threads: checks that they ``verify`` at the same time are gathered into batch calls. The client opens
    up to ``connections`` (1 to 64), each when the others are busy. ``deadline_s`` is the time for a call, in seconds,
    where the call sets none. With ``wait_for_ready``, a call waits as long for an unreachable server; else it is tried
    four times within a second. Make the client after a fork, not before.

    With ``tls`` the connections are TLS, else plaintext; ``token_file`` has a token that is sent with every call. The
    files may be replaced at any time, and are looked at once a second: calls go on.
    """

    def __init__(
        self,
        server: str,
        deadline_s: float = DEADLINE_S,
        *,
        connections: int = CONNECTIONS,
        wait_for_ready: bool = False,
        tls: Tls | None = None,
        token_file: Path | None = None,
    ) -> None:
        """Connect later, at the first call.

        Raises ValueError where ``connections`` is not 1 to 64, and CredentialsUnusable, which is one.
        """
        access = Access(server, tls, token_file)
        super().__init__(access, pb_grpc.RecognitionServiceStub, deadline_s, connections, wait_for_ready=wait_for_ready)
        self._gathering = Gathering[_Caller](connections)
        self._lock = threading.Lock()

    def verify(self, code: bytes, host_region: str, *, deadline_s: float | None = None) -> pb.VerifyResponse:
        """Check one code as scanned, together with those that other threads check for the same host meanwhile.

        Where no call for the host is in flight, the code is sent at once, alone. Raises ServerError: at its own
        deadline (DEADLINE_EXCEEDED), and where the shared call failed. Raises TypeError or ValueError where a request
        cannot hold these arguments.
        """
        self._pool.expect_own_process()
        patience_s = self.deadline_s if deadline_s is None else deadline_s
        caller = _Caller(code, host_region, time.monotonic() + patience_s)
        with self._lock:
            self._gathering.add(caller)
            batch = self._gathering.take()
        if batch is not None and batch.callers == [caller]:
            return self._verify_alone(batch, patience_s)
        self._send(batch)
        try:
            if not caller.done.acquire(timeout=max(0.0, min(patience_s, threading.TIMEOUT_MAX))):
                raise overdue()
        finally:
            if caller.answer is None and caller.fault is None:
                with self._lock:
                    self._gathering.leave(caller)
        if caller.answer is None:
            raise caller.fault or closed()
        return caller.answer

    def verify_all(self, codes: Iterable[bytes], host_region: str) -> Iterator[pb.Verdict]:
        """Check any number of codes in batches; yields one verdict a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchVerifyRequest(codes=batch, host_region=host_region)
            yield from self._answered(lambda stub: stub.BatchVerify, request).verdicts

    def translate(self, code: bytes, target_region: str) -> pb.TranslateResponse:
        """Translate one code as scanned. Raises ServerError."""
        request = pb.TranslateRequest(code=code, target_region=target_region)
        return self._answered(lambda stub: stub.Translate, request)

    def translate_all(self, codes: Iterable[bytes], target_region: str) -> Iterator[pb.BatchTranslateResult]:
        """Translate any number of codes in batches; yields one result a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchTranslateRequest(codes=batch, target_region=target_region)
            yield from self._answered(lambda stub: stub.BatchTranslate, request).results

    def close(self) -> None:
        """Close the connections. Callers that still wait for an answer get ServerError (CANCELLED, CLIENT_CLOSED)."""
        with self._lock:
            self._is_closed = True
            left = self._gathering.close()
        for caller in left:
            _complete(caller, fault=closed())
        super().close()  # ends the calls in flight, which pass this on to their callers

    def _verify_alone(self, batch: Batch[_Caller], patience_s: float) -> pb.VerifyResponse:
        try:
            return self._answered(lambda stub: stub.Verify, batch.request_alone(), patience_s)
        finally:
            self._end(batch)

    def _send(self, batch: Batch[_Caller] | None) -> None:
        """Send a batch, and any other that may be sent. A thread of gRPC handles the end of each call.

        No caller's thread carries the call of others, so that each caller may time out, or be interrupted, alone.
        """
        while batch is not None:
            try:
                line = self._pool.take()
                try:
                    call = self._call(line.stub, batch)
                except BaseException:
                    self._pool.give_back(line)
                    raise
                call.add_done_callback(partial(self._ended, batch, line))
            except Exception as fault:  # closed meanwhile, or a host region that is no text
                _fail_all(batch, closed() if self._is_closed else fault)
                with self._lock:
                    self._gathering.end(batch)
            with self._lock:
                batch = self._gathering.take()

    def _call(self, stub: pb_grpc.RecognitionServiceStub, batch: Batch[_Caller]) -> Any:
        how: dict[str, Any] = {
            "timeout": max(0.0, batch.timeout_s()),
            "wait_for_ready": self._wait_for_ready,
            "metadata": self._access.metadata(),
        }
        if len(batch.callers) == 1:
            return stub.Verify.future(batch.request_alone(), **how)
        return stub.BatchVerify.future(batch.request(), **how)

    def _ended(self, batch: Batch[_Caller], line: _Line, call: Any) -> None:
        self._pool.give_back(line)
        try:
            for caller, answer in zip(batch.callers, batch.answers(call.result()), strict=True):
                _complete(caller, answer=answer)
        except grpc.RpcError as fault:
            _fail_all(batch, closed() if self._is_closed else self._access.error(fault))
        except Exception as fault:  # a call that close() cancelled, or an answer that does not fit
            _fail_all(batch, closed() if self._is_closed else fault)
        self._end(batch)

    def _end(self, batch: Batch[_Caller]) -> None:
        with self._lock:
            self._gathering.end(batch)
            waiting = self._gathering.take()
        self._send(waiting)


def _complete(caller: _Caller, answer: pb.VerifyResponse | None = None, fault: Exception | None = None) -> None:
    caller.answer, caller.fault = answer, fault
    caller.done.release()


def _fail_all(batch: Batch[_Caller], fault: Exception) -> None:
    for caller in batch.callers:
        _complete(caller, fault=copy(fault))  # a copy for each, since raising an exception changes it
