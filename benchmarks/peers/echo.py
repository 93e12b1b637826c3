"""The floor: a server of the same contract that checks nothing.

It is what grpc.aio costs by itself: the same library, event loop and options as onecode, messages that are parsed and
answers that are built for each call, with what a good code's verdict holds. What onecode adds to it is its own doing.
"""

import os
import time
from collections.abc import AsyncIterator
from typing import Any

os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")  # as onecode has it, before gRPC is loaded

import grpc.aio
import uvloop

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode.v1 import status_pb2

REQUEST_BYTES_MAX = 4 * 1024 * 1024 + 64 * 1024
VERDICT = pb.Verdict(
    decision=pb.DECISION_ADMIT,
    level=status_pb2.LEVEL_GREEN,
    authenticity=pb.AUTHENTICITY_VALID,
    status=pb.STATUS_CURRENT,
    recognition=pb.RECOGNITION_RECOGNISED,
    reason=pb.REASON_GREEN,
    home_region="110000",
)


class Echo(pb_grpc.RecognitionServiceServicer):
    """Verify, BatchVerify and StreamVerify."""

    async def Verify(self, request: pb.VerifyRequest, context: Any) -> pb.VerifyResponse:  # noqa: N802
        """Answer one code."""
        response = pb.VerifyResponse(verdict=VERDICT, trust_list_version=1)
        response.checked_at.FromNanoseconds(time.time_ns())
        return response

    async def BatchVerify(self, request: pb.BatchVerifyRequest, context: Any) -> pb.BatchVerifyResponse:  # noqa: N802
        """Answer many codes."""
        response = pb.BatchVerifyResponse(verdicts=[VERDICT for _ in request.codes], trust_list_version=1)
        response.checked_at.FromNanoseconds(time.time_ns())
        return response

    async def StreamVerify(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.StreamVerifyRequest], context: Any
    ) -> AsyncIterator[pb.StreamVerifyResponse]:
        """Answer codes as they come."""
        async for request in request_iterator:
            response = pb.StreamVerifyResponse(request_id=request.request_id, verdict=VERDICT, trust_list_version=1)
            response.checked_at.FromNanoseconds(time.time_ns())
            yield response


async def serve() -> None:
    """Serve until the process is ended."""
    options = [
        ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
        ("grpc.max_concurrent_streams", 100),
        ("grpc.http.overload_protection", 0),
    ]
    server = grpc.aio.server(options=options)
    pb_grpc.add_RecognitionServiceServicer_to_server(Echo(), server)  # type: ignore[abstract]  # others: UNIMPLEMENTED
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready grpc=127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve())
