"""The engine: all parts of a server but its rpcs, built around a store, a signature backend and clocks."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onecode_server.crypto import ShadowedBackend, SignatureBackend
from onecode_server.crypto.token_session import TokenSession
from onecode_server.crypto.token_uri import read_uri
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import Role, TrustList
from onecode_server.publication import publisher
from onecode_server.publication.publisher import Publisher
from onecode_server.publication.records_writer import RecordsWriter
from onecode_server.publication.store_records import StoreRecords
from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.recognition.exception_gauges import ExceptionGauges
from onecode_server.recognition.exception_list import ExceptionList
from onecode_server.recognition.exception_service import ExceptionService
from onecode_server.recognition.steps import StepsWriter
from onecode_server.recognition.store_steps import StoreSteps
from onecode_server.rules import authorisation
from onecode_server.rules.authorisation import Right
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory, key_pattern
from onecode_server.status.cache import StatusCache
from onecode_server.status.change_feed import ChangeFeedReader
from onecode_server.status.own_marks import OwnMarks
from onecode_server.stores.protocol import Store, WritableStore
from onecode_server.stores.space_gauges import SpaceGauges
from onecode_server.stores.write_probe import WriteProbe
from onecode_server.system.clock import Clock, wall_clock
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics
from onecode_server.telemetry.region_series import RegionSeries
from onecode_server.translation import translator
from onecode_server.translation.gateway_keys import FileGatewayKeys, GatewayKeys
from onecode_server.translation.token_gateway_keys import TokenGatewayKeys
from onecode_server.translation.translator import Translator
from onecode_server.trust.source import TrustSource
from onecode_server.verification.authenticate import claim_faults
from onecode_server.verification.authenticate.by_template import TemplateAuthenticator
from onecode_server.verification.authenticate.claim_faults import ClaimFaults
from onecode_server.verification.authenticate.claims_reader import ClaimsReader
from onecode_server.verification.authenticate.general import GeneralAuthenticator
from onecode_server.verification.authenticate.issuer_index import IssuerIndexes
from onecode_server.verification.authenticate.signatures import SignatureChecker
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.batcher import Batcher
from onecode_server.verification.decider import Decider
from onecode_server.verification.traced_batcher import TracedBatcher
from onecode_server.verification.verifier import Verifier

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from onecode_server.telemetry.tracing import Tracing


class Engine:
    """All parts of a server but its rpcs, built around a store, a signature backend and clocks.

    The keys and the trust list are those of the settings' data directory. ``clock`` returns Unix microseconds,
    ``monotonic`` seconds that never run backwards. ``records`` and ``steps`` write what the store shows; without them
    the store is written, which must be a WritableStore. ``follows_log`` is whether the store is this machine's copy of
    a log: then its own marks confirm what it says. Raises Misconfigured for a key file that cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        backend: SignatureBackend,
        metrics: Metrics,
        records: RecordsWriter | None = None,
        steps: StepsWriter | None = None,
        clock: Clock = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
        tracing: "Tracing | None" = None,
        follows_log: bool = False,
    ) -> None:
        data = DataDirectory(settings.data_dir)
        pseudonym_key, root = data.read_pseudonym_key(), data.read_root_public_key()
        skew, grace = round(settings.skew_s * 1e6), round(settings.trust_list_grace_s * 1e6)
        self.store = store
        self.backend = _shadowed(backend, settings, metrics)
        self.write_probe = WriteProbe(store, metrics) if isinstance(store, WritableStore) else None
        self.space_gauges = SpaceGauges(store, metrics)
        self.issuers = issuers = IssuerIndexes(skew)
        series = _region_series(metrics)

        def prepare(trust: TrustList) -> None:
            issuers.prepare(trust)
            series.show(trust)

        unread_max_s = settings.trust_list_unread_max_s
        self.trust = TrustSource(
            data.trust_list,
            root,
            self.backend,
            store,
            metrics,
            clock,
            monotonic,
            unread_max_s,
            prepare,
            follows_store=follows_log,
        )
        self.exceptions = ExceptionCache(store)
        self.exception_gauges = ExceptionGauges(self.exceptions, self.trust, metrics, clock)
        self.marks = OwnMarks(monotonic, metrics) if follows_log else None
        self.statuses = StatusCache(store, monotonic, clock, metrics, settings.cache_entries_max, self.marks)
        self.change_feed = ChangeFeedReader(store, self.statuses, self.exceptions, self.marks)
        tokens = TokenReader(store, pseudonym_key, self.marks)
        claims = ClaimsReader(pseudonym_key, ClaimFaults(metrics, monotonic))
        signatures = SignatureChecker(self.backend, metrics)
        by_template = TemplateAuthenticator(signatures, issuers, pseudonym_key, metrics, skew)
        general = GeneralAuthenticator(signatures, claims, tokens, metrics, skew)
        decider = Decider(self.exceptions, grace, skew)
        self.verifier = Verifier(
            self.trust, by_template, general, self.statuses, self.change_feed, decider, metrics, clock, monotonic
        )
        make_batcher = Batcher if tracing is None else partial(TracedBatcher, tracing)
        self.batcher: Batcher = make_batcher(self.verifier, metrics, settings.queue_codes_max, monotonic)
        self.gateway_keys = _gateway_keys(settings, data, metrics, monotonic)
        self.translator = Translator(self.gateway_keys, metrics)
        records = records or StoreRecords(_writable(store), clock)
        self.publisher = Publisher(self.trust, self.verifier, tokens, store, records, pseudonym_key, metrics, clock)
        steps = steps or StoreSteps(_writable(store), self.trust, clock, skew)
        self.exception_service = ExceptionService(steps, self.exceptions)
        self.exception_list = ExceptionList(store, clock)

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
            "gateway_keys": self.gateway_keys.report(),
            **({} if self.marks is None else {"log": self.marks.report()}),
        }


def _writable(store: Store) -> WritableStore:
    if not isinstance(store, WritableStore):
        raise TypeError("a store that this process does not write needs writers of records and of steps")
    return store


def _region_series(metrics: Metrics) -> RegionSeries:
    publishers = [role for role, rights in authorisation.TABLE.items() if Right.PUBLISH in rights]
    return RegionSeries(metrics, claim_faults.CLAIMS, translator.OUTCOMES, publisher.OUTCOMES, publishers)


def _shadowed(backend: SignatureBackend, settings: Settings, metrics: Metrics) -> SignatureBackend:
    """Compare a backend other than PyNaCl with PyNaCl, and set a metric if PyNaCl had to replace it."""

    def count(agrees: bool) -> None:
        metrics.shadow_checks.labels("agreed" if agrees else "disagreed").inc()

    begin(metrics.shadow_checks, "agreed", "disagreed")
    watched = backend if backend.name == "libsodium" else ShadowedBackend(backend, settings.shadow_one_in, count)
    metrics.backend_fault.set_function(lambda: watched.is_degraded)
    return watched


def _gateway_keys(
    settings: Settings, data: DataDirectory, metrics: Metrics, monotonic: Callable[[], float]
) -> GatewayKeys:
    where = settings.gateway_keys or data.keys
    if isinstance(where, Path):
        return FileGatewayKeys(where, key_pattern(NATIONAL, Role.GATEWAY), metrics, monotonic)
    return TokenGatewayKeys(TokenSession(read_uri(where)), metrics, monotonic)
