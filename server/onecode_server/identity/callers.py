"""Callers: who one is, by its certificate, its bearer token, or the listener that it came by.

A certificate is checked anew at each call (its times, the revocations, the authorities, the regions of the trust list
in force), and so is the expiry of a token. A gateway's certificate lets the token of its caller count; with any other
one a token may only say the same again.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from onecode_server.errors import Malformed, NotServing, Unauthenticated
from onecode_server.identity import token_keys
from onecode_server.identity.bounded_cache import BoundedCache
from onecode_server.identity.client_certificates import ClientCertificates
from onecode_server.identity.known import FOR_EVER, Known
from onecode_server.identity.refusals import Refusal, refused
from onecode_server.identity.tls_files import TlsSource
from onecode_server.identity.token_keys import TokenKeys
from onecode_server.identity.tokens import Tokens
from onecode_server.identity.watched_files import File, WatchedFiles
from onecode_server.model.identity import Identity, Role
from onecode_server.system.clock import Clock
from onecode_server.telemetry.metrics import Metrics

KEY_SET: Final = "token_keys"
_SCHEME: Final = "bearer "
KEPT: Final = 4096
"""Tokens, with the certificates that they came with: as many as there are certificates kept. Who is pushed out costs
some microseconds more."""
BYTES_KEPT: Final = 16 * 1024 * 1024
"""The bound on them together: 4 KiB for each, where a token and a certificate have about 1 KiB."""


class _Kept(NamedTuple):
    """What a token says, and a certificate beside it: found at a time, by the files and the trust list of then."""

    known: Known
    generation: int
    at: int


def watch_token_keys(
    path: Path, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic
) -> WatchedFiles[TokenKeys]:
    """Return the watched key set in a file. Raises Misconfigured where it is bad at the start."""

    def read(files: list[File]) -> TokenKeys:
        try:
            return token_keys.read(files[0].content)
        except Malformed as fault:
            raise Malformed(f"{path}: {fault}") from None

    return WatchedFiles(KEY_SET, [path], token_keys.FILE_BYTES_MAX, read, metrics, monotonic)


class Callers:
    """Identifies callers. ``regions`` returns the regions of the trust list in force, another object for another list,
    and raises NotServing where there is none. ``local`` is who a local caller is that names nobody; None for nobody.

    Not thread-safe: all calls come from the event loop.
    """

    def __init__(
        self,
        regions: Callable[[], Mapping[str, Any]],
        trust_domain: str,
        audience: str,
        local: Identity | None,
        metrics: Metrics,
        clock: Clock,
        tls: TlsSource | None = None,
        keys: WatchedFiles[TokenKeys] | None = None,
    ) -> None:
        self._regions = regions
        self._local = local
        self._metrics = metrics
        self._clock = clock
        self._tls = tls
        self._keys = keys
        self._certificates = ClientCertificates(trust_domain)
        self._tokens = None if keys is None else Tokens(lambda: keys.value, trust_domain, audience)
        self._kept: BoundedCache[tuple[bytes | None, str], _Kept] = BoundedCache(KEPT, BYTES_KEPT)
        self._seen = self._state()
        self._generation = 1

    async def refresh(self) -> None:
        """Look at all files, and take what has changed. Raises nothing: a failure is retried. Not to be called again
        before it has returned."""
        await asyncio.gather(*(files.refresh() for files in (self._tls, self._keys) if files is not None))

    def close(self) -> None:
        """Release the file descriptors that are reserved for reading the files."""
        for files in (self._tls, self._keys):
            if files is not None:
                files.close()

    @property
    def faults(self) -> dict[str, str]:
        """The faults of the files, by the files' names: for health and its page."""
        faults = {} if self._tls is None else self._tls.faults
        if self._keys is not None and self._keys.fault is not None:
            faults[KEY_SET] = self._keys.fault
        return faults

    @property
    def generation(self) -> int:
        """A number that rises when the trust list, the token keys, the client authorities or the revocations are others
        than when it was last asked for. Callers who were identified before must then be identified again."""
        seen, before = self._state(), self._seen
        # Written out, since it is asked for at each call that carries a token.
        if seen[0] is not before[0] or seen[1] is not before[1] or seen[2] is not before[2]:
            self._seen = seen
            self._generation += 1
        return self._generation

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool = False) -> Identity:
        """Return who calls now. Raises Unauthenticated, which is counted, and NotServing: see ``known``."""
        return self.known(certificate, authorization, is_local=is_local).identity

    def known(self, certificate: bytes | None, authorization: str | None, *, is_local: bool = False) -> Known:
        """Return who calls now, and until when that is known.

        ``certificate`` is in DER the client's own, from a listener that checks chains again as soon as ``generation``
        rises; in PEM all that was shown, whose chain is checked here. ``authorization`` is the value of that header.
        ``is_local`` tells that nothing but this machine reaches the listener of the call.

        Raises Unauthenticated, which is counted by its reason, and NotServing where no trust list tells yet whether the
        region of a caller exists.
        """
        try:
            if authorization:
                return self._by_authorization(certificate, authorization)
            if certificate:
                return self._by_certificate(certificate, self._clock())
            if is_local and self._local is not None:
                return Known(self._local, FOR_EVER)
            raise refused(Refusal.IDENTITY_MISSING)
        except Unauthenticated as fault:
            self._metrics.unauthenticated.labels(fault.reason).inc()
            raise

    def _by_authorization(self, certificate: bytes | None, authorization: str) -> Known:
        """Return what was found for the same before, unless anything has changed that it was found by."""
        shown, now, generation = (certificate, authorization), self._clock(), self.generation
        kept = self._kept.get(shown)
        if kept is not None and kept.generation == generation and kept.at <= now < kept.known.until:
            return kept.known
        known = self._read(certificate, authorization, now)
        size = len(authorization) + len(certificate or b"")
        self._kept.put(shown, _Kept(known, generation, now), size)
        return known

    def _read(self, certificate: bytes | None, authorization: str, now: int) -> Known:
        if not certificate:
            return self._by_token(authorization, now)
        own = self._by_certificate(certificate, now)
        carried = self._by_token(authorization, now)
        until = min(own.until, carried.until)
        if own.identity.role is Role.GATEWAY:
            return Known(carried.identity._replace(gateway=own.identity.name), until)
        if carried.identity != own.identity:
            raise refused(Refusal.TOKEN_OF_ANOTHER)
        return Known(own.identity, until)

    def _by_certificate(self, certificate: bytes, now: int) -> Known:
        if self._tls is None or (clients := self._tls.clients) is None:  # nobody has checked its chain
            raise refused(Refusal.CERTIFICATES_NOT_ACCEPTED)
        return self._of_known_region(self._certificates.read(certificate, now, clients))

    def _by_token(self, authorization: str, now: int) -> Known:
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise refused(Refusal.AUTHORIZATION_SCHEME)
        if "," in authorization:  # several headers, joined as proxies may do (RFC 9110, section 5.3): no token has one
            raise refused(Refusal.AUTHORIZATION_REPEATED)
        if self._tokens is None:
            raise refused(Refusal.TOKENS_NOT_ACCEPTED)
        token = authorization[len(_SCHEME) :].strip(" ")
        if not token.isascii():
            raise refused(Refusal.TOKEN_MALFORMED)
        return self._of_known_region(self._tokens.read(token.encode("ascii"), now))

    def _of_known_region(self, known: Known) -> Known:
        region = known.identity.region
        if region and region not in self._regions():
            raise refused(Refusal.REGION_UNKNOWN)
        return known

    def _state(self) -> tuple[object, object, object]:
        try:
            regions: object = self._regions()
        except NotServing:
            regions = None
        return (
            regions,
            None if self._keys is None else self._keys.value,
            None if self._tls is None else self._tls.clients,
        )
