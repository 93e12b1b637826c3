"""Pseudonyms of many subjects: the hash state that a region's pseudonyms share is computed once."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from onecode_server.model.subject import pseudonym_state

REGIONS_MAX: Final = 4096
"""Regions whose hash state is cached, some 400 bytes each: a hundred times the regions of a country."""


class Pseudonyms:
    """Makes pseudonyms under one key (32 bytes); see ``model.subject.pseudonym``. Not thread-safe."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._states: dict[str, blake2b] = {}

    def of(self, region: str, local_id: bytes) -> bytes:
        """Return the pseudonym (16 bytes) of a region's identifier, given in UTF-8."""
        state = self._state(region).copy()
        state.update(local_id)
        return state.digest()

    def of_all(self, regions: Iterable[str], local_ids: Iterable[bytes]) -> list[bytes]:
        """Return the pseudonym of each identifier; ``regions`` has the region of each."""
        made = []
        for region, local_id in zip(regions, local_ids, strict=True):
            state = (self._states.get(region) or self._state(region)).copy()
            state.update(local_id)
            made.append(state.digest())
        return made

    def _state(self, region: str) -> blake2b:
        state = self._states.get(region)
        if state is None:
            if len(self._states) >= REGIONS_MAX:
                self._states.clear()
            state = self._states[region] = pseudonym_state(self._key, region)
        return state
