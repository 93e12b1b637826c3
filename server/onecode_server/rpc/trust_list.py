"""The TrustListService: returns the signed trust list, so that partners can verify offline."""

from onecode.v1 import trust_list_pb2 as pb
from onecode.v1 import trust_list_pb2_grpc as pb_grpc
from onecode_server.rpc.callers import Caller
from onecode_server.trust.source import TrustSource


class TrustListServicer(pb_grpc.TrustListServiceServicer):
    """Returns the trust list in force."""

    def __init__(self, trust: TrustSource) -> None:
        self._trust = trust

    async def GetTrustList(  # type: ignore[override]
        self, request: pb.GetTrustListRequest, caller: Caller
    ) -> pb.GetTrustListResponse:
        """Return the list in force where it is newer than the caller's. Raises NotServing."""
        version = self._trust.current.version
        newer = version > request.if_newer_than
        return pb.GetTrustListResponse(version=version, signed_list=self._trust.file if newer else b"")
