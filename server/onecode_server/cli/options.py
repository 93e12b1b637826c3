"""Options that several commands share."""

import os
import re
from pathlib import Path
from typing import Any, Final

import click

from onecode_server.errors import Misconfigured

_SERVER: Final = re.compile(r"(\[[0-9A-Za-z:.%]+\]|[^\s:/\[\]]+):([0-9]{1,5})")


class PathType(click.Path):
    """A path that is not empty: the empty value of an unset shell variable would mean the current directory."""

    def __init__(self, **how: Any) -> None:
        super().__init__(path_type=Path, **how)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises click.BadParameter."""
        if not os.fspath(value):
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


def _address(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    match = _SERVER.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise Misconfigured(f"--server {text!r}: expected HOST:PORT")
    return text


server_option = click.option("--server", required=True, metavar="HOST:PORT", callback=_address)
server_instead_option = click.option("--server", metavar="HOST:PORT", callback=_address, help="Over gRPC.")
json_option = click.option("--json", "as_json", is_flag=True, help="One object a line, in order.")
