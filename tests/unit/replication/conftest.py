"""A log in memory, and machines that apply it."""

import contextlib

import pytest

from tests.unit.replication.machines import member
from tests.unit.replication.memory_log import MachineInMemory, MemoryLog


@pytest.fixture
def memory_log():
    return MemoryLog()


@pytest.fixture
def start(memory_log, tmp_path):
    """Start machines, which know the rules of this program or others, each with an id of its own or the one that is
    given. All end behind the test."""
    with contextlib.ExitStack() as ends:

        def started(name, *versions, machine=None):
            made = MachineInMemory(tmp_path / name, memory_log, machine or member(), *versions)
            ends.callback(made.close)
            return made

        yield started
