"""Several processes on one store: each sees what the others wrote, and a killed one leaves nothing behind."""

import os
import subprocess
import sys
from contextlib import contextmanager

import lmdb

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import Publication

ANNA, BELA = b"a" * 16, b"b" * 16
RECORD = StatusRecord("420000", Scope.NATIONAL, Level.GREEN, 100, 200, 1, 1000)

PEER = f"""
import asyncio, sys
from pathlib import Path
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import Publication

async def answer():
    store = LmdbStore(Path(sys.argv[1]), lambda: 1000)
    print("ready", flush=True)
    for _ in sys.stdin:
        ((record,),) = (await store.statuses([{ANNA!r}])).records
        mine = record._replace(revision=record.revision + 1)
        await store.publish([Publication({BELA!r}, mine)], lambda known, record: (record,))
        print(record.revision, flush=True)

asyncio.run(answer())
"""

READER = """
import lmdb, sys
env = lmdb.open(sys.argv[1], max_dbs=4, create=False)
txn = env.begin()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def process(code, directory):
    """A real process that has said it is ready; killed at the end, if it lives still."""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def readers(directory):
    """Who holds a reader slot, as LMDB tells it."""
    with lmdb.open(str(directory), create=False) as env:
        return env.readers()


async def test_two_processes_see_each_others_writes_at_once(store, directory):
    with process(PEER, directory) as peer:
        for revision in (1, 5, 9):
            mine = RECORD._replace(revision=revision)
            await store.publish([Publication(ANNA, mine)], lambda _, record: (record,))
            peer.stdin.write("go\n")
            peer.stdin.flush()
            assert peer.stdout.readline() == f"{revision}\n"
            assert (await store.statuses([BELA])).records == [(mine._replace(revision=revision + 1),)]


async def test_the_reader_slot_of_a_killed_process_is_taken_back_when_the_store_is_next_opened(directory):
    await LmdbStore(directory, lambda: 1000).close()
    with process(READER, directory) as stays, process(READER, directory) as killed:
        killed.kill()
        killed.wait()
        assert str(killed.pid) in readers(directory)
        await LmdbStore(directory, lambda: 1000).close()
        assert str(killed.pid) not in readers(directory)
        assert str(stays.pid) in readers(directory)


async def test_a_process_killed_in_the_middle_of_a_commit_leaves_the_store_whole_and_open_to_writers(store, directory):
    writer = """
import lmdb, sys
env = lmdb.open(sys.argv[1], max_dbs=4, create=False)
txn = env.begin(db=env.open_db(b"statuses"), write=True)
txn.put(b"a" * 16, b"half a rec")
print("ready", flush=True)
sys.stdin.read()
"""
    with process(writer, directory) as killed:
        os.kill(killed.pid, 9)
        killed.wait()
        assert (await store.statuses([ANNA])).records == [()]
        assert await store.publish([Publication(ANNA, RECORD)], lambda _, record: (record,)) == [True]
