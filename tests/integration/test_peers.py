"""The benchmark's peers give the verdicts that the server gives: else comparing their speed means nothing."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import agreement, servers, workload
from benchmarks.workload import BAD_EVERY, SPOILT, SPOILT_CODES

POOL_CODES = 500


@pytest.mark.timeout(300)
def test_peers_decide_as_the_server_does_about_good_and_bad_codes(tmp_path: Path) -> None:
    """Peers in other languages take part where `make bench-peers` has built them, and the native front where it is."""
    data_dir = tmp_path / "data"
    pools = workload.make(data_dir, POOL_CODES, names=())  # the mix has the other formats
    assert pools["mix"].bad == POOL_CODES // BAD_EVERY
    assert pools[SPOILT].bad == SPOILT_CODES
    commands = servers.commands(data_dir)
    del commands["echo"]
    with ExitStack() as running:
        everyone = {
            name: running.enter_context(servers.running(name, command, data_dir)) for name, command in commands.items()
        }
        assert agreement.check(everyone, pools) == sum(len(pool.codes) for pool in pools.values())
