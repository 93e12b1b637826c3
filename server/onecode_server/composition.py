"""The composition root: it builds the engine's parts on one data directory, opens them, and closes them in order."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from onecode_server.crypto import ShadowedBackend, SignatureBackend, open_backend
from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import Role
from onecode_server.publication.migration import Migration
from onecode_server.publication.publisher import Publisher
from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.recognition.exception_service import ExceptionService
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.status.cache import StatusCache
from onecode_server.status.change_feed import ChangeFeedReader
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_file import is_open_elsewhere
from onecode_server.stores.write_probe import WriteProbe
from onecode_server.system.clock import wall_clock
from onecode_server.telemetry.metrics import Metrics
from onecode_server.translation.translator import Translator
from onecode_server.trust.source import TrustSource
from onecode_server.verification.authenticate.by_template import TemplateAuthenticator
from onecode_server.verification.authenticate.claim_faults import ClaimFaults
from onecode_server.verification.authenticate.claims_reader import ClaimsReader
from onecode_server.verification.authenticate.general import GeneralAuthenticator
from onecode_server.verification.authenticate.issuer_index import IssuerIndexes
from onecode_server.verification.authenticate.signatures import SignatureChecker
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.decider import Decider
from onecode_server.verification.verifier import Verifier


class Engine:
    """All parts that work on one data directory. Raises Misconfigured, StoreUnavailable."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        data = DataDirectory(settings.data_dir)
        data.expect()
        self.backend = _shadowed(open_backend(settings.signature_backend), settings, metrics)
        pseudonym_key, root = data.read_pseudonym_key(), data.read_root_public_key()
        skew, grace = round(settings.skew_s * 1e6), round(settings.trust_list_grace_s * 1e6)
        self.translator = Translator(data.signers(NATIONAL, Role.GATEWAY), metrics)
        self.store = LmdbStore(data.store, wall_clock, skew, lambda what: metrics.store_failures.labels(what).inc())
        self.write_probe = WriteProbe(self.store, metrics)
        issuers = IssuerIndexes(skew)
        self.trust = TrustSource(
            data.trust_list,
            root,
            self.backend,
            self.store,
            metrics,
            wall_clock,
            time.monotonic,
            settings.trust_list_unread_max_s,
            issuers.prepare,
        )
        self.exceptions = ExceptionCache(self.store)
        self.statuses = StatusCache(self.store, time.monotonic, wall_clock, metrics, settings.cache_entries_max)
        tokens = TokenReader(self.store, pseudonym_key)
        claims, signatures = ClaimsReader(pseudonym_key, ClaimFaults(metrics)), SignatureChecker(self.backend, metrics)
        by_template = TemplateAuthenticator(signatures, issuers, pseudonym_key, metrics, skew)
        general = GeneralAuthenticator(signatures, claims, tokens, metrics, skew)
        decider = Decider(self.exceptions, grace, skew)
        self.change_feed = ChangeFeedReader(self.store, self.statuses, self.exceptions)
        self.verifier = Verifier(
            self.trust, by_template, general, self.statuses, self.change_feed, decider, metrics, wall_clock
        )
        self.exception_service = ExceptionService(self.trust, self.store, self.exceptions, wall_clock, skew)
        self.publisher = Publisher(self.trust, self.verifier, tokens, self.store, pseudonym_key, metrics, wall_clock)
        self.migration = Migration(self.store, self.trust, pseudonym_key, wall_clock)

    @property
    def is_open(self) -> bool:
        """Whether codes can be checked: there is a trust list, and the store has answered."""
        return self.trust.is_open and self.exceptions.is_open

    def report(self) -> dict[str, Any]:
        """Return the state for operations: whether the engine is serving, and the faults of its parts."""
        trusted = self.trust.current if self.trust.is_open else None
        return {
            "serving": self.is_open,
            "signature_backend": {
                "name": self.backend.name,
                "detail": self.backend.detail,
                "degraded": self.backend.is_degraded,
            },
            "store": {
                "open": self.exceptions.is_open,
                "answers": self.exceptions.store_answers,
                "write_fault": self.store.write_fault,
                "clock_behind_s": self.store.clock_behind_us / 1e6,
            },
            "trust_list": {
                "version": trusted.version if trusted else None,
                "fault": self.trust.fault,
                "unread_s": round(self.trust.unread_s, 1),
                "skipped": [f"{where}: {why}" for where, why in trusted.skipped] if trusted else [],
            },
        }


def _shadowed(backend: SignatureBackend, settings: Settings, metrics: Metrics) -> SignatureBackend:
    """Compare a backend other than PyNaCl with PyNaCl, and set a metric if PyNaCl had to replace it."""

    def count(agrees: bool) -> None:
        metrics.shadow_checks.labels("agreed" if agrees else "disagreed").inc()

    watched = backend if backend.name == "libsodium" else ShadowedBackend(backend, settings.shadow_one_in, count)
    metrics.backend_fault.set_function(lambda: watched.is_degraded)
    return watched


@asynccontextmanager
async def open_engine(data_dir: Path) -> AsyncIterator[Engine]:
    """Open an engine without a server, for commands that work on a data directory directly."""
    async with open_with(Settings(data_dir), Metrics()) as engine:
        yield engine


@asynccontextmanager
async def open_for_migration(data_dir: Path) -> AsyncIterator[Engine]:
    """Open an engine on a store of any layout, to migrate it. Raises Misconfigured if another process has the store
    open: a server of an earlier version would go on writing in the old layout, which is no longer read."""
    if is_open_elsewhere(DataDirectory(data_dir).store):
        raise Misconfigured(f"another process has the store in {data_dir} open: stop the servers on it first")
    async with open_with(Settings(data_dir), Metrics(), migrates=True) as engine:
        yield engine


@asynccontextmanager
async def open_with(settings: Settings, metrics: Metrics, *, migrates: bool = False) -> AsyncIterator[Engine]:
    """Open an engine with these settings. Raises Misconfigured, and StoreUnavailable if the store must first be
    migrated by command, unless ``migrates`` is set."""
    engine = Engine(settings, metrics)
    try:
        await engine.trust.refresh()
        if not migrates and not await engine.migration.upgrade():
            raise StoreUnavailable(
                f"the store in {settings.data_dir} is of an older version, and may hold records of binary subjects of "
                f"regions with the format national: run 'onecode store migrate --data-dir {settings.data_dir}' first"
            )
        await engine.change_feed.catch_up()
        yield engine
    finally:
        engine.trust.close()
        await engine.store.close()
