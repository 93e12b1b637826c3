"""The contract of every store. All of its methods are coroutines that raise StoreUnavailable, and nothing else, where
the store does not answer within its bound."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from onecode_server.model.exception import RecognitionException
from onecode_server.model.status import StatusRecord, Token

Records = tuple[StatusRecord, ...]

Merge = Callable[[Records, StatusRecord], Records | None]
"""Joins a subject's records with a new one; None where the new one is not to be taken. Called inside a transaction."""


class TokenKey(NamedTuple):
    """Under what an opaque token is kept: a digest (32 bytes) counts for its own region only."""

    region: str
    digest: bytes


class Publication(NamedTuple):
    """One record to write. ``token`` is set where the subject was named by an opaque code of the publisher."""

    subject: bytes
    record: StatusRecord
    token: TokenKey | None = None


class KnownList(NamedTuple):
    """The highest trust list that was ever taken: its version, its content's digest, and the signed file itself."""

    version: int
    digest: bytes
    file: bytes


class Store(Protocol):
    """Status records by subject (16 bytes), tokens, exceptions, and the highest trust list."""

    async def statuses(self, subjects: Sequence[bytes]) -> list[Records]:
        """Return the records of each subject, in order; empty where there are none."""
        ...

    async def tokens(self, keys: Sequence[TokenKey]) -> list[Token | None]:
        """Return what is known of each token, in order; None where it was never published."""
        ...

    async def publish(self, publications: Sequence[Publication], merge: Merge) -> list[bool]:
        """Write in one commit, on disk when this returns; tell for each whether it was taken."""
        ...

    async def exceptions(self) -> list[RecognitionException]:
        """Return every exception that was ever reported."""
        ...

    async def put_exception(self, exception: RecognitionException) -> None:
        """Write an exception, in place of the one with the same id."""
        ...

    async def known_list(self) -> KnownList | None:
        """Return the highest trust list that was ever taken, or None."""
        ...

    async def remember_list(self, candidate: KnownList) -> KnownList:
        """Keep ``candidate`` if its version is higher than the one kept, and return the one that is kept then."""
        ...

    async def close(self) -> None:
        """Let go of files and threads."""
        ...
