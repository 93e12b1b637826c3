"""Step 5 of the check: the key that signed a code, in batches.

A code that none of its candidates signed is counted for each region that has one of them.

Signatures are checked on the event loop, in slices of the backend's size. On a second thread a check by PyNaCl cost
80 us instead of 56, because its binding releases and reacquires the GIL for each check.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from onecode_server.codes.layouts import Bytes
from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.libsodium import LibsodiumBackend
from onecode_server.model.trust_list import IssuerKey
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate.authenticator import SIGNATURE_INVALID
from onecode_server.verification.authenticate.issuer_index import NO_KEY, IssuerIndex, distinct
from onecode_server.verification.check import Check

_Places = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]


class SignatureChecker:
    """Finds the key of each code: the first of its candidates under which the signature is good."""

    def __init__(self, backend: SignatureBackend, metrics: Metrics) -> None:
        self._backend = backend
        self._bad = metrics.bad_signatures
        begin(metrics.signatures, backend.name, LibsodiumBackend.name)
        begin(metrics.signature_seconds, backend.name, LibsodiumBackend.name)
        self._meters = lru_cache(lambda name: (metrics.signature_seconds.labels(name), metrics.signatures.labels(name)))

    def find_key(self, check: Check) -> None:
        """Set the key of one check, or the finding that none of its candidates signed it.

        There is no pause between these: CANDIDATES_MAX signatures take half a millisecond with PyNaCl.
        """
        signed = check.signed
        if signed is None:
            raise AssertionError("a code that was not decoded has no signature")
        started_s, tried = time.perf_counter(), 0
        for key in check.candidates:
            tried += 1
            if self._backend.verify_one(key.public_key, signed.signature, signed.message):
                check.key = key
                break
        else:
            check.finding = SIGNATURE_INVALID
            self._count_bad(check.candidates)
        self._count(tried, started_s)

    async def find_keys(
        self,
        candidates: Sequence[tuple[IssuerKey, ...]],
        signatures: Sequence[bytes],
        messages: Sequence[bytes],
    ) -> list[IssuerKey | None]:
        """Return the key of each code, None where none of its candidates signed it. Each code has a candidate."""
        first = [keys[0] for keys in candidates]  # which mostly signed it
        results = await self._check_rows(first, signatures, messages)
        found: list[IssuerKey | None] = [*first]
        if False in results:
            left = [at for at, is_signed in enumerate(results) if not is_signed]
            await self._try_others(found, left, candidates, signatures, messages)
        return found

    async def _try_others(
        self,
        found: list[IssuerKey | None],
        left: list[int],
        candidates: Sequence[tuple[IssuerKey, ...]],
        signatures: Sequence[bytes],
        messages: Sequence[bytes],
    ) -> None:
        """Set the keys in ``found`` of the codes that are left, which their first candidate did not sign."""
        tried = 1
        while left:
            for at in left:
                found[at] = None
                if tried == len(candidates[at]):
                    self._count_bad(candidates[at])
            left = [at for at in left if tried < len(candidates[at])]
            keys = [candidates[at][tried] for at in left]
            results = await self._check_rows(keys, [signatures[at] for at in left], [messages[at] for at in left])
            for at, key, is_signed in zip(left, keys, results, strict=True):
                found[at] = key if is_signed else None
            left, tried = [at for at in left if found[at] is None], tried + 1

    async def _check_rows(
        self, keys: Sequence[IssuerKey], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        """Return which codes the keys signed, of which each code has one."""
        results: list[bool] = []
        public_keys, size = [key.public_key for key in keys], self._backend.slice_items
        for start in range(0, len(keys), size):
            if start:
                await asyncio.sleep(0)
            started_s, part = time.perf_counter(), slice(start, start + size)
            results += self._backend.verify_batch(public_keys[part], signatures[part], messages[part])
            self._count(len(results) - start, started_s)
        return results

    async def find_key_places(
        self, candidates: _Places, index: IssuerIndex, signatures: Bytes, messages: Bytes
    ) -> _Places:
        """Return the place of each code's key, int64[n]; NO_KEY where none of its candidates signed it.

        ``candidates``, int64[n], are rows of ``index.candidates``; ``signatures`` are uint8[n, 64], ``messages``
        uint8[n, m].
        """
        if not candidates.size:
            return candidates
        keys: _Places = index.candidates[candidates, 0]  # each code has a first candidate, which mostly signed it
        is_signed = await self._check_columns(index, keys, signatures, messages)
        if np.count_nonzero(is_signed) == is_signed.size:
            return keys
        found = np.where(is_signed, keys, NO_KEY)
        for column in index.candidates.T[1:]:
            keys = column[candidates]
            tried = ((found == NO_KEY) & (keys != NO_KEY)).nonzero()[0]
            if not tried.size:
                break
            is_signed = await self._check_columns(index, keys[tried], signatures[tried], messages[tried])
            found[tried[is_signed]] = keys[tried[is_signed]]
        is_left = found == NO_KEY
        for row, count in zip(*np.unique(candidates[is_left], return_counts=True), strict=True):
            self._count_bad((index.keys[at] for at in index.candidates[row].tolist() if at != NO_KEY), int(count))
        return found

    async def _check_columns(self, index: IssuerIndex, keys: _Places, signatures: Bytes, messages: Bytes) -> _Flags:
        """Return which signatures are the keys', of which each code has one: bool[n]."""
        found, size = [], self._backend.slice_items
        for start in range(0, len(keys), size):
            if start:
                await asyncio.sleep(0)
            started_s = time.perf_counter()
            part = slice(start, start + size)
            used, which = distinct(keys[part])
            public_keys = [index.public_keys[place] for place in used]
            found.append(self._backend.verify_columns(public_keys, which, signatures[part], messages[part]))
            self._count(len(which), started_s)
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _count_bad(self, candidates: Iterable[IssuerKey], codes: int = 1) -> None:
        for region in {key.region for key in candidates}:
            self._bad.labels(region).inc(codes)

    def _count(self, signatures: int, started_s: float) -> None:
        took_s = time.perf_counter() - started_s
        seconds, checked = self._meters(self._backend.name)
        seconds.observe(took_s)
        checked.inc(signatures)
