"""The sources of settings: flags, the environment, and a TOML file. ``config`` validates the values."""

import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from onecode_server.errors import Misconfigured

FILE_BYTES_MAX: Final = 64 * 1024
"""Twenty times the size of all settings with a comment each: a longer file is no settings file."""
URI_SCHEMES: Final = ("pkcs11:",)
"""The beginnings of values that are no paths, where a path could stand as well."""
_TOML_KINDS: Final[Mapping[Any, tuple[type, ...]]] = {bool: (bool,), int: (int,), float: (int, float)}
"""The types of a TOML value for a setting of a type; all other settings are strings."""
_TOML_WORDS: Final = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    dict: "a table",
}


class Given(NamedTuple):
    """A given value: text, or a TOML value from a file. ``where`` begins the line about a mistake."""

    where: str
    value: Any
    file: Path | None = None

    def text(self, kind: Any) -> str:
        """Return the value as command-line text, for a setting of the type ``kind``.

        Raises ValueError where the TOML value has another type.
        """
        if self.file is None:
            return str(self.value)
        text = _text(self.value, *_TOML_KINDS.get(kind, (str,)))
        # A server is started from any directory, by hand or at boot: a path in a file must always mean the same.
        is_path = Path in (kind, *get_args(kind))
        is_uri = text.startswith(URI_SCHEMES)
        return str(self.file.parent / text) if is_path and text and not is_uri else text


class Sources:
    """All given values. A flag takes precedence over a variable, and a variable over the file."""

    def __init__(self, flags: Mapping[str, str | None], environment: Mapping[str, str], file: Path | None) -> None:
        """Read the file, if any. ``flags`` are names to text, None for not given. ``fault`` is the reason why it was
        not read."""
        self._flags, self._environment, self._file = flags, environment, file
        self._filed: dict[str, Any] = {}
        self.fault: str | None = None
        try:
            self._filed = read_file(file) if file else {}
        except Misconfigured as fault:
            self.fault = str(fault)

    def find(self, name: str) -> Given | None:
        """Return the value of a setting with the highest precedence. An empty variable counts as not given."""
        variable = f"ONECODE_{name.upper()}"
        if (text := self._flags.get(name)) is not None:
            return Given(f"--{name.replace('_', '-')} {text!r}", text)
        if text := self._environment.get(variable):
            return Given(f"{variable}={text!r}", text)
        return Given(f"{self._file}: {name}", self._filed[name], self._file) if name in self._filed else None

    def unknown(self, names: Collection[str]) -> list[str]:
        """Return a line for each key of the file that is no setting's name."""
        near = {key: get_close_matches(key, names, 1) for key in self._filed if key not in names}
        return [
            f"{self._file}: {key!r} is no setting{f'; {like[0]} is one' if like else ''}" for key, like in near.items()
        ]


def read_file(path: Path, kind: str = "settings file") -> dict[str, Any]:
    """Return a file's keys and values, as ``tomllib`` returns them. Raises Misconfigured with one line, which says what
    ``kind`` of file it is.

    At most FILE_BYTES_MAX are read, whatever kind of file it is. A duplicate key is not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as fault:
        raise Misconfigured(f"cannot read the {kind} {path}: {fault.strerror}") from None
    if len(content) > FILE_BYTES_MAX:
        raise Misconfigured(f"{path}: more than {FILE_BYTES_MAX:,} bytes are no {kind}")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise Misconfigured(f"{path}: not TOML: not UTF-8 (at line {line})") from None
    except tomllib.TOMLDecodeError as fault:
        raise Misconfigured(f"{path}: not TOML: {fault}") from None
    except (ValueError, RecursionError):  # from int() and from the parser itself, on values that nobody writes by hand
        raise Misconfigured(f"{path}: a number has too many digits, or arrays lie too deep in each other") from None


def _text(value: Any, *kinds: type) -> str:
    if type(value) not in kinds:  # not isinstance: in Python a boolean is an integer, in TOML it is not
        expected = "a number" if float in kinds else _TOML_WORDS[kinds[0]]
        raise ValueError(f"expected {expected}, not {_TOML_WORDS.get(type(value), 'a date or a time')}")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 63:  # TOML's own bound; a longer number's text may be endless
        raise ValueError("expected a number of at most 64 bits")
    return str(value)
