"""The input and the result of an inspection; ``inspector`` makes it."""

from typing import NamedTuple

from onecode_server.model.code import Claims
from onecode_server.model.trust_list import IssuerKey, Region
from onecode_server.model.verdict import Finding


class Step(NamedTuple):
    """The result of one step; ``lines`` describe it. ``passed`` is None if the step could not be made."""

    number: int
    name: str
    passed: bool | None
    lines: tuple[str, ...]


class Inspection(NamedTuple):
    """The steps up to the first that failed, its finding, and the claims if they could be read."""

    steps: tuple[Step, ...]
    finding: Finding | None
    claims: Claims | None

    @property
    def failed(self) -> Step | None:
        """The first step that failed, or None."""
        return next((step for step in self.steps if step.passed is False), None)


class Sample(NamedTuple):
    """The region entry that a sample code is checked against before the trust list is signed, and the key to be added,
    if any."""

    region: Region
    key: IssuerKey | None = None
