"""Calls to a native front that asks the test who calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.unit.rpc.front_driver import Driver, channel, driven, until

HOST: Final = "420000"
KIND: Final = "TOKEN_EXPIRED"
DENIED: Final = (16, "the token has ended", b"\x08\x10denied")


class Asked:
    """Calls of tokens, of which the test is asked."""

    def __init__(self, driver: Driver, calls: grpc.aio.Channel) -> None:
        self.driver, self.front = driver, driver.front
        self._stub = pb_grpc.RecognitionServiceStub(calls)
        self.calls = calls

    def verify(self, token: str | None = "one", host: str = HOST, **more: Any) -> Any:
        request = pb.VerifyRequest(code=b"code", host_region=host)
        return self._stub.Verify(request, metadata=metadata_of(token), **{"timeout": 10} | more)

    def batch(self, count: int, token: str = "one") -> Any:
        request = pb.BatchVerifyRequest(codes=[b"c"] * count, host_region=HOST)
        return self._stub.BatchVerify(request, metadata=metadata_of(token), timeout=10)

    async def asked(self) -> int:
        """Return the number of the only credential that is asked about."""
        await until(lambda: self.driver.asked)
        assert len(self.driver.asked) == 1
        return self.driver.asked.pop()[0]

    def grant(self, number: int, host: str | None = HOST, seconds: float = 60, units: int = 1000, **more: int) -> None:
        given = {"in_flight_max": 100, "group": number} | more
        self.front.grant(number, None if host is None else [host], seconds, units, **given)
        self.driver.turn()

    def deny(self, number: int, seconds: float = 60, *, ends_streams: bool = True) -> None:
        self.front.deny(number, DENIED, KIND, seconds, ends_streams)
        self.driver.turn()


def metadata_of(token: str | None) -> tuple[tuple[str, str], ...]:
    return () if token is None else (("authorization", f"Bearer {token}"),)


@asynccontextmanager
async def asked(**limits: Any) -> AsyncIterator[Asked]:
    async with driven(identifies=True, **limits) as driver, channel(driver) as calls:
        yield Asked(driver, calls)


async def fails(call: Any, status: tuple[int, str, bytes]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    assert (failed.value.code().value[0], failed.value.details()) == status[:2]
    assert dict(failed.value.trailing_metadata()).get("grpc-status-details-bin", b"") == status[2]
