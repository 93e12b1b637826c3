"""A reserved port: the workers can listen on it, and nobody else can, whatever they ask for and whenever."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.workers.reservation import reserved

HOST = "127.0.0.1"


def listen(port: int, *, shares: bool, reuses: bool = True, host: str = HOST) -> socket.socket:
    """Listen as a worker does (``shares``), as a server alone does (``reuses``), or as any program may."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuses)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shares)
        made.bind((host, port))
        made.listen()
    except OSError:
        made.close()
        raise
    return made


@pytest.fixture
def port() -> Iterator[int]:
    with reserved(HOST, 0) as number:
        yield number


def test_workers_share_what_is_reserved(port: int):
    with listen(port, shares=True) as one, listen(port, shares=True) as other:
        assert one.getsockname() == other.getsockname() == (HOST, port)


@pytest.mark.parametrize("reuses", [True, False])
@pytest.mark.parametrize("there_are_workers", [True, False])
def test_nobody_listens_there_alone(port: int, there_are_workers: bool, reuses: bool):
    with ExitStack() as workers:
        if there_are_workers:
            workers.enter_context(listen(port, shares=True))
        with pytest.raises(OSError, match="in use"):
            listen(port, shares=False, reuses=reuses)


@pytest.mark.parametrize("there_are_workers", [True, False])
def test_nobody_reserves_it_again(port: int, there_are_workers: bool):
    with ExitStack() as workers:
        if there_are_workers:
            workers.enter_context(listen(port, shares=True))
        with pytest.raises(Misconfigured, match=f"cannot listen on {HOST}:{port}: it is taken"), reserved(HOST, port):
            pass


@pytest.mark.parametrize("shares", [True, False])
def test_where_somebody_listens_nothing_is_reserved(shares: bool):
    with listen(0, shares=shares) as there:
        port = there.getsockname()[1]
        with pytest.raises(Misconfigured, match="it is taken"), reserved(HOST, port):
            pass


def test_nothing_listens_on_a_port_that_is_only_reserved(port: int):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), timeout=10)


@pytest.mark.parametrize("shares", [True, False])
def test_connections_of_an_earlier_server_are_in_nobodys_way(shares: bool):
    with reserved(HOST, 0) as number:
        pass
    with listen(number, shares=shares) as earlier, socket.create_connection((HOST, number)) as thread:
        earlier.accept()[0].close()  # who closes first keeps the connection for a minute (TIME_WAIT)
        assert thread.recv(1) == b""
    with reserved(HOST, number) as again, listen(again, shares=True):
        pass
    with listen(number, shares=False):
        pass


def test_of_many_that_ask_at_once_one_is_given_the_port():
    with reserved(HOST, 0) as number:
        pass
    for _ in range(50):
        together, all_asked = threading.Barrier(8), threading.Barrier(8)
        given: list[bool] = []

        def ask(together=together, all_asked=all_asked, given=given) -> None:
            together.wait(30)
            try:
                with reserved(HOST, number):
                    given.append(True)
                    all_asked.wait(30)
            except Misconfigured:
                all_asked.wait(30)

        askers = [threading.Thread(target=ask) for _ in range(8)]
        for thread in askers:
            thread.start()
        for thread in askers:
            thread.join(60)
        assert given == [True]


def test_a_name_is_reserved_at_all_of_its_addresses():
    addresses = {found[4][0] for found in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)}
    with reserved("localhost", 0) as number:
        for address in addresses:
            with pytest.raises(OSError):
                listen(number, shares=False, host=str(address))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_what_is_not_of_this_machine_is_told_as_such(host: str):
    with pytest.raises(Misconfigured, match=r"cannot listen on \[?\S+\]?:0: .* not of this machine"), reserved(host, 0):
        pass
