"""Translation: an authentic and recognised code is issued again, in another region's format and level words, and signed
by the gateway key.
"""

import hashlib
from enum import IntEnum
from typing import Final, NamedTuple

from onecode_server.codes import claims, source
from onecode_server.codes.codec import CODECS
from onecode_server.errors import PreconditionFailed
from onecode_server.model.code import Claims, Source
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, Status
from onecode_server.model.trust_list import OPAQUE, Format, IssuerKey, Region, Role, TrustList
from onecode_server.model.verdict import Reason, Recognition, Verdict
from onecode_server.rules import levels
from onecode_server.rules.validity import key_fault
from onecode_server.telemetry.metrics import UNKNOWN_REGION, Metrics
from onecode_server.translation.gateway_keys import GatewayKeys
from onecode_server.verification.check import Check, CheckResults

LIFETIME_US: Final = 15 * 60_000_000
"""The lifetime of a translation: it is for one scan at a gate; for a later one, the source is translated again."""
MINUTE_US: Final = 60_000_000
SECOND_US: Final = 1_000_000


class Obstacle(IntEnum):
    """The reason why an authentic code cannot be translated. The API uses the same numbers."""

    NONE = 0
    ALREADY_TRANSLATED = 1
    LEVEL_WITHOUT_WORD = 2


OUTCOMES: Final = ("translated", "not_allowed", *(one.name.lower() for one in Obstacle if one is not Obstacle.NONE))
"""The outcomes by which translations are counted."""


class Translation(NamedTuple):
    """The verdict on the source, and the code made from it; ``code`` is empty if none was made.

    ``expires_at`` is Unix microseconds.
    """

    verdict: Verdict
    code: bytes = b""
    format: str = ""
    expires_at: int | None = None
    obstacle: Obstacle = Obstacle.NONE


class Translator:
    """Makes translations, and has them signed by ``keys``."""

    def __init__(self, keys: GatewayKeys, metrics: Metrics) -> None:
        self._keys = keys
        self._metrics = metrics

    def check_target(self, target: str, trust: TrustList) -> None:
        """Raise PreconditionFailed if no code can be translated for ``target``, because it has opaque codes.

        A target outside the trust list is not refused here: the verdict on each code is then CHECK, HOST_UNKNOWN.
        """
        region = trust.region(target)
        if region is not None and region.format == OPAQUE:
            raise PreconditionFailed("TARGET_OPAQUE", f"region {target} has opaque codes, which only it can issue")

    async def translate(self, check: Check, results: CheckResults) -> Translation:
        """Return the translation of a checked code for the host that it was checked for.

        It waits only for a key that lies in a token. Raises PreconditionFailed if there is no gateway key for the
        target's format, or as ``check_target`` does under the trust list of the check, which may be newer than the list
        at the start of the call; SigningUnavailable and Overloaded as ``GatewayKeys.sign`` does.
        """
        self.check_target(check.host, results.trust)
        made = await self._translate(check, results)
        target = check.host if check.host in results.trust.regions else UNKNOWN_REGION
        done = "translated" if made.code else made.obstacle.name.lower() if made.obstacle else "not_allowed"
        self._metrics.translations.labels(target, done).inc()
        return made

    async def _translate(self, check: Check, results: CheckResults) -> Translation:
        verdict, claimed, target = check.answer, check.claims, _code_region(check.host, results.trust)
        if claimed is None or target is None or verdict.recognition is not Recognition.RECOGNISED:
            return Translation(verdict)
        if claimed.source is not None:
            return Translation(verdict, obstacle=Obstacle.ALREADY_TRANSLATED)
        if verdict.status not in (Status.CURRENT, Status.NONE) or check.level is Level.UNSPECIFIED:
            return Translation(verdict)
        if verdict.reason is Reason.TRUST_LIST_OUT_OF_DATE:  # otherwise the next gate would admit the translation
            return Translation(verdict)
        word = target.word_for(check.level)
        if word is None:
            return Translation(verdict, obstacle=Obstacle.LEVEL_WITHOUT_WORD)
        # The issue time is rounded down to the minute: the same source and verdict give the same bytes at every gate.
        # If the target's codes last less than two minutes, it is rounded to half their lifetime, so that time is left.
        where = claims.of(target)
        lasts = min([LIFETIME_US, *where.lifetimes(has_expiry=where.expiry is not None)])
        step = min(MINUTE_US, max(lasts // 2 // SECOND_US, 1) * SECOND_US)
        issued_at = results.checked_at - results.checked_at % step
        expires_at = min([issued_at + lasts, *_ends(check, claimed, results.checked_at)])
        issued_at = min(issued_at, expires_at - step)  # a source in its last minute, or in the skew after it
        code = await self._issue(check, claimed, target, word, (issued_at, expires_at), results)
        return Translation(verdict, code, target.format, expires_at)

    async def _issue(
        self, check: Check, claimed: Claims, target: Region, word: str, window: tuple[int, int], results: CheckResults
    ) -> bytes:
        fmt = target.format
        codec = CODECS[fmt]
        key = self._gateway_key(fmt, window, results)
        named = Source(
            claimed.home,
            check.signed.key_id if check.signed is not None else b"",
            hashlib.sha256(check.code).digest(),
            claimed.issued_at,
            target.code,
        )
        tree = claims.write(claims.of(target), fmt, source.write_subject(claimed.subject, fmt), word, *window)
        tree |= source.write(named, fmt)
        if codec.ISSUER_IS_REGION:
            tree[codec.ISSUER] = NATIONAL
        return await self._keys.sign(key.public_key, lambda sign: codec.mint(tree, key.key_id, sign))

    def _gateway_key(self, fmt: Format, window: tuple[int, int], results: CheckResults) -> IssuerKey:
        """Return the newest key of ours that may sign a code issued and ending at the times of ``window``.

        A key that holds for all of that time by every clock comes before one that holds now by a clock that is off.
        """
        authority, held = results.trust.region(NATIONAL), self._keys.public_keys
        ours = [
            key
            for key in (authority.keys if authority is not None else ())
            if key.role is Role.GATEWAY and key.format == fmt and key.public_key in held
        ]
        issued_at, expires_at = window
        fit = [key for key in ours if key_fault(key, issued_at, max(expires_at, results.checked_at), skew=0) is None]
        fit = fit or [key for key in ours if key_fault(key, issued_at, results.checked_at) is None]
        if not fit:
            self._keys.expect_answer()
            raise PreconditionFailed("GATEWAY_KEY_MISSING", f"this server has no valid gateway key for {fmt} codes")
        return max(enumerate(fit), key=_age)[1]


def _age(listed: tuple[int, IssuerKey]) -> tuple[int, int]:
    """Return a number by which keys are compared: the newest one began last, or stands last in the list."""
    place, key = listed
    return (0 if key.not_before is None else key.not_before, place)


def _ends(check: Check, claimed: Claims, now: int) -> list[int]:
    """Return the end of the source, and the ends of the records that may have changed its level: when a record ends,
    its level no longer counts."""
    records = check.view.records if check.view is not None else ()
    counted = (levels.newest(records, publisher, Scope.NATIONAL, now) for publisher in (claimed.home, NATIONAL))
    ends = [claimed.expires_at, *(record.expires_at for record in counted if record is not None)]
    return [end for end in ends if end is not None]


def _code_region(target: str, trust: TrustList) -> Region | None:
    """Return the region whose codes a target reads: for an adopter the national authority, else the target itself."""
    region = trust.region(target)
    if region is not None and region.adopts_national:
        return trust.region(NATIONAL)
    return region
