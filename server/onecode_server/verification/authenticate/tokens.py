"""Opaque codes in the check: step 5 looks up their tokens, step 6 makes their claims."""

from collections.abc import Sequence

from onecode_server.codes import opaque
from onecode_server.errors import Malformed, StoreUnavailable
from onecode_server.model.code import Claims
from onecode_server.model.status import Level
from onecode_server.model.subject import token_digest, token_subject
from onecode_server.model.verdict import Authenticity, Reason
from onecode_server.status.own_marks import OwnMarks
from onecode_server.stores.protocol import UNREADABLE, Store, TokenKey
from onecode_server.verification.check import Check


class TokenReader:
    """Looks up tokens by their keyed digest. ``pseudonym_key`` is 32 bytes.

    ``marks`` confirm a store that is a machine's copy of a log, in which a token may be missing that another machine
    took. None where the store is embedded.
    """

    def __init__(self, store: Store, pseudonym_key: bytes, marks: OwnMarks | None = None) -> None:
        self._store = store
        self._key = pseudonym_key
        self._marks = marks

    def key_of(self, region: str, code: bytes) -> TokenKey:
        """Return the store key of a region's opaque code."""
        return TokenKey(region, token_digest(self._key, region, code))

    async def look_up(self, checks: Sequence[Check]) -> None:
        """Fill in the tokens of opaque codes, with one store lookup for all of them."""
        readable = []
        for check in checks:
            home = check.opaque_home
            if home is None:
                continue
            try:
                opaque.check(check.code, home.prefix)
                readable.append((check, self.key_of(home.code, check.code)))
            except Malformed:
                check.refuse(Authenticity.MALFORMED, Reason.CODE_MALFORMED)
        if not readable:
            return
        # A token is in the partition of its subject, which is made of its digest. The mark is that before the read.
        knows = [self._marks is None or self._marks.confirms(token_subject(key.digest)) for _, key in readable]
        try:
            tokens = await self._store.tokens([key for _, key in readable])
        except StoreUnavailable:
            for check, _ in readable:
                check.refuse(Authenticity.UNVERIFIABLE, Reason.TOKEN_UNVERIFIABLE)
            return
        for (check, _), token, knows_all in zip(readable, tokens, knows, strict=True):
            if token is UNREADABLE or (token is None and not knows_all):
                check.refuse(Authenticity.UNVERIFIABLE, Reason.TOKEN_UNVERIFIABLE)
                continue
            check.token = token
            if token is None:
                check.refuse(Authenticity.UNKNOWN_ISSUER, Reason.TOKEN_UNKNOWN)

    def claims(self, check: Check) -> Claims | None:
        """Return the claims of an opaque code: a subject and a window. Its level comes from the status records."""
        token, home = check.token, check.opaque_home
        if token is None or home is None:
            return None
        return Claims(home.code, token.subject, None, Level.UNSPECIFIED, token.issued_at, token.expires_at)
