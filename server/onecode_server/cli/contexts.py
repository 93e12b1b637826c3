"""Named contexts: servers, each with the certificates and the token for it, in a TOML file of the operator's.

``[gate-7]`` with ``server``, ``metrics`` (its metrics page), ``tls_ca``, ``tls_cert``, ``tls_key``, ``tls_server_name``
and ``token_file``, whose paths are relative to the file. A person names a context in place of six options.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

from onecode_server.errors import Misconfigured
from onecode_server.settings.sources import read_file

KEYS: Final = ("server", "metrics", "tls_ca", "tls_cert", "tls_key", "tls_server_name", "token_file")
NO_FILES: Final = ("server", "metrics", "tls_server_name")
_DEFAULT: Final = ".config/onecode/contexts.toml"


class ContextName(NamedTuple):
    """The context that a command was started with, if any, and the file to find it in; None for the usual one."""

    name: str | None = None
    file: Path | None = None

    def read(self) -> dict[str, tuple[str, str]]:
        """Return the values of the context by KEYS, each with the words that begin a line about it; none without a
        name.

        Raises Misconfigured, with a line for each mistake in this context; the others are not looked at.
        """
        if self.name is None:
            return {}
        file = self.file or _usual_file()
        contexts = {name: keys for name, keys in read_file(file, "contexts file").items() if isinstance(keys, dict)}
        if self.name not in contexts:
            known = f"it has {', '.join(sorted(contexts))}" if contexts else "it has none"
            raise Misconfigured(f"{file} has no context {self.name!a}; {known}")
        return _values(file, self.name, contexts[self.name])


def _values(file: Path, context: str, keys: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    mistakes = []
    for key, value in keys.items():
        where = f"{file}: [{context}] {key}"
        if key not in KEYS:
            near = get_close_matches(key, KEYS, 1)
            mistakes.append(f"{where} is no key of a context{f'; {near[0]} is one' if near else ''}")
        elif not isinstance(value, str) or not value:
            mistakes.append(f"{where}: expected a string that is not empty")
        else:
            found[key] = value if key in NO_FILES else str(file.parent / value), where
    if mistakes:
        raise Misconfigured(*mistakes)
    return found


def _usual_file() -> Path:
    try:
        return Path.home() / _DEFAULT
    except RuntimeError:
        raise Misconfigured("there is no home directory: name the --contexts-file") from None
