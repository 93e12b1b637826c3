"""A store is shared by processes of one pid namespace, and a process of another one is told so."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.stores import pid_namespace
from onecode_server.stores.lmdb import LmdbStore

HOLDER = """
import sys
from pathlib import Path
from onecode_server.stores import pid_namespace
if sys.argv[2]:
    pid_namespace.own = lambda: sys.argv[2].encode()
held = pid_namespace.enter(Path(sys.argv[1]))
print("holds", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(directory: Path, own: str = "", *before: str) -> Iterator[None]:
    """A process that has the store open, in a namespace of another name or by a command put ``before`` it."""
    directory.mkdir(exist_ok=True)
    command = [*before, sys.executable, "-c", HOLDER, str(directory), own]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "holds\n"
            yield
        finally:
            child.stdin.close()
            child.wait()


async def test_processes_of_one_namespace_share_a_store(directory: Path) -> None:
    with holder(directory), holder(directory):
        store = LmdbStore(directory)
        await store.close()


async def test_a_process_of_another_namespace_is_refused_until_the_others_have_ended(directory: Path) -> None:
    with holder(directory, "another boot pid:[1]"), holder(directory, "another boot pid:[1]"):
        with pytest.raises(StoreUnavailable, match=r"open in another container .*one pid namespace"):
            LmdbStore(directory)
        assert not (directory / "data.mdb").exists()
    await LmdbStore(directory).close()


def test_whoever_is_refused_keeps_no_descriptor(directory: Path) -> None:
    with holder(directory, "another boot pid:[1]"):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                LmdbStore(directory)
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_real_namespace_is_told_from_this_one(directory: Path) -> None:
    unshare = shutil.which("unshare")
    apart = (str(unshare), "--map-root-user", "--pid", "--fork", "--mount-proc")
    if unshare is None or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no pid namespace can be made here")
    with holder(directory, "", *apart), pytest.raises(StoreUnavailable, match="another container"):
        LmdbStore(directory)


def test_where_a_system_has_no_namespaces_nothing_is_told_apart(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pid_namespace, "own", lambda: b"")
    directory.mkdir()
    held = [pid_namespace.enter(directory) for _ in range(2)]
    for descriptor in held:
        os.close(descriptor)
