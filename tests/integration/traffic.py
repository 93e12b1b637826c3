"""Callers of a server, as a day has them: all methods, many hosts, and each kind of thing that operations count."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc
from onecode_client import OperatorClient, status_record

from tests.integration.deployment import Deployment, Server, record

HOMES: Final = ("110000", "310000", "420000", "440000", "510000")
AT_HOME: Final = 0.7
"""The part of scans at the bearer's home."""
PAUSE_S: Final = 0.02
"""Between calls, so that the server and Prometheus have the rest of the machine."""


class Traffic:
    """A thread that calls a server until it is told to end, with a pause between calls. ``wrong`` are codes that it
    shows as well."""

    def __init__(self, server: Server, codes: dict[str, list[bytes]], pause_s: float = PAUSE_S) -> None:
        """Begin. ``codes`` are those of each home."""
        self.server = server
        self.codes = codes
        self.wrong: list[bytes] = []
        self._chances = random.Random(1)  # the same calls each time
        self.pause_s = pause_s
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End it, and wait for it."""
        self._ends.set()
        self._thread.join(30)

    def _run(self) -> None:
        for first in count(0, 50):
            if self._ends.is_set():
                return
            with self.server.channel(("grpc.max_reconnect_backoff_ms", 200)) as channel:
                stub = recognition_pb2_grpc.RecognitionServiceStub(channel)
                for number in range(first, first + 50):  # then a new connection, perhaps to another worker
                    with suppress(grpc.RpcError):  # a test may have killed the worker
                        self._call(stub, number)
                    if self._ends.wait(self.pause_s):
                        return

    def _call(self, stub: recognition_pb2_grpc.RecognitionServiceStub, number: int) -> None:
        home, elsewhere = (self._chances.choice(HOMES) for _ in range(2))
        host = home if self._chances.random() < AT_HOME else elsewhere
        code = self._chances.choice(self.codes[home])
        for wrong in self.wrong[number % 7 :: 7]:
            stub.Verify(pb.VerifyRequest(code=wrong, host_region=host), timeout=10)
        match number % 10:
            case 3:
                stub.BatchVerify(pb.BatchVerifyRequest(codes=self.codes[home], host_region=host), timeout=10)
            case 5:
                stub.Translate(pb.TranslateRequest(code=code, target_region="320000"), timeout=10)
            case 7:
                asked = pb.StreamVerifyRequest(request_id=number, code=code, host_region=host)
                list(stub.StreamVerify(iter([asked]), timeout=10))
            case 9:
                stub.Verify(pb.VerifyRequest(code=b"no code", host_region=host), timeout=10)
            case _:
                stub.Verify(pb.VerifyRequest(code=code, host_region=host), timeout=10)


@contextmanager
def traffic(server: Server, deployment: Deployment, pause_s: float = PAUSE_S) -> Iterator[Traffic]:
    """Call a server, publish a status and have an exception in effect there, until the end."""
    codes = {home: deployment.issue(home, count=20) for home in HOMES}
    publish(server)
    file_exception(server)
    running = Traffic(server, codes, pause_s)
    try:
        yield running
    finally:
        running.end()


def publish(server: Server, local_id: str = "li-na", **other: Any) -> None:
    """Publish a status."""
    with OperatorClient(server.address) as client:
        list(client.publish([status_record(record("420000", "GREEN", local_id, **other))]))


def file_exception(server: Server) -> None:
    """Have a host not recognise a home for some days."""
    now = datetime.now(UTC)
    with OperatorClient(server.address) as client:
        filed = client.report_exception(
            host_region="620000",
            home_region="310000",
            reason="a new variant",
            effective_from=now,
            effective_until=now + timedelta(days=3),
        )
        client.acknowledge_exception(filed.id)
