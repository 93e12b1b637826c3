"""Fixtures that more than one folder of tests needs."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.stores import lmdb_environment

from tests.brokers.cluster import STARTED_S, Brokers
from tests.world import World

# Importing Hypothesis here has a second use: its plugin imports it at a run's end at the latest, where CPython 3.11.7
# has failed to compile it after asynchronous tests, with a SystemError about the depth of its recursion.
#
# No setting depends on the time that an example takes, because a busy machine must not fail a test.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fixed", _UNTIMED, derandomize=True, database=None)
settings.register_profile("random", _UNTIMED, derandomize=False, print_blob=True)
settings.load_profile("fixed")  # `make test-random` passes --hypothesis-profile=random, which pytest applies later

for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[name]  # tests reach this machine alone; those about proxies set their own

# Under nohup(1) SIGHUP, and behind a shell's "&" SIGINT, is ignored in all that tests start: those about it need it.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
SECONDS = {
    TESTS / module
    for module in (
        "conformance/test_edge_cases.py",
        "conformance/test_vectors.py",
        "unit/client/test_connection_faults.py",
        "unit/client/offline/test_agreement.py",
        "unit/client/offline/test_lists_agree.py",
        "unit/client/test_gathering.py",
        "unit/codes/encodings/test_allocation.py",
        "unit/codes/test_codec.py",
        "unit/crypto/kernel/test_check.py",
        "unit/fuzz_paths/test_planted.py",
        "unit/monitoring/test_alerts.py",
        "unit/monitoring/test_rules.py",
        "unit/publication/test_publisher.py",
        "unit/recognition/test_exception_list.py",
        "unit/recognition/test_exception_service.py",
        "unit/rpc/test_garbage.py",
        "unit/rpc/test_metrics_server.py",
        "unit/rules/test_numbers_and_arrays.py",
        "unit/rules/test_publication.py",
        "unit/stores/test_lmdb_exceptions.py",
        "unit/stores/test_lmdb_memory.py",
        "unit/translation/test_translator.py",
        "unit/trust/test_unread.py",
        "unit/verification/authenticate/test_by_template.py",
        "unit/verification/authenticate/test_json_by_template.py",
        "unit/verification/authenticate/test_non_ascii_claims.py",
        "unit/verification/authenticate/test_other_peoples_codes.py",
        "unit/verification/authenticate/test_template_cache.py",
        "unit/verification/authenticate/test_trust_list_swaps.py",
        "unit/verification/test_properties.py",
        "unit/verification/test_state_machine.py",
    )
}
"""Tests that need seconds: many examples or records, every signature backend, or the end of a timeout."""


_CHOOSE_FRONTS = (
    "alerts_on_prometheus",
    "compose",
    "console_pages",
    "dashboards_on_prometheus",
    "deploy_files",
    "deploying",
    "first_page",
    "front_agreement",
    "front_broken_frames",
    "fuzz_front",
    "http_page",
    "image",
    "kubernetes",
    "load_balancing",
    "peers",
    "removed_authorities",
    "store_benchmark",
    "unix_socket",
)
_BEHIND_FRONTS = (
    # commands and files: servers, where there are any, only show that what was made is taken
    "a_new_format",
    "adding_regions",
    "drafts",
    "init",
    "inspect",
    "key_ids",
    "keys_check",
    "log_members",
    "lost_streams",
    "metrics_environment",
    "mistakes",
    "pictures",
    "readme",
    "root_key_elsewhere",
    "settings_file",
    # the engine, the store and the keys: test_front_agreement holds the fronts to the same bytes for what they decide
    "damaged_stores",
    "every_rule",
    "everywhere",
    "migration",
    "scanned_codes",
    "store_backup",
    "store_write_faults",
    "token_keys",
    "trust_edits",
    "trust_refused",
    "trust_unread",
    # services that grpc.aio answers by either front
    "async_operator",
    "exceptions",
    "key_rotation",
    "lost_answers",
    "waiting_writes",
    # what stands between a caller and a front
    "http_gateway_faults",
    "proxies",
    # programs that look at pages which no front serves, or that measure
    "load",
    "metrics_by_tls",
    "top",
    "warm_cache",
)
EITHER_FRONT = {TESTS / "integration" / f"test_{name}.py" for name in (*_CHOOSE_FRONTS, *_BEHIND_FRONTS)}
"""Tests that choose the fronts of their servers themselves, or whose subject lies behind the fronts: a second run with
another default shows nothing new."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow the tests in ``integration``, those with brokers, modules that start processes with subprocess, and
    those of SECONDS; as ``either_front`` those of EITHER_FRONT and those with brokers, which are also ``brokers``."""
    for item in items:
        has_brokers = "cluster" in getattr(item, "fixturenames", ())
        if item.path in EITHER_FRONT or has_brokers:
            item.add_marker(pytest.mark.either_front)
        starts_processes = hasattr(getattr(item, "module", None), "subprocess") or has_brokers
        if has_brokers:
            item.add_marker(pytest.mark.brokers)
            item.add_marker(pytest.mark.timeout(STARTED_S + 120))  # whichever is first waits for its start
        if starts_processes or item.path in SECONDS or item.path.is_relative_to(TESTS / "integration"):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def _patient_stores() -> Iterator[None]:
    """Let stores of this process wait for a busy disk: what a test proves is no matter of a second.

    Tests of what a disk that hangs does set a time of their own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lmdb_environment, "READ_TIMEOUT_S", 60.0)
        yield


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A small country, its trust list taken."""
    made = World(tmp_path)
    await made.start()
    yield made
    await made.store.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three brokers, for all tests of a process. Tests ask for ``brokers`` or ``log``."""
    made = Brokers(tmp_path_factory.mktemp("brokers") / "cluster")
    yield made
    made.kill()


@pytest.fixture
def brokers(cluster: Brokers) -> Iterator[Brokers]:
    """Three brokers that run; those that a test kills or pauses come back behind it."""
    yield cluster
    cluster.restore()


@pytest.fixture
def log(brokers: Brokers) -> Iterator[LogAddress]:
    """A log with empty topics of its own."""
    address = LogAddress(tuple(brokers.plaintext.split(",")), prefix=brokers.fresh_prefix())
    assert topics.create(address, 3) == topics.names(address)
    brokers.await_topics(*topics.names(address))
    yield address
    brokers.restore()
    brokers.admin.delete_topics(topics.names(address))
