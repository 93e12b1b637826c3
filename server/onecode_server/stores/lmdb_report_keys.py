"""The keys of a report in LMDB's indexes: by host and home, by end, by time of filing. No I/O.

Numbers are big-endian and codes of regions six digits, so that LMDB's order of bytes is the order of the queries.
"""

from typing import Final, NamedTuple

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.stores.layout import number, read_number
from onecode_server.stores.protocol import Place, Selection

_ALL, _HOST, _HOME, _PAIR, _LIVE = b"a", b"h", b"d", b"p", b"l"
_CODE_BYTES: Final = 6
_NUMBER_BYTES: Final = 8
_ACKNOWLEDGED, _OPEN = b"a", b"o"


class Ends(NamedTuple):
    """The end of a live report, and the values from which its other keys are made."""

    at: int
    is_acknowledged: bool
    host: bytes
    home: bytes
    reported_at: int

    def key(self, identifier: bytes) -> bytes:
        """Return the key in the index of live reports by their end."""
        return number(self.at) + identifier

    def value(self) -> bytes:
        """Return the value in that index."""
        kind = _ACKNOWLEDGED if self.is_acknowledged else _OPEN
        return kind + self.host + self.home + number(self.reported_at)

    def filed_key(self, identifier: bytes) -> bytes:
        """Return the key in the index of live reports by filing."""
        return _LIVE + number(self.reported_at) + identifier

    @classmethod
    def read(cls, key: bytes, value: bytes) -> tuple[bytes, "Ends"]:
        """Return the id and the ``Ends`` from which ``key`` and ``value`` were made."""
        host, home = value[1 : 1 + _CODE_BYTES], value[1 + _CODE_BYTES : 1 + 2 * _CODE_BYTES]
        is_acknowledged, reported_at = value[:1] == _ACKNOWLEDGED, read_number(value[1 + 2 * _CODE_BYTES :])
        return key[_NUMBER_BYTES:], cls(read_number(key[:_NUMBER_BYTES]), is_acknowledged, host, home, reported_at)


def ends_of(report: RecognitionException) -> Ends:
    """Return the ``Ends`` of a report."""
    is_acknowledged = report.acknowledged_at is not None
    return Ends(report.ends_at, is_acknowledged, report.host.encode(), report.home.encode(), report.reported_at)


def live_key(identifier: bytes, ends: Ends) -> tuple[str, bytes, bytes]:
    """Return the table that indexes a live report by its regions, and the report's key and value there."""
    if ends.is_acknowledged:
        return "reports_acknowledged", ends.host + ends.home + number(ends.at) + identifier, identifier
    return "reports_open", ends.host + number(ends.at) + identifier, ends.home


def acknowledged_prefix(host: str, home: str) -> bytes:
    """Return the prefix of the keys of a pair's acknowledged reports."""
    return host.encode() + home.encode()


def open_prefix(host: str) -> bytes:
    """Return the prefix of the keys of a host's waiting reports."""
    return host.encode()


def filed_keys(report: RecognitionException) -> list[bytes]:
    """Return the keys of a report in the order of filing, which stay for ever: among all, of its host, of its home, of
    its pair."""
    host, home = report.host.encode(), report.home.encode()
    place = place_key(Place(report.reported_at, report.id))
    return [prefix + place for prefix in (_ALL, _HOST + host, _HOME + home, _PAIR + host + home)]


def filed_prefix(selection: Selection) -> bytes:
    """Return the prefix of a selection's keys."""
    host, home = selection.host.encode(), selection.home.encode()
    if selection.is_live:
        return _LIVE
    if host and home:
        return _PAIR + host + home
    return _HOST + host if host else _HOME + home if home else _ALL


def place_key(place: Place) -> bytes:
    """Return a place in the order of filing as the end of a key."""
    return number(place.reported_at) + place.id.encode()
