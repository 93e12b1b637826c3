"""Access to a server: the files and settings that say who its callers are, and what callers who show nothing may do."""

import logging
from collections.abc import Callable, Container, Mapping
from typing import Any, Final

from onecode_server.identity.callers import KEY_SET, Callers, watch_token_keys
from onecode_server.identity.known import FOR_EVER, Known
from onecode_server.identity.refusals import Refusal
from onecode_server.identity.tls_files import CLIENT_AUTHORITIES, IN_FRONT, SERVER_CERTIFICATE, TlsFiles, TlsSource
from onecode_server.model.identity import ANONYMOUS, LOCAL, Identity, Role
from onecode_server.rpc.page_authorizer import PageAuthorizer
from onecode_server.rules.authorisation import NO_PARTNERS, Partners
from onecode_server.settings.config import Settings
from onecode_server.system.clock import Clock, wall_clock
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics

_LOCAL_ROLES: Final[Mapping[str, Identity | None]] = {
    "none": None,
    "check": ANONYMOUS,
    "ops": Identity(Role.OPS),
    "all": LOCAL,
}

_log = logging.getLogger(__name__)


class AnyRegion(Container[str]):
    """The regions of a process without a trust list, where no right counts for a region."""

    def __contains__(self, region: object) -> bool:
        """Return true."""
        return True


ANY_REGION: Final = AnyRegion()


class Access:
    """Identifies callers as the settings say. Raises Misconfigured where a file cannot be used at the start.

    ``regions`` returns the regions of the trust list in force, and raises NotServing where there is none. ``partners``
    returns the hosts of its partners.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        regions: Callable[[], Any] = lambda: ANY_REGION,
        partners: Callable[[], Partners] = lambda: NO_PARTNERS,
        clock: Clock = wall_clock,
    ) -> None:
        _begin_series(metrics)
        self._settings = settings
        self._partners = partners
        self._regions = regions
        self._clock = clock
        self._tls: TlsSource | None = None
        self._keys = None if settings.token_keys is None else watch_token_keys(settings.token_keys, metrics)
        if settings.tls_cert is not None and settings.tls_key is not None:
            of_clients = settings.tls_client_ca, settings.tls_crl
            self._tls = TlsSource(settings.tls_cert, settings.tls_key, *of_clients, metrics, clock)
        self._local = _local(settings)
        self._stranger = ANONYMOUS if settings.insecure_plaintext and not settings.serves_tls else None
        self._callers = self._new_callers(metrics)

    @property
    def identifies(self) -> bool:
        """Whether it depends on the caller what may be done: else everybody may do all."""
        return self._local is not LOCAL or not self._settings.is_private or self._keys is not None

    @property
    def partners(self) -> Partners:
        """The hosts of partners, by the trust list in force."""
        return self._partners()

    @property
    def tls(self) -> Callable[[], TlsFiles] | None:
        """A function that returns the files of TLS in force; None where callers speak plaintext."""
        source = self._tls
        return None if source is None else lambda: source.current

    @property
    def demands_certificates(self) -> bool:
        """Whether each caller must show a certificate: nothing else would give it a right."""
        settings = self._settings
        others = self._keys is not None or settings.health_without_identity or self._local is not None
        return settings.tls_client_ca is not None and not others

    @property
    def generation(self) -> int:
        """A number that rises when callers must be identified again."""
        return self._callers.generation

    def subscribe(self, callback: Callable[[TlsFiles], None]) -> None:
        """Call ``callback`` with the files of TLS after each change."""
        if self._tls is not None:
            self._tls.subscribe(callback)

    def note_tls(self, fault: str | None) -> None:
        """Note why the front does not take the files of TLS in force, None where it does."""
        if self._tls is not None:
            self._tls.note(fault)

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return who calls now. Raises Unauthenticated, which is counted, and NotServing where no trust list tells it
        yet."""
        if certificate or authorization:  # as nearly always, where it is asked
            return self._callers.identify(certificate, authorization)
        unnamed = self.unnamed(is_local=is_local)
        return self._callers.identify(certificate, authorization) if unnamed is None else unnamed

    def recall(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity | None:
        """Return who calls where that is known from an earlier call or needs nothing shown, else None."""
        if certificate or authorization:
            known = self._callers.recall(certificate, authorization)
            return None if known is None else known.identity
        return self.unnamed(is_local=is_local)

    def remembers(self, certificate: bytes | None, authorization: str | None) -> bool:
        """Return whether the same was an identity when it was last looked at."""
        return self._callers.remembers(certificate, authorization)

    def known(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Known:
        """Return who calls now, and until when that is known. Raises as ``identify``, but counts nothing: the native
        front counts the calls to which it applies."""
        if not certificate and not authorization and (unnamed := self.unnamed(is_local=is_local)) is not None:
            return Known(unnamed, FOR_EVER)
        return self._callers.known(certificate, authorization)

    def unnamed(self, *, is_local: bool) -> Identity | None:
        """Return who a caller is that shows nothing, None for nobody."""
        return (self._local if is_local else None) or self._stranger

    def page_authorizer(self) -> PageAuthorizer:
        """Return what authorises those who request the pages for operations, on the thread of these."""
        settings = self._settings
        tls = self.tls if settings.metrics_tls else None
        authenticator = PageAuthenticator(self, self._new_callers(Metrics()))
        return PageAuthorizer(authenticator, tls, answers_health=settings.health_without_identity)

    async def refresh(self) -> None:
        """Look at the files, and take what has changed. Raises nothing."""
        await self._callers.refresh()

    def report(self, front: str) -> dict[str, Any]:
        """Return for operations what callers need, and the faults of files. The fronts differ in what they can ask for:
        the native one speaks TLS 1.3 alone, and takes revocations at the handshake as well as at each call."""
        is_native, asks = front == "native", self._settings.tls_client_ca is not None
        demands = self.demands_certificates or (asks and not is_native)
        return {
            "tls": None if self._tls is None else "1.3" if is_native else "1.2 or later",
            "client_certificates": "demanded" if demands else "asked for" if asks else "not asked for",
            "revocations_taken_at": None if not asks else "handshakes and calls" if is_native else "calls",
            "tokens": self._keys is not None,
            "loopback_role": "none" if self._local is None else self._local.role.value,
            "insecure_plaintext": self._stranger is not None,
            "faults": self._callers.faults,
        }

    def log(self, front: str) -> None:
        """Log what callers need."""
        report = self.report(front)
        _log.info(
            "callers speak %s; certificates are %s, tokens %s; who shows nothing on this machine has the role %s",
            "plaintext" if report["tls"] is None else f"TLS {report['tls']}",
            report["client_certificates"],
            "taken" if report["tokens"] else "not taken",
            report["loopback_role"],
        )
        if self._stranger is not None:
            _log.warning("others reach this server in plaintext, and may check and translate without an identity")

    def close(self) -> None:
        """Release the files."""
        self._callers.close()

    def _new_callers(self, metrics: Metrics) -> Callers:
        settings = self._settings
        domain, audience = settings.trust_domain, settings.token_audience
        return Callers(self._regions, domain, audience, metrics, self._clock, self._tls, self._keys)


class PageAuthenticator:
    """Identifies those who request pages for operations."""

    def __init__(self, access: Access, callers: Callers) -> None:
        self._access = access
        self._callers = callers

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> Identity:
        """Return who requests a page. Raises Unauthenticated, and NotServing where no trust list tells it yet."""
        if not certificate and not authorization and (unnamed := self._access.unnamed(is_local=is_local)) is not None:
            return unnamed
        return self._callers.identify(certificate, authorization)


def _local(settings: Settings) -> Identity | None:
    role = settings.loopback_role
    return _LOCAL_ROLES[("all" if settings.is_private else "none") if role == "auto" else role]


def _begin_series(metrics: Metrics) -> None:
    """Show the series of identities, also where a server has no such files: then they stay 0."""
    files = SERVER_CERTIFICATE, CLIENT_AUTHORITIES, KEY_SET
    begin(metrics.unauthenticated, *(why.name for why in Refusal))
    begin(metrics.refused_pages, *(why.name for why in Refusal), "NOT_PERMITTED", "NOT_SERVING")
    begin(metrics.identity_files_refused, *files)
    begin(metrics.identity_files_fault, *files, IN_FRONT)
