"""Finds the places of the values of a JSON object in its text.

The text was read by ``bounded_json`` before, so that neither its syntax nor its bounds are checked again.
"""

import json
import re
from typing import Final

from onecode_server.codes.layouts import FIELDS_MAX, NUMBER_DIGITS_MAX, Field, Kind
from onecode_server.model.trust_list import Path

_SPACE: Final = re.compile(rb"[ \t\n\r]*")
_VALUES: Final = (
    (Kind.TEXT, re.compile(rb'"([^"\\]*)"')),
    # A number with more digits, a sign, a fraction or an exponent is left to the general path.
    (Kind.NUMBER, re.compile(rb"(0|[1-9][0-9]{0,%d})(?![0-9.eE])" % (NUMBER_DIGITS_MAX - 1))),
    (Kind.LITERAL, re.compile(rb"(true|false|null)")),
)
_JSON: Final = json.JSONDecoder()


def fields_of(text: bytes) -> dict[Path, Field]:
    """Return the place of each value, by its path; objects are OTHER, and the values in them have places too.

    ``text`` is an object that ``bounded_json`` reads. Raises ValueError where names have escapes or are too many.
    """
    scan = _FieldScan(text)
    scan.members(scan.space(0), ())
    return scan.fields


class _FieldScan:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._characters = text.decode("latin-1")  # one for each byte, so that places are the same
        self.fields: dict[Path, Field] = {}

    def members(self, at: int, path: Path) -> int:
        """Read an object that begins at ``at``, and return its end."""
        at = self.space(at + 1)
        while self._text[at] != ord("}"):
            if self._text[at] == ord(","):
                at = self.space(at + 1)
            name = _VALUES[0][1].match(self._text, at)
            if name is None:
                raise ValueError("a name has escapes")
            colon = self.space(name.end())
            at = self.space(self._value(self.space(colon + 1), (*path, name[1].decode())))
        return at + 1

    def _value(self, at: int, path: Path) -> int:
        """Note the place of a value, and return its end."""
        if len(self.fields) >= FIELDS_MAX:
            raise ValueError("too many values")
        for kind, pattern in _VALUES:
            match = pattern.match(self._text, at)
            if match is not None:
                self.fields[path] = Field(kind, *match.span(1))
                return match.end()
        self.fields[path] = Field(Kind.OTHER, at, at)
        if self._text[at] == ord("{"):
            return self.members(at, path)
        return _JSON.raw_decode(self._characters, at)[1]

    def space(self, at: int) -> int:
        """Return the end of the white space that may begin at ``at``."""
        match = _SPACE.match(self._text, at)
        return at if match is None else match.end()
