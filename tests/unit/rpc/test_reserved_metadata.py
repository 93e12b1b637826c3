"""Metadata that only the front may set counts behind the front alone, and a stranger there is refused."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from onecode_server.model.identity import Identity, Role
from onecode_server.rpc.admission import Admission
from onecode_server.rpc.callers import Caller, Callers, CredentialsOf, shown_to_grpc
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.instrumented import InstrumentedServer
from onecode_server.rpc.reserved_metadata import CERTIFICATE_KEY, PEER_KEY, TOKEN_KEY, Gate, peer_of_connection
from onecode_server.rules.authorisation import NO_PARTNERS
from onecode_server.telemetry.metrics import Metrics

SERVICE = "test.Service"
CALLER = "ipv4:192.0.2.1:4711"


class AsShown:
    """An authenticator that makes what was shown to it the name of the caller."""

    partners = NO_PARTNERS

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return a caller that may do all."""
        return Identity(Role.LOCAL, name=f"{(certificate or b'').decode()} {authorization or ''}".strip())

    recall = identify

    def remembers(self, certificate: bytes | None, authorization: str | None) -> bool:
        """Return True: nobody is a stranger."""
        return True


class Serving:
    """A server that answers with what its caller has shown, by default the caller's address: behind a gate or not."""

    def __init__(self, gate: Gate | None, credentials_of: CredentialsOf | None = None) -> None:
        self.metrics, self._growth = Metrics(), Growth()
        peer_of = peer_of_connection if gate is None else gate.peer_of
        admission = Admission(self.metrics, self._growth, peer_of=peer_of)
        self.server = grpc.aio.server()
        callers = Callers(AsShown(), credentials_of or (lambda context: (peer_of(context).encode(), None, False)))

        async def answer(request: bytes, caller: Caller) -> bytes:
            return caller.identity.name.encode()

        server = InstrumentedServer(self.server, self.metrics, admission, callers, gate)
        server.add_registered_method_handlers(
            SERVICE, {"Verify": grpc.unary_unary_rpc_method_handler(answer, bytes, bytes)}
        )
        self._port = self.server.add_insecure_port("127.0.0.1:0")

    async def __aenter__(self) -> "Serving":
        await self.server.start()
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", (("grpc.enable_http_proxy", 0),))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()
        await self.server.stop(0)
        self._growth.close()

    async def shown(self, *metadata: tuple[str, str | bytes], method: str = "Verify") -> str:
        """Return what a call with this metadata has shown."""
        call: Any = self._channel.unary_unary(f"/{SERVICE}/{method}")
        answer: bytes = await call(b"", metadata=metadata, timeout=30)
        return answer.decode()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def behind(gate: Gate) -> AsyncIterator[Serving]:
    async with Serving(gate) as serving:
        yield serving


async def test_the_front_says_whose_call_it_is(behind: Serving, gate: Gate) -> None:
    assert await behind.shown((TOKEN_KEY, gate.token), (PEER_KEY, CALLER)) == CALLER
    assert (await behind.shown((TOKEN_KEY, gate.token))).startswith("ipv4:127.0.0.1:")


async def test_the_front_says_what_its_caller_has_shown(gate: Gate) -> None:
    async with Serving(gate, gate.credentials_of) as behind:
        token = (TOKEN_KEY, gate.token)
        assert await behind.shown(token, (CERTIFICATE_KEY, b"certificate"), ("authorization", "Bearer x")) == (
            "certificate Bearer x"
        )
        assert await behind.shown(token) == ""
        both = await behind.shown(token, ("authorization", "Bearer x"), ("authorization", "Bearer y"))
        assert both == "Bearer x, Bearer y", "who reads it refuses it"


async def test_no_caller_shows_a_certificate_by_metadata_elsewhere() -> None:
    async with Serving(None, shown_to_grpc) as plain:
        assert await plain.shown((CERTIFICATE_KEY, b"certificate"), ("authorization", "Bearer x")) == "Bearer x"


@pytest.mark.parametrize("method", ["Verify", "NoSuchMethod"])
@pytest.mark.parametrize("token", [None, "", "0" * 64])
async def test_a_stranger_behind_the_front_is_refused_and_counted(
    behind: Serving, token: str | None, method: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await behind.shown(*([] if token is None else [(TOKEN_KEY, token)]), (PEER_KEY, CALLER), method=method)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    details = dict(refused.value.trailing_metadata() or ())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(bytes(details)).details[0].Unpack(info)
    assert (info.reason, info.domain) == ("NOT_PERMITTED", "onecode")
    labels = {"reason": "stranger"}
    assert behind.metrics.registry.get_sample_value("onecode_refused_calls_total", labels) == 1


async def test_every_other_listener_ignores_what_a_caller_sets(gate: Gate) -> None:
    async with Serving(None) as plain:
        assert (await plain.shown((TOKEN_KEY, gate.token), (PEER_KEY, CALLER))).startswith("ipv4:127.0.0.1:")


def test_no_two_gates_have_one_token() -> None:
    assert len({Gate().token for _ in range(100)}) == 100
