"""The versions of the rules by which messages are applied.

A message names the version under which its machine wrote it, and is applied under that version by every machine, now
and when the log is replayed. A changed rule is a new version: its functions stand beside the earlier ones for as long
as the log holds messages of these. Machines write under a new version only once a ``RulesCommand`` says so
(``onecode log rules --set``): a program knows its newest version before that is in force.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from onecode_server.errors import OnecodeError
from onecode_server.model.status import Scope, StatusRecord
from onecode_server.model.trust_list import TrustList
from onecode_server.recognition import steps
from onecode_server.recognition.steps import Step
from onecode_server.replication.packed_merge import merge_usual
from onecode_server.rules import publication
from onecode_server.rules.publication import Records, Rejection, Replay
from onecode_server.stores.protocol import ExceptionAnswer, ExceptionChange, ExceptionView
from onecode_server.stores.replica_layout import FIRST_RULES

RULES: Final = FIRST_RULES
"""The version under which a new log begins."""


class UnknownRules(OnecodeError):
    """A message of the cluster needs a later program: its rules, its kind or its form are not known here. The machine
    applies nothing any more, since a skipped message would make its state differ from that of the others."""


class RuleSet(NamedTuple):
    """The rules of one version: pure functions like ``merge`` and ``set_back`` of ``rules.publication``, and ``decide``
    of ``recognition.steps``. ``merge_usual`` is ``merge`` on packed records, where it does not return None."""

    merge: Callable[[Records, StatusRecord, int], Records | Rejection | Replay]
    set_back: Callable[[Records, str, Scope, int], Records]
    decide: Callable[[Step, ExceptionView, int, TrustList | None, int], ExceptionChange | ExceptionAnswer]
    merge_usual: Callable[[bytes, StatusRecord, int], bytes | None]


class RuleVersions:
    """The versions that a program knows. ``first`` and ``latest`` are their bounds.

    Their numbers have no gap: a machine that knows a later version than that in force knows all between, so that its
    marks need to name the latest alone.
    """

    def __init__(self, sets: Mapping[int, RuleSet]) -> None:
        """Take the rules by the numbers of their versions. Raises ValueError where a number between is missing."""
        self.first, self.latest = min(sets), max(sets)
        if len(sets) != self.latest - self.first + 1:
            raise ValueError("the versions of the rules have a gap")
        self._sets = dict(sets)

    def of(self, version: int) -> RuleSet:
        """Return the rules of a version. Raises UnknownRules."""
        found = self._sets.get(version)
        if found is None:
            raise UnknownRules(
                f"a message of the log needs version {version} of the rules, and this program knows up to "
                f"{self.latest}: install the version of onecode that the other machines run"
            )
        return found


KNOWN: Final = RuleVersions({1: RuleSet(publication.merge, publication.set_back, steps.decide, merge_usual)})
"""The versions that this program knows. The first is in force until a later one is switched on."""
