"""Under which keys LMDB's indexes have a report: its host and home, when it ends, when it was filed. No I/O.

Numbers are big-endian and codes of regions six digits, so that LMDB's order of bytes is the order that is asked for.
"""

from typing import Final, NamedTuple

from onecode_server.model.exception import RecognitionException
from onecode_server.stores.layout import number, read_number
from onecode_server.stores.protocol import Place, Selection

_ALL, _HOST, _HOME, _PAIR, _LIVE = b"a", b"h", b"d", b"p", b"l"
_CODE_BYTES: Final = 6
_NUMBER_BYTES: Final = 8
_ACKNOWLEDGED, _OPEN = b"a", b"o"


class Ends(NamedTuple):
    """When a live report ends, and what its other keys are made of."""

    at: int
    is_acknowledged: bool
    host: bytes
    home: bytes
    reported_at: int

    def key(self, identifier: bytes) -> bytes:
        """Return its place among all live reports, first ends first."""
        return number(self.at) + identifier

    def value(self) -> bytes:
        """Return what stands there."""
        kind = _ACKNOWLEDGED if self.is_acknowledged else _OPEN
        return kind + self.host + self.home + number(self.reported_at)

    def filed_key(self, identifier: bytes) -> bytes:
        """Return its place among all live reports, in the order of filing."""
        return _LIVE + number(self.reported_at) + identifier

    @classmethod
    def read(cls, key: bytes, value: bytes) -> tuple[bytes, "Ends"]:
        """Return the id, and what ``key`` and ``value`` were made of."""
        host, home = value[1 : 1 + _CODE_BYTES], value[1 + _CODE_BYTES : 1 + 2 * _CODE_BYTES]
        is_acknowledged, reported_at = value[:1] == _ACKNOWLEDGED, read_number(value[1 + 2 * _CODE_BYTES :])
        return key[_NUMBER_BYTES:], cls(read_number(key[:_NUMBER_BYTES]), is_acknowledged, host, home, reported_at)


def ends_of(report: RecognitionException) -> Ends:
    """Return when a report ends."""
    is_acknowledged = report.acknowledged_at is not None
    return Ends(report.ends_at, is_acknowledged, report.host.encode(), report.home.encode(), report.reported_at)


def live_key(identifier: bytes, ends: Ends) -> tuple[str, bytes, bytes]:
    """Return the table in which a live report is found by its regions, its key there, and what stands there."""
    if ends.is_acknowledged:
        return "reports_acknowledged", ends.host + ends.home + number(ends.at) + identifier, identifier
    return "reports_open", ends.host + number(ends.at) + identifier, ends.home


def acknowledged_prefix(host: str, home: str) -> bytes:
    """Return where the keys of a pair's acknowledged reports begin."""
    return host.encode() + home.encode()


def open_prefix(host: str) -> bytes:
    """Return where the keys of a host's waiting reports begin."""
    return host.encode()


def filed_keys(report: RecognitionException) -> list[bytes]:
    """Return the keys under which a report stays in the order of filing: among all, of its host, about its home, of
    its pair."""
    host, home = report.host.encode(), report.home.encode()
    place = place_key(Place(report.reported_at, report.id))
    return [prefix + place for prefix in (_ALL, _HOST + host, _HOME + home, _PAIR + host + home)]


def filed_prefix(selection: Selection) -> bytes:
    """Return where the keys of a selection begin."""
    host, home = selection.host.encode(), selection.home.encode()
    if selection.is_live:
        return _LIVE
    if host and home:
        return _PAIR + host + home
    return _HOST + host if host else _HOME + home if home else _ALL


def place_key(place: Place) -> bytes:
    """Return a place in the order of filing as the end of a key."""
    return number(place.reported_at) + place.id.encode()
