"""The inputs of the computation: each with its unit, and with how it is known."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import click

FILE: Final = Path(__file__).parent / "inputs.json"
Known = Literal["measured", "simulated", "assumed"]
KNOWN: Final = ("measured", "simulated", "assumed")


class Input(NamedTuple):
    """A number. ``source`` is the command and the date of a measurement, or the reason of an assumption."""

    value: float
    unit: str
    known: Known
    source: str


class Inputs(Mapping[str, float]):
    """The numbers by their names; ``all`` has where each is from."""

    def __init__(self, given: Mapping[str, Input]) -> None:
        self.all = dict(given)

    def __getitem__(self, name: str) -> float:
        return self.all[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def replaced(self, values: Mapping[str, float], source: str) -> "Inputs":
        """Return the inputs with some numbers of the caller's own. Raises click.BadParameter for unknown names and for
        numbers that are not above 0."""
        changed = dict(self.all)
        for name, value in values.items():
            if name not in changed:
                raise click.BadParameter(f"there is no input {name!r}; there are {', '.join(sorted(changed))}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise click.BadParameter(f"{name} must be a number above 0")
            changed[name] = changed[name]._replace(value=float(value), known="assumed", source=source)
        return Inputs(changed)


def read() -> Inputs:
    """Return the inputs of ``inputs.json``."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return Inputs({name: Input(**one) for name, one in found.items()})


def read_own(file: Path) -> dict[str, float]:
    """Return the numbers of a caller's file: a JSON object of names and numbers. Raises click.BadParameter."""
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as fault:
        raise click.BadParameter(f"{file}: {fault}") from None
    if not isinstance(found, dict):
        raise click.BadParameter(f"{file} is not a JSON object of names and numbers")
    return found
