"""What the walk of a code for an operator is asked, and what it found. How it is walked is ``inspector``'s to know."""

from typing import NamedTuple

from onecode_server.model.code import Claims
from onecode_server.model.trust_list import IssuerKey, Region
from onecode_server.model.verdict import Finding


class Step(NamedTuple):
    """What one step found, a line for each thing. ``passed`` is None where it could not be made."""

    number: int
    name: str
    passed: bool | None
    lines: tuple[str, ...]


class Inspection(NamedTuple):
    """The steps that were made, up to the first that failed, and what that makes of the code."""

    steps: tuple[Step, ...]
    finding: Finding | None
    claims: Claims | None

    @property
    def failed(self) -> Step | None:
        """The first step that failed, or None."""
        return next((step for step in self.steps if step.passed is False), None)


class Sample(NamedTuple):
    """What a code is tried on before it is signed: the entry of a region, and the key that is to be added, if any."""

    region: Region
    key: IssuerKey | None = None
