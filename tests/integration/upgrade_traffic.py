"""A publisher and a scanner that go on while machines of a log are replaced: what each was told, and by whom."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

import grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc
from onecode_client import OperatorClient, ServerError, status_record

from tests.integration.deployment import record

REGION = "420000"
PATIENCE_S = 60
"""What a server needs to start again on a machine that is busy with other things."""
PAUSE_S = 0.02


class _Background:
    """A thread that runs until it is told to end. An exception of it is raised by ``end``."""

    def __init__(self) -> None:
        self._ends = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._guarded, daemon=True)

    def end(self) -> None:
        self._ends.set()
        self._thread.join(PATIENCE_S + 30)
        assert not self._thread.is_alive()
        if self._fault is not None:
            raise self._fault

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as fault:
            self._fault = fault

    def _run(self) -> None:
        raise NotImplementedError


class Publisher(_Background):
    """Publishes a YELLOW record of another subject every PAUSE_S, at one address. ``acknowledged`` counts those that
    are on disk, and ``breaks`` the codes of what interrupted it."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.acknowledged, self.breaks = 0, Counter[str]()
        self._address = address
        self._thread.start()

    def _run(self) -> None:
        with OperatorClient(self._address) as client:
            for answer in client.publish(self._records(), patience_s=PATIENCE_S, interrupted=self._note):
                assert not answer.rejections
                self.acknowledged = answer.durable_through

    def _records(self) -> Iterator[Any]:
        for number in count(1):
            if self._ends.wait(PAUSE_S):
                return
            yield status_record(record(REGION, "YELLOW", f"bearer {number}"))

    def _note(self, fault: ServerError) -> None:
        self.breaks[fault.code] += 1


class Answer(NamedTuple):
    """What a call for a code was told by the machine ``at``: the verdict, or the code of the failure. ``is_away`` tells
    whether that machine was being replaced when the call began or ended."""

    at: int
    code: int
    verdict: pb.Verdict | None
    failure: grpc.StatusCode | None
    is_away: bool


class Scanner(_Background):
    """Asks each of several machines for each code in turn, without repeating a call. ``away`` are the machines that are
    being replaced, and ``answers`` all that was said."""

    def __init__(self, addresses: Sequence[str], codes: Sequence[bytes]) -> None:
        super().__init__()
        self.away: set[int] = set()
        self.answers: list[Answer] = []
        self._addresses, self._codes = addresses, codes
        self._thread.start()

    def _run(self) -> None:
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200))
        channels = [grpc.insecure_channel(address, options=options) for address in self._addresses]
        stubs = [recognition_pb2_grpc.RecognitionServiceStub(channel) for channel in channels]
        while not self._ends.wait(PAUSE_S):
            for at, stub in enumerate(stubs):
                for code in range(len(self._codes)):
                    self.answers.append(self._ask(at, stub, code))
        for channel in channels:
            channel.close()

    def _ask(self, at: int, stub: recognition_pb2_grpc.RecognitionServiceStub, code: int) -> Answer:
        was_away, verdict, failure = at in self.away, None, None
        try:
            verdict = stub.Verify(pb.VerifyRequest(code=self._codes[code], host_region="110000"), timeout=30).verdict
        except grpc.RpcError as fault:
            failure = fault.code()
        return Answer(at, code, verdict, failure, was_away or at in self.away)


def collected(ask: Callable[[], pb.Verdict], for_s: float, until: Callable[[], bool]) -> list[pb.Verdict]:
    """Return what is said from now on until something holds, and ``for_s`` seconds longer."""
    found, ends_s = [], None
    deadline_s = time.monotonic() + PATIENCE_S
    while ends_s is None or time.monotonic() < ends_s:
        found.append(ask())
        if ends_s is None and until():
            ends_s = time.monotonic() + for_s
        assert time.monotonic() < deadline_s
        time.sleep(PAUSE_S)
    return found
