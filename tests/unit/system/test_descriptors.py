"""How many connections fit a limit on descriptors, and the descriptor that is kept for when there is none left."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from onecode_server.errors import Misconfigured
from onecode_server.system import descriptors
from onecode_server.system.descriptors import (
    CONNECTIONS_MAX,
    CONNECTIONS_MIN,
    OWN,
    Spare,
    addresses_of,
    connections_max,
)


@contextmanager
def limited(soft: int, hard: int | None = None) -> Iterator[None]:
    """A limit on descriptors for a time."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1] if hard is None else hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def none_left() -> Iterator[None]:
    """Take every descriptor that there is."""
    taken = []
    with limited(256):
        try:
            with suppress(OSError):
                while True:
                    taken.append(os.open(os.devnull, os.O_RDONLY))
            yield
        finally:
            for one in taken:
                os.close(one)


@pytest.mark.parametrize(
    ("limit", "expected"), [(OWN + CONNECTIONS_MIN, CONNECTIONS_MIN), (256, 192), (1024, 960), (10**6, CONNECTIONS_MAX)]
)
def test_connections_leave_the_process_its_own_descriptors(monkeypatch, limit, expected):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert connections_max() == expected


def test_the_addresses_of_a_name_share_what_there_is(monkeypatch):
    both = [(0, 0, 0, "", ("127.0.0.1", 0)), (0, 0, 0, "", ("::1", 0, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert connections_max(addresses=addresses_of("localhost")) == 96


def test_a_host_that_has_no_address_is_for_the_listener_to_refuse():
    assert addresses_of("no such host") == 1


def test_connections_that_take_several_descriptors_each_are_fewer(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert connections_max(descriptors_each=3) == 64
    monkeypatch.setattr(resource, "getrlimit", lambda _: (111, 111))
    with pytest.raises(Misconfigured, match="111 open files are too few for a server, which needs 112"):
        connections_max(descriptors_each=3)


def test_without_a_limit_there_are_still_not_more_connections_than_a_worker_can_answer(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert connections_max() == connections_max(descriptors_each=3) == CONNECTIONS_MAX


def test_a_limit_that_leaves_too_few_connections_is_a_mistake_of_who_set_it(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (79, 79))
    with pytest.raises(Misconfigured, match="79 open files are too few"):
        connections_max()


def test_the_soft_limit_is_raised_to_the_hard_one():
    with limited(128):
        descriptors.raise_limit()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == hard > 128


@pytest.mark.parametrize("fault", [ValueError, PermissionError])
def test_a_limit_that_the_system_does_not_let_be_raised_stays(monkeypatch, fault):
    def refuses(*_):
        raise fault

    monkeypatch.setattr(resource, "setrlimit", refuses)
    descriptors.raise_limit()


def test_the_spare_opens_a_file_where_no_descriptor_is_left(tmp_path: Path):
    file, spare = tmp_path / "list", Spare()
    file.write_bytes(b"content")
    with none_left():
        for _ in range(3):
            handle = spare.open(file)
            assert os.read(handle, 100) == b"content"
            os.close(handle)
            spare.refill()
        with pytest.raises(OSError, match="Too many open files"):
            os.open(file, os.O_RDONLY)
    spare.close()


def test_a_spare_that_somebody_else_took_is_found_again_later(tmp_path: Path):
    file, spare = tmp_path / "list", Spare()
    file.write_bytes(b"content")
    with none_left():
        handle = spare.open(file)  # the last one there was
        spare.refill()
        for _ in range(2):
            with pytest.raises(OSError, match="Too many open files"):
                spare.open(file)
        os.close(handle)
        spare.refill()
        os.close(spare.open(file))
    spare.close()


def test_another_fault_than_too_many_files_leaves_the_spare_alone(tmp_path: Path):
    spare = Spare()
    with none_left():
        with pytest.raises(FileNotFoundError):
            spare.open(tmp_path / "none")
        os.close(spare.open(tmp_path))
    spare.close()
    spare.close()  # and twice does no harm


def test_a_spare_is_let_go_of_with_its_owner():
    before = len(os.listdir("/dev/fd"))
    spare = Spare()
    assert len(os.listdir("/dev/fd")) == before + 1
    del spare
    assert len(os.listdir("/dev/fd")) == before
