"""The partners of a trust list: for which hosts each may check and translate.

A partner without an entry may do so for all hosts. One whose entry is faulty may do so for none: the list limits it in
a way that cannot be read.
"""

import re
from typing import Any, Final

from onecode_server.errors import TrustListRefused
from onecode_server.model.region import is_region_code
from onecode_server.model.trust_list import Skipped

NAME: Final = re.compile(r"[a-z0-9._-]{1,64}\Z")
"""The names of partners, as SPIFFE ids have them."""
_MEMBERS: Final = {"name", "hosts"}


def read(entries: Any, skipped: list[Skipped]) -> dict[str, frozenset[str]]:
    """Return the hosts of each partner that has an entry. Add what is faulty to ``skipped``.

    Raises TrustListRefused where it cannot be told which partners are limited.
    """
    if not isinstance(entries, list):
        raise TrustListRefused("the trust list's partners are not a list")
    partners: dict[str, frozenset[str]] = {}
    for index, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not NAME.match(name):
            raise TrustListRefused(f"partners[{index}] has no name of a-z, 0-9, dots, dashes and underscores")
        hosts = _hosts(entry)
        if hosts is None or name in partners:
            skipped.append(Skipped(f"partner {name}", "is in the list twice" if name in partners else _FAULT))
            hosts = frozenset()
        partners[name] = hosts
    return partners


_FAULT: Final = "its hosts are not a list of six digits each, or it has another member"


def _hosts(entry: dict[str, Any]) -> frozenset[str] | None:
    hosts = entry.get("hosts")
    if set(entry) != _MEMBERS or not isinstance(hosts, list):
        return None
    return frozenset(hosts) if all(isinstance(host, str) and is_region_code(host) for host in hosts) else None
