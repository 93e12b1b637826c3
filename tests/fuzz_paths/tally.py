"""What was compared and what was reached, counted: of one process, or of all of them together."""

from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from onecode_server.model.verdict import Authenticity, Reason, Verdict


@dataclass
class Tally:
    """Counts. ``reasons``, ``authenticities`` and ``decisions`` are by name, of the general path's answers."""

    mutants: int = 0
    in_columns: int = 0
    batched: int = 0
    in_rows: int = 0
    single: int = 0
    answers: int = 0
    batches: int = 0
    interrupted: int = 0
    repeated: int = 0
    worlds: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    authenticities: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)

    def reach(self, verdicts: list[Verdict]) -> None:
        """Count the answers on a batch's mutants."""
        for verdict, count in Counter(verdicts).items():
            self.reasons[verdict.reason.name] += count
            self.authenticities[verdict.authenticity.name] += count
            self.decisions[verdict.decision.name] += count

    def add(self, other: "Tally") -> None:
        """Add what another process counted."""
        for one in fields(self):
            mine: Any = getattr(self, one.name)
            setattr(self, one.name, mine + getattr(other, one.name))

    @property
    def authentic(self) -> int:
        """Mutants that were found authentic."""
        return self.authenticities[Authenticity.VALID.name]

    def short_of(self, least: int) -> list[str]:
        """Return the reasons and kinds of authenticity that were reached less than ``least`` times.

        NO_RULE is not among them: each combination of facts has a rule, so that no code leads to it.
        """
        reasons = [
            reason.name for reason in Reason if reason is not Reason.NO_RULE and self.reasons[reason.name] < least
        ]
        return reasons + [kind.name for kind in Authenticity if self.authenticities[kind.name] < least]
