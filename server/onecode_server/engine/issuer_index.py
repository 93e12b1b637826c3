"""What is derived from one trust list for codes that are read by a layout: keys by place, their bounds, templates.

It is reached from the list itself. So a check that began under one list never meets what was derived from another,
however many lists come and go while it waits.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.engine.template_cache import TemplateCache
from onecode_server.model.trust_list import CANDIDATES_MAX, Format, IssuerKey, KeyState, TrustList
from onecode_server.rules.columns import NEVER, key_bounds

Places = npt.NDArray[np.int64]

NO_KEY: Final = -1
"""The place of a key that the list does not have, or that a template leaves to the general path."""


class IssuerIndex:
    """The keys of one trust list. Places are into ``keys``, ``public_keys`` and the rows of ``bounds``.

    ``candidates``, int64[m, CANDIDATES_MAX], has the places of the keys of one format and key id, in the order in which
    they are tried, NO_KEY where there are fewer. ``bounds``, int64[k, 4], are the fields of ``KeyBounds``; nothing is
    within those of a revoked key, which ``is_revoked``, bool[k], names. ``templates`` are what codes of these keys have
    taught under this list.
    """

    def __init__(self, trust: TrustList, skew: int) -> None:
        """Derive from ``trust``; ``skew`` is microseconds. Takes a second for the longest list."""
        self.trust = trust
        self.templates = TemplateCache()
        self.is_in_use = False
        self.keys: list[IssuerKey] = [key for keys in trust.candidates.values() for key in keys]
        self.public_keys = [key.public_key for key in self.keys]
        self.place_of = {public_key: place for place, public_key in enumerate(self.public_keys)}
        self.is_revoked = np.array([key.state is KeyState.REVOKED for key in self.keys], bool)
        self.bounds = np.array([key_bounds(key, skew) or NEVER for key in self.keys], np.int64).reshape(-1, 4)
        self.candidates = np.full((len(trust.candidates), CANDIDATES_MAX), NO_KEY, np.int64)
        self._rows: Mapping[Format, dict[bytes, int]] = {fmt: {} for fmt in Format}
        for row, ((fmt, key_id), keys) in enumerate(trust.candidates.items()):
            self._rows[fmt][key_id] = row
            self.candidates[row, : len(keys)] = [self.place_of[key.public_key] for key in keys]

    def begin_with(self, taught: TemplateCache) -> None:
        """Begin with what codes have taught under another list of those keys that this one trusts too."""
        trusted = {
            public_key: (place, self.keys[place])
            for public_key in taught.public_keys
            if (place := self.place_of.get(public_key)) is not None and self.keys[place].state is not KeyState.REVOKED
        }
        self.templates = taught.of_keys(trusted)
        self.is_in_use = True

    def candidates_of(self, fmt: Format, fields: Sequence[bytes]) -> Places:
        """Return the row of ``candidates`` that each code's key id names: int64[n], NO_KEY where none does.

        ``fields`` are as codes of the format spell key ids. A spelling that no authentic code had is not read here.
        """
        spellings, rows = self.templates.spellings(fmt), self._rows[fmt]
        key_ids = fields if spellings is None else map(spellings.get, fields, repeat(b""))  # no key id is empty
        return np.fromiter(map(rows.get, key_ids, repeat(NO_KEY)), np.int64, len(fields))


class IssuerIndexes:
    """Finds the index of a trust list. ``skew`` is microseconds."""

    def __init__(self, skew: int) -> None:
        self._skew = skew
        self._taught = TemplateCache()

    def prepare(self, trust: TrustList) -> None:
        """Make the index of a list that is not in force yet. May run on any thread: a long list takes its time."""
        trust.derived[IssuerIndex] = IssuerIndex(trust, self._skew)

    def of(self, trust: TrustList) -> IssuerIndex:
        """Return what is derived from ``trust``.

        A new list begins with what codes have taught before of those keys that it still trusts, so that it does not
        make the next batches slow. What a check under an older list learns from then on is that list's alone, and goes
        with it.
        """
        index = trust.derived.get(IssuerIndex)
        if not isinstance(index, IssuerIndex):
            self.prepare(trust)
            return self.of(trust)
        if not index.is_in_use:
            index.begin_with(self._taught)
            self._taught = index.templates
        return index
