"""Callers: who one is, by its certificate, its bearer token, or both.

A certificate is checked anew at each call (its times, the revocations, the authorities, the regions of the trust list
in force), and so is the expiry of a token. A gateway's certificate lets the token of its caller count; with any other
one a token may only say the same again.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from onecode_server.errors import Malformed, NotServing, Unauthenticated
from onecode_server.identity import token_keys
from onecode_server.identity.bounded_cache import BoundedCache
from onecode_server.identity.client_certificates import ClientCertificates
from onecode_server.identity.known import Known
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
"""Certificates, tokens, and pairs of them: as many as there are certificates kept. Who is pushed out costs some
microseconds more."""
BYTES_KEPT: Final = 16 * 1024 * 1024
"""The bound on them together: 4 KiB for each, where a token and a certificate have about 1 KiB."""


_Shown: TypeAlias = bytes | str | tuple[bytes, str] | None


class _Kept(NamedTuple):
    """What a certificate, a token or both say: found at a time, by the files and the trust list of then."""

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
    and raises NotServing where there is none.

    Not thread-safe: all calls come from the event loop.
    """

    def __init__(
        self,
        regions: Callable[[], Mapping[str, Any]],
        trust_domain: str,
        audience: str,
        metrics: Metrics,
        clock: Clock,
        tls: TlsSource | None = None,
        keys: WatchedFiles[TokenKeys] | None = None,
    ) -> None:
        self._regions = regions
        self._metrics = metrics
        self._clock = clock
        self._tls = tls
        self._keys = keys
        self._certificates = ClientCertificates(trust_domain)
        self._tokens = None if keys is None else Tokens(lambda: keys.value, trust_domain, audience)
        self._kept: BoundedCache[_Shown, _Kept] = BoundedCache(KEPT, BYTES_KEPT)
        nothing_yet = object()
        self._seen = nothing_yet, nothing_yet, nothing_yet
        self._generation = 0

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
        # Written out, since it is asked for at each call.
        tls, keys = self._tls, self._keys
        in_force = None if tls is None else tls.clients
        key_set = None if keys is None else keys.value
        try:
            regions = self._regions()
        except NotServing:
            regions = None
        before = self._seen
        if regions is not before[0] or key_set is not before[1] or in_force is not before[2]:
            self._seen = regions, key_set, in_force
            self._generation += 1
        return self._generation

    def identify(self, certificate: bytes | None, authorization: str | None) -> Identity:
        """Return who calls now. Raises as ``known``; an Unauthenticated is counted by its reason."""
        try:
            return self.known(certificate, authorization).identity
        except Unauthenticated as fault:
            self._metrics.unauthenticated.labels(fault.reason).inc()
            raise

    def known(self, certificate: bytes | None, authorization: str | None) -> Known:
        """Return who calls now, and until when that is known.

        ``certificate`` is in DER the client's own, from a listener that checks chains again as soon as ``generation``
        rises; in PEM all that was shown, whose chain is checked here. ``authorization`` is the value of that header.

        What was found for the same before is returned, unless anything has changed that it was found by. Raises
        Unauthenticated, and NotServing where no trust list tells yet whether the region of a caller exists.
        """
        if (before := self.recall(certificate, authorization)) is not None:
            return before
        shown = _shown(certificate, authorization)
        if not shown:
            raise refused(Refusal.IDENTITY_MISSING)
        now, generation = self._clock(), self.generation
        try:
            known = self._read(certificate, authorization, now)
        except Unauthenticated:
            self._kept.drop(shown)
            raise
        size = len(certificate or b"") + len(authorization or "")
        self._kept.put(shown, _Kept(known, generation, now), size)
        return known

    def recall(self, certificate: bytes | None, authorization: str | None) -> Known | None:
        """Return what was found for the same before, None where it was not, or where anything has changed since that it
        was found by. It costs a look-up."""
        kept = self._kept.get(_shown(certificate, authorization))
        if kept is not None:
            known, generation, at = kept
            if at <= self._clock() < known.until and generation == self.generation:
                return known
        return None

    def remembers(self, certificate: bytes | None, authorization: str | None) -> bool:
        """Return whether the same was an identity when it was last looked at, whatever it is by now."""
        if _shown(certificate, authorization) in self._kept:
            return True
        if self._tokens is None or not authorization:
            return False
        # More tokens are kept than pairs with a certificate: those of a gateway's many callers.
        return self._tokens.keeps(authorization[len(_SCHEME) :].strip(" ").encode())

    def _read(self, certificate: bytes | None, authorization: str | None, now: int) -> Known:
        own = self._by_certificate(certificate, now) if certificate else None
        if not authorization:
            assert own is not None  # noqa: S101 - one of both is shown
            return own
        carried = self._by_token(authorization, now)
        if own is None:
            return carried
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


def _shown(certificate: bytes | None, authorization: str | None) -> _Shown:
    """Return both, or the one that there is."""
    return (certificate, authorization) if certificate and authorization else certificate or authorization
