"""Free memory inside the C library's heap goes back to the operating system."""

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, random
from onecode_server.system import heap

def anonymous_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))

blocks = [bytes(size) for size in random.Random(1).choices([600, 1500, 5000, 9000], k=10_000)]
random.Random(2).shuffle(blocks)
del blocks[1_000:]  # the rest is spread over the whole heap
before = anonymous_kib()
asyncio.run(heap.trim_on_thread())
print(before - anonymous_kib())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_free_pages_between_blocks_in_use_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 16 * 1024  # of some 37 MiB that were freed


def test_without_glibc_nothing_happens() -> None:
    program = PROGRAM.replace("asyncio.run", "heap._malloc_trim = None\nasyncio.run")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1024
