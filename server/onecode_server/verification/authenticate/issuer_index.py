"""The index of one trust list for codes that are read by a template: keys by place, their windows, and the templates.

It is stored in the trust list itself (``derived``), so a check under one list never uses the index of another, even if
the list is replaced while the check waits.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.codes.codec import CODECS
from onecode_server.model.trust_list import CANDIDATES_MAX, Format, IssuerKey, KeyState, TrustList
from onecode_server.rules.validity import key_window
from onecode_server.verification.authenticate.template_cache import TemplateCache

Places = npt.NDArray[np.int64]

NO_KEY: Final = -1
"""The place of a key that the list does not have, or whose codes are left to the general path."""


class IssuerIndex:
    """The keys of one trust list. Places are into ``keys``, ``public_keys``, ``key_windows`` and the columns of
    ``windows``.

    ``candidates``, int64[m, CANDIDATES_MAX], has a row for each format and key id: the places of its keys in the order
    in which they are tried, filled up with NO_KEY. ``key_windows`` are the keys' windows, and ``windows``,
    int64[4, k], has their fields. ``is_revoked``, bool[k], marks revoked keys. ``templates`` are the templates that
    were learned from codes of these keys under this list. ``keys_of`` has the candidates of each key id, by format.
    """

    def __init__(self, trust: TrustList, skew: int) -> None:
        """Make the index of ``trust``; ``skew`` is in microseconds. It takes a second for the longest list."""
        self.trust = trust
        self.templates = TemplateCache()
        self.is_in_use = False
        self.keys: list[IssuerKey] = [key for keys in trust.candidates.values() for key in keys]
        self.public_keys = [key.public_key for key in self.keys]
        self.place_of = {public_key: place for place, public_key in enumerate(self.public_keys)}
        self.is_revoked = np.array([key.state is KeyState.REVOKED for key in self.keys], bool)
        self.key_windows = [key_window(key, skew) for key in self.keys]
        self.windows = np.array(self.key_windows, np.int64).reshape(-1, 4).T
        self.candidates = np.full((len(trust.candidates), CANDIDATES_MAX), NO_KEY, np.int64)
        self._rows: Mapping[Format, dict[bytes, int]] = {fmt: {} for fmt in CODECS}
        self.keys_of: Mapping[Format, dict[bytes | None, tuple[IssuerKey, ...]]] = {fmt: {} for fmt in CODECS}
        for row, ((fmt, key_id), keys) in enumerate(trust.candidates.items()):
            self._rows[fmt][key_id], self.keys_of[fmt][key_id] = row, keys
            self.candidates[row, : len(keys)] = [self.place_of[key.public_key] for key in keys]

    def begin_with(self, learned: TemplateCache) -> None:
        """Take over the templates that were learned under another list, for the keys that this list trusts too."""
        trusted = {
            public_key: (place, self.keys[place])
            for public_key in learned.public_keys
            if (place := self.place_of.get(public_key)) is not None and self.keys[place].state is not KeyState.REVOKED
        }
        self.templates = learned.of_keys(trusted)
        self.is_in_use = True

    def candidates_of(self, fmt: Format, fields: Sequence[bytes]) -> Places:
        """Return the row of ``candidates`` for each code's key id: int64[n], NO_KEY if the list has no such key id.

        ``fields`` are the encoded key ids of the codes. An encoding that no authentic code has had gives NO_KEY too.
        """
        spellings, rows = self.templates.spellings(fmt), self._rows[fmt]
        key_ids = fields if spellings is None else map(spellings.get, fields, repeat(b""))  # no key id is empty
        return np.fromiter(map(rows.get, key_ids, repeat(NO_KEY)), np.int64, len(fields))


class IssuerIndexes:
    """Makes and returns the index of a trust list. ``skew`` is in microseconds."""

    def __init__(self, skew: int) -> None:
        self._skew = skew
        self._learned = TemplateCache()

    def prepare(self, trust: TrustList) -> None:
        """Make the index of a list that is not in force yet. It may run on any thread, since a long list takes long."""
        trust.derived[IssuerIndex] = IssuerIndex(trust, self._skew)

    def of(self, trust: TrustList) -> IssuerIndex:
        """Return the index of ``trust``.

        A new list takes over the templates of the keys that it still trusts, so that the next batches are not slow. A
        template that a check under an older list learns afterwards belongs to that list only, and is freed with it.
        """
        index = trust.derived.get(IssuerIndex)
        if not isinstance(index, IssuerIndex):
            self.prepare(trust)
            return self.of(trust)
        if not index.is_in_use:
            index.begin_with(self._learned)
            self._learned = index.templates
        return index


def distinct(places: Places) -> tuple[list[int], Places]:
    """Return the distinct places in order, and for each item the index of its place among them: int64[n]."""
    used = np.bincount(places).nonzero()[0]
    which = np.empty(int(used[-1]) + 1, np.int64)
    which[used] = np.arange(len(used))
    return used.tolist(), which[places]
