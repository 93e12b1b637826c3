"""The version that was kept outlives a process that is killed while it takes lists."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from onecode_client.offline import Offline, TrustListUnusable

from tests.world import World

KILLS, TAKEN = 5, 3
"""Kills, and the lists that are taken before each."""
PROGRAM = """
import sys
from pathlib import Path
from onecode_client.offline import Offline

root, kept, *lists = sys.argv[1:]
offline = None
for name, _ in zip(lists, sys.stdin):
    signed = Path(name).read_bytes()
    if offline is None:
        offline = Offline(signed, bytes.fromhex(root), Path(kept))
    offline.renew(signed)
    print(offline.version, flush=True)
"""


def killed_while_taking(lists: Sequence[Path], root: bytes, kept: Path, after_s: float) -> int:
    """Let a process take lists, kill it while it takes one more, and return the last version that it used."""
    asked = [sys.executable, "-c", PROGRAM, root.hex(), str(kept), *map(str, lists)]
    pipe = subprocess.PIPE
    with subprocess.Popen(asked, stdin=pipe, stdout=pipe, text=True) as taking:
        assert taking.stdin is not None
        assert taking.stdout is not None
        for _ in range(TAKEN):
            taking.stdin.write("\n")
            taking.stdin.flush()
            version = int(taking.stdout.readline())
        taking.stdin.write("\n")
        taking.stdin.flush()
        time.sleep(after_s)
        taking.kill()
        return max(version, *map(int, taking.stdout.read().split()), 0)


async def test_no_list_that_was_used_is_forgotten(world: World, tmp_path: Path) -> None:
    lists = []
    for number in range(KILLS * (TAKEN + 1) + 1):
        lists.append(tmp_path / f"list-{number}")
        lists[-1].write_bytes(world.file.read_bytes())
        world.sign_list()
    root, kept, used = world.root.public_key, tmp_path / "kept", 0
    for kill in range(KILLS):
        used = killed_while_taking(lists[used:], root, kept, kill / 2000)
        with pytest.raises(TrustListUnusable, match="older"):
            Offline(lists[used - 2].read_bytes(), root, kept)
    assert Offline(lists[-1].read_bytes(), root, kept).version == len(lists)
