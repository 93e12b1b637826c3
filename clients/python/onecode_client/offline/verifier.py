"""Verification without a server: whether a code is genuine, whose it is, and what it claims.

No status record is looked up and no exception is known, so that nobody is admitted on such an answer alone.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2
from onecode_client.offline import envelopes
from onecode_client.offline.claims import Claims, interpret
from onecode_client.offline.faults import Finding, Malformed, key_not_valid, malformed, unknown_issuer
from onecode_client.offline.kept_version import expect_no_older, keep
from onecode_client.offline.model import Region, TrustList
from onecode_client.offline.scanned import bare
from onecode_client.offline.signed_list import is_signed, read_signed_list
from onecode_client.offline.times import SECOND
from onecode_client.offline.validity import expect_valid

CODE_BYTES_MAX: Final = 4096
SCAN_BYTES_MAX: Final = CODE_BYTES_MAX + 512
"""What is longer is no code, even without what a scanner added: it is not looked at."""
SKEW_S: Final = 60.0
"""By how much clocks may disagree: as a server's default."""
ROOT_KEY_BYTES: Final = 32
TOKEN_CHARACTERS_MIN: Final = 22
"""An opaque token has 128 random bits, in base64url."""


@dataclass(frozen=True, slots=True)
class OfflineVerdict:
    """What a code is worth without a server.

    ``decision`` is REFUSE for a code that is not authentic or claims RED, else CHECK; past the list's next update, and
    while this machine's clock is before the list's issue, it is CHECK always. ``home_region`` (empty where the code is
    not authentic) and ``level`` are the code's own claims. ``list_age_s`` is how many seconds ago the list was issued.
    """

    decision: pb.Decision.ValueType
    authenticity: pb.Authenticity.ValueType
    reason: pb.Reason.ValueType
    home_region: str
    level: status_pb2.Level.ValueType
    trust_list_version: int
    list_age_s: float
    is_list_in_date: bool


class Offline:
    """Verifies codes by a trust list alone. Safe for threads.

    The list comes from ``OperatorClient.trust_list`` or on any other way: the root's signature is what counts.
    """

    def __init__(
        self,
        signed_list: bytes,
        root_public_key: bytes,
        kept: Path,
        *,
        skew_s: float = SKEW_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take a list. ``root_public_key`` (Ed25519, 32 bytes) comes from the national authority by another way than
        the list. ``kept`` is a file for the highest version that was taken: no list before it is taken again, by any
        process that names the file. ``clock`` returns seconds since 1970.

        Raises ValueError for a root key of another length, and TrustListUnusable, which is one.
        """
        if len(root_public_key) != ROOT_KEY_BYTES:
            raise ValueError(f"the root's public key has {len(root_public_key)} bytes, and not {ROOT_KEY_BYTES}")
        self._root = root_public_key
        self._kept = kept.resolve()  # the same file wherever the program goes, and behind a link the file itself
        self._skew = round(skew_s * SECOND)
        self._clock = clock
        self._renewing = threading.Lock()
        self._trust = read_signed_list(signed_list, root_public_key)
        keep(self._kept, self._trust)

    @property
    def version(self) -> int:
        """The version of the list in use, for ``if_newer_than`` the next time."""
        return self._trust.version

    def renew(self, signed_list: bytes) -> None:
        """Use a newer list from now on. Raises TrustListUnusable: the list that is in use then stays in use."""
        with self._renewing:
            trust = read_signed_list(signed_list, self._root)
            expect_no_older(trust, self._trust.version, self._trust.digest)  # even if the file has been removed
            keep(self._kept, trust)
            self._trust = trust

    def verify(self, code: bytes) -> OfflineVerdict:
        """Return what a code is worth, as scanned: bytes of any length. Raises nothing on account of the code."""
        trust, now = self._trust, round(self._clock() * SECOND)
        home = ""
        level: status_pb2.Level.ValueType = status_pb2.LEVEL_UNSPECIFIED
        authenticity: pb.Authenticity.ValueType = pb.AUTHENTICITY_VALID
        reason: pb.Reason.ValueType = pb.REASON_UNSPECIFIED
        try:
            claims = self._authenticate(code, trust, now)
            home, level = claims.home, claims.level
        except Finding as found:
            authenticity, reason = found.authenticity, found.reason
        is_in_date = trust.issued_at - self._skew <= now <= trust.next_update
        decision: pb.Decision.ValueType = pb.DECISION_CHECK
        is_genuine = authenticity in (pb.AUTHENTICITY_VALID, pb.AUTHENTICITY_UNVERIFIABLE)
        if is_in_date and (not is_genuine or level == status_pb2.LEVEL_RED):
            decision = pb.DECISION_REFUSE
        age_s = (now - trust.issued_at) / SECOND
        return OfflineVerdict(decision, authenticity, reason, home, level, trust.version, age_s, is_in_date)

    def _authenticate(self, scan: bytes, trust: TrustList, now: int) -> Claims:
        """Return the claims of an authentic code. Raises Finding."""
        code = scan if len(scan) > SCAN_BYTES_MAX else bare(scan)
        if not code:
            raise malformed(pb.REASON_CODE_EMPTY)
        if len(code) > CODE_BYTES_MAX:
            raise malformed(pb.REASON_CODE_TOO_LARGE)
        fmt = envelopes.format_of(code)
        if fmt is None:
            raise _opaque(code, trust)
        try:
            signed = envelopes.take_apart(fmt, code)
        except Malformed:
            raise malformed(pb.REASON_CODE_MALFORMED) from None
        candidates = trust.candidates.get((fmt, signed.key_id), ())
        if not candidates:
            raise unknown_issuer(pb.REASON_KEY_UNKNOWN)
        key = next((one for one in candidates if is_signed(one.public_key, signed.signature, signed.message)), None)
        if key is None:
            raise Finding(pb.AUTHENTICITY_BAD_SIGNATURE, pb.REASON_SIGNATURE_INVALID)
        if key.state == "revoked":  # whoever has the key may have written anything
            raise key_not_valid(pb.REASON_KEY_REVOKED)
        try:
            claims = interpret(key, envelopes.read_claims(fmt, signed.payload), trust)
        except Malformed:
            raise malformed(pb.REASON_CLAIMS_MALFORMED) from None
        expect_valid(claims, key, trust, now, self._skew)
        return claims


def _opaque(code: bytes, trust: TrustList) -> Finding:
    """Return the finding on a code without a signature: only the store of a server knows its token."""
    home: Region | None = next(
        (region for region in trust.regions.values() if region.prefix and code.startswith(region.prefix)), None
    )
    if home is None:
        return malformed(pb.REASON_FORMAT_UNKNOWN)
    token = code.removeprefix(home.prefix)
    if len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.decode().isprintable():
        return malformed(pb.REASON_CODE_MALFORMED)
    return Finding(pb.AUTHENTICITY_UNVERIFIABLE, pb.REASON_TOKEN_UNVERIFIABLE)
