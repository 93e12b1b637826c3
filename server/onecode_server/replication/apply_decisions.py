"""Applies the commands of the partition of decisions: each change has its entry in the audit record.

The trust list by which steps are decided is the one in the state, never a machine's own file.
"""

import functools
from typing import Final

from onecode_server.crypto.signing import public_key_fault
from onecode_server.errors import PreconditionFailed, TrustListRefused
from onecode_server.model.trust_list import TrustList
from onecode_server.replication import digests, outcomes
from onecode_server.replication.messages import ListCommand, ResetRecord, RulesCommand, StepCommand
from onecode_server.replication.rule_versions import RuleSet, RuleVersions
from onecode_server.replication.state import ReplicaState
from onecode_server.stores import layout
from onecode_server.stores.protocol import ExceptionAnswer
from onecode_server.trust import document

_LISTS_KEPT: Final = 2
"""Lists that are kept as they were read: the one in the state, and the one that replaces it."""

Change = tuple[bytes, int, bytes]
"""The new digest, the number of changes (0 or 1), and the outcome."""


def take_step(state: ReplicaState, command: StepCommand, rules: RuleSet, time: int, skew: int, digest: bytes) -> Change:
    """Decide a step at ``time``; the outcome is its answer. ``skew`` is by how many microseconds the start of a report
    may be in the past. Raises what ``recognition.steps.decide`` raises."""
    decided = rules.decide(command.step, state.exceptions(), time, _trust(state), skew)
    if isinstance(decided, ExceptionAnswer):
        return digest, 0, outcomes.of_answer(decided)
    state.put_exception(decided)
    answered = b"" if decided.answered is None else layout.pack_answered(decided.answered)
    entry = digests.of_entry(state.audit_head(), decided.request_id.encode() + b"\0" + answered)
    return digests.chained(digest, [entry]), 1, outcomes.of_answer(ExceptionAnswer(decided.report, decided.time))


def take_list(state: ReplicaState, command: ListCommand, time: int, digest: bytes) -> Change:
    """Take a trust list if its version is the highest. Whether it was, and with the same content, shows the list in the
    state afterwards. Raises TrustListRefused for a file that is not the list that the command names.

    The machine that wrote the command has checked the root's signature, and each reader of the state checks it again.
    """
    candidate, known = command.known, state.known_list()
    if known is not None and known.version >= candidate.version:
        return digest, 0, outcomes.done()
    found = _parsed(candidate.file)
    if (found.version, found.digest) != (candidate.version, candidate.digest):
        raise TrustListRefused("the trust list is not the one that the message names")
    state.put_list(candidate, time)
    return digests.chained(digest, [digests.of_entry(state.audit_head(), candidate.file)]), 1, outcomes.done()


def record_reset(state: ReplicaState, command: ResetRecord, time: int, digest: bytes) -> Change:
    """Add the audit entry of a Reset that was applied in its subject's partition."""
    subject, publisher, scope, to = command.reset
    details = {"publisher": publisher, "scope": scope.name, "from": command.was, "to": to, "by": command.by}
    state.record(time, "revision reset", subject.hex(), details)
    return digests.chained(digest, [digests.of_entry(state.audit_head())]), 1, outcomes.done()


def take_rules(state: ReplicaState, command: RulesCommand, versions: RuleVersions, time: int, digest: bytes) -> Change:
    """Let machines write under a later version of the rules.

    Raises UnknownRules where this program does not know the version, and PreconditionFailed for one that is not later.
    """
    to, was = command.to, state.rules()
    if to <= was:
        raise PreconditionFailed("NOT_LATER", f"version {was} of the rules is in force already")
    versions.of(to)
    state.set_rules(to)
    state.record(time, "rules changed", str(to), {"from": was, "to": to, "by": f"machine {command.machine.hex()}"})
    return digests.chained(digest, [digests.of_entry(state.audit_head())]), 1, outcomes.done()


def _trust(state: ReplicaState) -> TrustList | None:
    known = state.known_list()
    return None if known is None else _parsed(known.file)


@functools.lru_cache(_LISTS_KEPT)
def _parsed(file: bytes) -> TrustList:
    """Return the list in a signed file. Raises TrustListRefused."""
    return document.parse(document.take_apart(file).payload, public_key_fault)
