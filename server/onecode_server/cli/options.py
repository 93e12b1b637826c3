"""Options that several commands share."""

import os
from pathlib import Path
from typing import Any

import click


class PathType(click.Path):
    """A path that is not empty: the empty value of an unset shell variable would mean the current directory."""

    def __init__(self, **how: Any) -> None:
        super().__init__(path_type=Path, **how)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises click.BadParameter."""
        if not os.fspath(value):
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


json_option = click.option("--json", "as_json", is_flag=True, help="One object a line, in order.")
