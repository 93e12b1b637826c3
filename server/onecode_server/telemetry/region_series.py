"""The series of the trust list's regions: shown with 0 as soon as a list is taken.

Those of a region that leaves the list stay until the process ends, and count no further.
"""

import math
from collections.abc import Collection
from itertools import product
from typing import Final

from onecode_server.model.identity import Role
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import IssuerKey, KeyState, TrustList
from onecode_server.telemetry.counting import begin, children
from onecode_server.telemetry.metrics import UNKNOWN_REGION, Metrics

REGIONS_MAX: Final = 64
"""The longest list whose series are shown before they count: 4,225 pairs of home and host, a page of half a megabyte.
China has 34 regions; a longer list's series appear one by one."""


class RegionSeries:
    """``claims`` are the names of claims that can be at fault, ``translated`` and ``published`` the outcomes of
    translations and publications, ``publishers`` the roles that publish."""

    def __init__(
        self,
        metrics: Metrics,
        claims: Collection[str],
        translated: Collection[str],
        published: Collection[str],
        publishers: Collection[Role],
    ) -> None:
        self._metrics = metrics
        self._claims = claims
        self._translated = translated
        self._published = published
        self._publishers = publishers

    def show(self, trust: TrustList) -> None:
        """Show the series of a list that is to be in force. It may run on any thread."""
        self._show_ends(trust)
        metrics, regions = self._metrics, trust.regions
        if len(regions) > REGIONS_MAX:
            return
        labels = (*regions, UNKNOWN_REGION)
        with_keys = [code for code, region in regions.items() if region.keys]
        begin(metrics.scans, *product(labels, labels))
        begin(metrics.translations, *product(labels, self._translated))
        begin(metrics.unmapped_levels, *regions)
        begin(metrics.bad_signatures, *with_keys)
        begin(metrics.claim_faults, *product(with_keys, self._claims))
        provinces = [code for code in regions if code != NATIONAL]
        for role in self._publishers:
            of = provinces if role is Role.REGIONAL_OPERATOR else ("",)
            begin(metrics.published, *product(self._published, (role.value,), of))

    def _show_ends(self, trust: TrustList) -> None:
        ends: dict[tuple[str, str], float] = {}
        for key in (key for region in trust.regions.values() for key in region.keys):
            named = key.region, key.role.value
            ends[named] = max(ends.get(named, 0.0), _end_s(key))
        for child in children(self._metrics.keys_end):
            if tuple(child._labelvalues) not in ends:  # 0 would say that its keys have ended
                child.set(math.nan)
        if len(trust.regions) <= REGIONS_MAX:
            for named, end_s in ends.items():
                self._metrics.keys_end.labels(*named).set(end_s)


def _end_s(key: IssuerKey) -> float:
    """Return from when on a key signs nothing that counts, in Unix seconds: 0 for a revoked key."""
    if key.state is KeyState.REVOKED:
        return 0.0
    return min((end / 1e6 for end in (key.not_after, key.retired_at) if end is not None), default=math.inf)
