"""What is this machine, and that no proxy of an environment stands between it and the clients."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from onecode_client import AsyncOnecodeClient, AsyncOperatorClient, OnecodeClient, OperatorClient, ServerError
from onecode_client.channels import OPTIONS, options_for
from onecode_client.loopback import UNPROXIED, is_local

from tests.proxies import CountingProxy

LOCAL = [
    "127.0.0.1:50051",
    "127.0.0.1",
    "127.8.9.10:1",
    "127.1:80",
    "0.0.0.0:80",
    "localhost:50051",
    "LocalHost:1",
    "localhost.:1",
    "a.localhost:1",
    "[::1]:50051",
    "::1",
    "[::1]",
    "[::]:80",
    "[::ffff:127.0.0.1]:80",
    "[::1%lo]:80",
    "ip6-localhost:80",
    "unix:/run/onecode.sock",
    "unix:onecode.sock",
    "unix:///run/onecode.sock",
    "unix-abstract:onecode",
    "dns:localhost:80",
    "dns:///127.0.0.1:80",
    "dns://10.0.0.1/localhost:80",
    "ipv4:127.0.0.1:80",
    "ipv4:127.0.0.1:80,127.0.0.2:80",
    "ipv6:[::1]:80",
    "passthrough:///127.0.0.1:80",
]
REMOTE = [
    "10.0.0.1:50051",
    "128.0.0.1:1",
    "onecode.example:50051",
    "localhost.example:1",
    "notlocalhost:1",
    "unix.example:1",
    "dns:80",
    "[2001:db8::1]:80",
    "::ffff:10.0.0.1",
    "dns:///onecode.example:80",
    "dns://127.0.0.1/onecode.example:80",
    "ipv4:127.0.0.1:80,10.0.0.1:80",
    "ipv6:[fe80::1]:80",
    "1270.0.0.1:80",
    "127.0.0.1.example:80",
    "xds:///onecode",
    "vsock:2:80",
]


@pytest.mark.parametrize("target", LOCAL)
def test_these_are_this_machine(target: str) -> None:
    assert is_local(target)
    assert options_for(target) == (*OPTIONS, *UNPROXIED)


@pytest.mark.parametrize("target", ["", ":", ":80", "[", "unix", *REMOTE])
def test_these_are_or_may_be_another(target: str) -> None:
    assert not is_local(target)
    assert options_for(target) == OPTIONS


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingProxy]:
    with CountingProxy() as listening:
        for name, value in listening.environment.items():
            monkeypatch.setenv(name, value)
        yield listening


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server without services, by the kind of its address."""
    serving = grpc.server(ThreadPoolExecutor())
    port = serving.add_insecure_port("127.0.0.1:0")
    unix, abstract = f"unix:{tmp_path}/socket", f"unix-abstract:onecode-{port}"
    addresses = {"address": f"127.0.0.1:{port}", "name": f"localhost:{port}", "uri": f"dns:///localhost:{port}"}
    serving.add_insecure_port(unix)
    serving.add_insecure_port(abstract)
    serving.start()
    yield addresses | {"unix": unix, "abstract": abstract}
    serving.stop(None).wait()


@pytest.mark.parametrize("kind", ["address", "name", "uri", "unix", "abstract"])
def test_the_clients_reach_this_machine_without_the_proxy(
    proxy: CountingProxy, server: dict[str, str], kind: str
) -> None:
    with OnecodeClient(server[kind]) as client, pytest.raises(ServerError, match="UNIMPLEMENTED"):
        client.verify(b"x", "110000")
    with OperatorClient(server[kind]) as operator, pytest.raises(ServerError, match="UNIMPLEMENTED"):
        operator.trust_list()
    assert proxy.asked == []


@pytest.mark.parametrize("kind", ["address", "name", "uri", "unix", "abstract"])
async def test_so_do_those_of_asyncio(proxy: CountingProxy, server: dict[str, str], kind: str) -> None:
    async with AsyncOnecodeClient(server[kind]) as client:
        with pytest.raises(ServerError, match="UNIMPLEMENTED"):
            await client.verify(b"x", "110000")
    async with AsyncOperatorClient(server[kind]) as operator:
        with pytest.raises(ServerError, match="UNIMPLEMENTED"):
            await operator.trust_list()
    assert proxy.asked == []


@pytest.mark.parametrize("made", [OnecodeClient, OperatorClient])
def test_a_server_elsewhere_is_still_reached_through_the_proxy(
    made: Any, proxy: CountingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRPC_ADDRESS_HTTP_PROXY")  # it would ask for the address behind the name
    with made("onecode.invalid:50051") as client, pytest.raises(ServerError, match="UNAVAILABLE"):
        client.verify(b"x", "110000") if made is OnecodeClient else client.trust_list()
    assert set(proxy.asked) == {"CONNECT onecode.invalid:50051 HTTP/1.1"}


def test_the_proxy_of_these_tests_is_one_that_grpc_would_take(proxy: CountingProxy, server: dict[str, str]) -> None:
    with grpc.insecure_channel(server["address"], options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/x/y")
        with pytest.raises(grpc.RpcError):
            call(b"", timeout=60)
    assert proxy.asked
    with socket.create_connection(("127.0.0.1", int(server["address"].rpartition(":")[2])), timeout=60):
        pass  # it was there all the time
