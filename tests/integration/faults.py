"""Faults that operations are told about, made on a running server of several workers."""

import json
import os
import signal
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

import grpc

from onecode_server.crypto.signing import Signer, read_secret
from onecode_server.trust import document as trust_list

from tests.integration.deployment import Deployment, command, eventually, expect
from tests.integration.full_disk import full_disk, publish_many
from tests.integration.observed import Observed
from tests.integration.several_workers import RESPAWNED_S, pids

_SECOND_US: Final = 1_000_000
_published: Final = count(1)


@contextmanager
def store_full(running: Observed, *slots: str) -> Iterator[None]:
    """Have the store refuse what a publisher sends, at these workers or at all, until the end. One of them has met it
    once this has begun."""
    found = pids(running.server)
    with full_disk(running.server, running.deployment, *(found[slot] for slot in slots or found)):
        eventually(lambda: _publish(running) and running.server.samples("onecode_store_write_fault")[()] == 1, 60)
        yield


def _publish(running: Observed) -> bool:
    with suppress(grpc.RpcError):  # the worker that was reached may be one of those
        publish_many(running.server, f"many-{next(_published)}")  # what is known already is not written
    return True


def kill_workers(running: Observed, times: int) -> None:
    """Kill the first worker again and again, once it serves."""
    for _ in range(times):
        eventually(lambda: running.server.healthz()[1]["serving"], RESPAWNED_S)
        os.kill(pids(running.server)["0"], signal.SIGKILL)
        time.sleep(1)  # the next scrape sees it away
    eventually(lambda: running.server.healthz()[1]["serving"], RESPAWNED_S)


@contextmanager
def trust_list_ends_in(running: Observed, seconds: float) -> Iterator[None]:
    """Sign the trust list anew with an earlier next update; once more with the one that it had at the end."""
    had = _sign_anew(running, trust_list.rfc3339(int((time.time() + seconds) * _SECOND_US)))
    yield
    _sign_anew(running, had)


def _sign_anew(running: Observed, next_update: str) -> str:
    """Have the server take the next version of its list, and return when the one before was to be replaced."""
    file = running.deployment.list_file
    payload = file.read_bytes().split(b".")[1]
    document = json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    version, had = document["version"] + 1, str(document["next_update"])
    root = Signer(read_secret(running.deployment.path / "root.key"))
    new = file.with_suffix(".new")
    new.write_bytes(trust_list.put_together({**document, "version": version, "next_update": next_update}, root.sign))
    new.replace(file)
    eventually(lambda: running.server.samples("onecode_trust_list_version") == {(): version}, 30)
    return had


def codes_of_another_key(region: str, path: Path, count: int) -> list[bytes]:
    """Return codes that name a key of a region by its id, which is that of the day, and that another key has signed."""
    expect(command("init", "--data-dir", path, "--demo"))
    return Deployment(path).issue(region, count=count)
