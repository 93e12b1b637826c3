"""The test that the native front must pass before callers reach it: it answers as the listener behind it does.

A whole listener is started on a port that the system chooses, around a verifier whose verdicts are known. A good code
and a bad one are checked through the front and past it, and so is a request that the front has to pass on. The bytes of
the answers must be the same.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import grpc
import grpc.aio
import numpy as np

from onecode.v1 import recognition_pb2 as pb
from onecode_server.errors import Misconfigured
from onecode_server.model.code import Scans
from onecode_server.model.status import Level, Status
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Authenticity, Decision, Reason, Recognition, Verdict
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.health import HealthServicer
from onecode_server.rpc.listener import Services
from onecode_server.rpc.native_listener import NativeListener
from onecode_server.rpc.recognition import RecognitionServicer
from onecode_server.rpc.recognition_exceptions import ExceptionServicer
from onecode_server.rpc.reserved_metadata import TOKEN_KEY
from onecode_server.rpc.status import StatusServicer
from onecode_server.rpc.trust_list import TrustListServicer
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.batcher import Batcher
from onecode_server.verification.check import CheckResults

WITHIN_S: Final = 10.0
"""The test takes some 50 ms. A front that does not answer must not keep a server from starting."""
_METHOD: Final = "/onecode.v1.RecognitionService/Verify"
_GOOD: Final = b"good"
_ADMITTED: Final = Verdict(
    Decision.ADMIT, Level.GREEN, Authenticity.VALID, Status.CURRENT, Recognition.RECOGNISED, Reason.GREEN, "420000"
)
_REFUSED: Final = Verdict(
    Decision.REFUSE,
    Level.UNSPECIFIED,
    Authenticity.BAD_SIGNATURE,
    Status.UNSPECIFIED,
    Recognition.UNSPECIFIED,
    Reason.SIGNATURE_INVALID,
)
_LIST: Final = TrustList(7, 0, 0, b"", {}, (), {}, ())
_CHECKED_AT: Final = 1_800_000_000_123_456

_OPTIONS: Final = (
    # A proxy of the environment would look for this process on itself: by its target, or by its address.
    ("grpc.enable_http_proxy", 0),
    ("grpc.address_http_proxy_enabled_addresses", ""),
    ("grpc.use_local_subchannel_pool", 1),
)

_Answer = tuple[grpc.StatusCode, bytes]
"""The status of a call, and the bytes of its answer, or of the trailing metadata that says why it failed."""


class _KnownVerifier:
    """Gives known verdicts: the good code is admitted, and every other code refused."""

    async def verify(self, scans: Scans, _: Callable[[], bool] | None = None) -> CheckResults:
        """Check a batch of codes."""
        verdicts = [_ADMITTED if code == _GOOD else _REFUSED for code in scans.codes]
        return CheckResults(verdicts, np.arange(len(verdicts)), _LIST, _CHECKED_AT, [])


async def failure() -> str:
    """Return a description of the first wrong answer of the front, or an empty text."""
    try:
        async with asyncio.timeout(WITHIN_S):
            return await _first_wrong_answer()
    except TimeoutError:
        return f"no answer within {WITHIN_S:g} s"
    except (Misconfigured, OSError) as fault:
        return str(fault)


async def _first_wrong_answer() -> str:
    metrics, draining = Metrics(), asyncio.Event()
    verifier: Any = _KnownVerifier()
    batcher = Batcher(verifier, metrics)
    unused: Any = None  # only Verify is called
    services = Services(
        RecognitionServicer(batcher, unused, unused, draining),
        StatusServicer(unused, draining),
        ExceptionServicer(unused, unused),
        TrustListServicer(unused),
        HealthServicer(dict, draining),
        draining,
    )
    listener = NativeListener(
        services, batcher, metrics, OnlyLocal(), connections_max=8, reflects=False, shares_port=False
    )
    try:
        port = await listener.start("127.0.0.1", 0)
        async with _channel(f"127.0.0.1:{port}") as front, _channel(f"unix:{listener.path_behind}") as behind:
            for request in (
                pb.VerifyRequest(code=_GOOD, host_region="420000"),
                pb.VerifyRequest(code=b"bad", host_region="420000"),
                pb.VerifyRequest(code=_GOOD, host_region="nowhere"),
            ):
                expected = await _answer(behind, request, ((TOKEN_KEY, listener.token),))
                if (found := await _answer(front, request, ())) != expected:
                    return f"a known request was answered with {found[0].name}, or with other bytes"
    finally:
        await listener.drain(0)
    return ""


def _channel(target: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(target, _OPTIONS)


async def _answer(
    channel: grpc.aio.Channel, request: pb.VerifyRequest, metadata: tuple[tuple[str, str], ...]
) -> _Answer:
    verify: Any = channel.unary_unary(_METHOD)
    try:
        return grpc.StatusCode.OK, await verify(request.SerializeToString(), metadata=metadata)
    except grpc.aio.AioRpcError as fault:
        details = dict(fault.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        return fault.code(), bytes(details)
