"""Translation: an authentic and recognised code, issued again in another region's terms by the gateway key."""

import hashlib
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from onecode_server.crypto.signing import Signer
from onecode_server.engine.check import Check, Outcome
from onecode_server.errors import PreconditionFailed
from onecode_server.formats import CODECS, claims, national, source
from onecode_server.metrics import UNKNOWN_REGION, Metrics
from onecode_server.model.code import Claims, Source
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, Status
from onecode_server.model.trust_list import Format, IssuerKey, Region, Role, TrustList
from onecode_server.model.verdict import Reason, Recognition, Verdict
from onecode_server.rules import levels
from onecode_server.rules.validity import key_fault

LIFETIME_US: Final = 15 * 60_000_000
"""A translation is for the gate that the bearer stands before; soon after it, the source is scanned again."""
MINUTE_US: Final = 60_000_000
SECOND_US: Final = 1_000_000


class Obstacle(IntEnum):
    """Why an authentic code cannot be translated. The numbers are the wire's."""

    NONE = 0
    ALREADY_TRANSLATED = 1
    LEVEL_WITHOUT_WORD = 2


class Translation(NamedTuple):
    """The verdict on the source, and the code made from it; ``code`` is empty where none was made.

    ``expires_at`` is Unix microseconds.
    """

    verdict: Verdict
    code: bytes = b""
    format: str = ""
    expires_at: int | None = None
    obstacle: Obstacle = Obstacle.NONE


class Translator:
    """Signs translations. ``signers`` maps a gateway's public key (32 bytes) to the key itself."""

    def __init__(self, signers: Mapping[bytes, Signer], metrics: Metrics) -> None:
        self._signers = signers
        self._metrics = metrics

    def check_target(self, target: str, trust: TrustList) -> None:
        """Raise PreconditionFailed where nothing can be translated for ``target``.

        A target outside the trust list is not refused here: each code then gets the verdict UNKNOWN_HOST.
        """
        region = trust.region(target)
        if region is not None and region.format is Format.OPAQUE:
            raise PreconditionFailed("TARGET_OPAQUE", f"region {target} has opaque codes, which nobody else can issue")

    def translate(self, check: Check, outcome: Outcome) -> Translation:
        """Return the translation of a checked code for the host that it was checked for.

        Raises PreconditionFailed where there is no gateway key for the target's format, and where nothing can be
        translated for the target: by the list of the check, which may be newer than the one that the call began under.
        """
        self.check_target(check.scan.host, outcome.trust)
        made = self._translate(check, outcome)
        target = check.scan.host if check.scan.host in outcome.trust.regions else UNKNOWN_REGION
        done = "translated" if made.code else made.obstacle.name.lower() if made.obstacle else "not_allowed"
        self._metrics.translations.labels(target, done).inc()
        return made

    def _translate(self, check: Check, outcome: Outcome) -> Translation:
        verdict, said, target = check.answer, check.claims, _speaker(check.scan.host, outcome.trust)
        if said is None or target is None or verdict.recognition is not Recognition.RECOGNISED:
            return Translation(verdict)
        if said.source is not None:
            return Translation(verdict, obstacle=Obstacle.ALREADY_TRANSLATED)
        if verdict.status not in (Status.CURRENT, Status.NONE) or check.level is Level.UNSPECIFIED:
            return Translation(verdict)
        if verdict.reason is Reason.TRUST_LIST_OUT_OF_DATE:  # else the next gate would admit on it
            return Translation(verdict)
        word = target.word_for(check.level)
        if word is None:
            return Translation(verdict, obstacle=Obstacle.LEVEL_WITHOUT_WORD)
        # The minute, not the instant: the same source and verdict give the same bytes to every gate that asks.
        # Where the target's codes last for two minutes at most, half of what they last, so that there is time left.
        lasts = min(LIFETIME_US, claims.lasts_at_most(claims.of(target)) or LIFETIME_US)
        step = min(MINUTE_US, max(lasts // 2 // SECOND_US, 1) * SECOND_US)
        issued_at = outcome.checked_at - outcome.checked_at % step
        expires_at = min([issued_at + lasts, *_ends(check, said, outcome.checked_at)])
        issued_at = min(issued_at, expires_at - step)  # a source in its last minute, or in the skew after it
        code = self._issue(check, said, target, word, (issued_at, expires_at), outcome)
        return Translation(verdict, code, target.format, expires_at)

    def _issue(
        self, check: Check, said: Claims, target: Region, word: str, window: tuple[int, int], outcome: Outcome
    ) -> bytes:
        fmt = target.format
        key = self._gateway_key(fmt, window[0], outcome)
        named = Source(
            said.home,
            check.signed.key_id if check.signed is not None else b"",
            hashlib.sha256(check.scan.code).digest(),
            said.issued_at,
            target.code,
        )
        tree = claims.write(claims.of(target), fmt, source.write_subject(said.subject, fmt), word, *window)
        tree |= source.write(named, fmt)
        if fmt is Format.NATIONAL:
            tree[national.ISSUER] = NATIONAL
        return CODECS[fmt].mint(tree, key.key_id, self._signers[key.public_key].sign)

    def _gateway_key(self, fmt: Format, issued_at: int, outcome: Outcome) -> IssuerKey:
        authority = outcome.trust.region(NATIONAL)
        for key in authority.keys if authority is not None else ():
            ours = key.role is Role.GATEWAY and key.format is fmt and key.public_key in self._signers
            if ours and key_fault(key, issued_at, outcome.checked_at) is None:
                return key
        raise PreconditionFailed("GATEWAY_KEY_MISSING", f"this server has no valid gateway key for {fmt} codes")


def _ends(check: Check, said: Claims, now: int) -> list[int]:
    """Return when the source ends, and when the records end that made its level what it is: a level that one of them
    lifted is lifted no longer."""
    records = check.view.records if check.view is not None else ()
    counted = (levels.newest(records, publisher, Scope.NATIONAL, now) for publisher in (said.home, NATIONAL))
    ends = [said.expires_at, *(record.expires_at for record in counted if record is not None)]
    return [end for end in ends if end is not None]


def _speaker(target: str, trust: TrustList) -> Region | None:
    """Return the region in whose terms a target reads codes: an adopter reads the national authority's."""
    region = trust.region(target)
    if region is not None and region.adopts_national:
        return trust.region(NATIONAL)
    return region
