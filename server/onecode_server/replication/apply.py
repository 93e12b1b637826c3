"""Applies the messages of the log to a machine's state: a pure function of the state and the message.

Every machine comes to the same state and the same digest, wherever it was killed and from whichever committed state it
went on, and in whatever order the partitions reach it. The log's clock is the only one: LogAppendTime, made monotone
for each partition, is a record's ``published_at`` and the time by which rules decide.
"""

from typing import Final, NamedTuple, Protocol, assert_never

from onecode_server.errors import LogUnavailable, Malformed
from onecode_server.model.partition import DECISIONS
from onecode_server.model.partition_state import PartitionState
from onecode_server.replication import apply_beginning, apply_decisions, apply_records, message_form, outcomes, signing
from onecode_server.replication.agreement import Comparisons, Diverged
from onecode_server.replication.ignored import Ignored, IgnoredMessage
from onecode_server.replication.messages import (
    NO_OFFSET,
    Chunk,
    Command,
    Genesis,
    ListCommand,
    Mark,
    Message,
    Origin,
    Reset,
    ResetRecord,
    RulesCommand,
    StepCommand,
)
from onecode_server.replication.rule_versions import KNOWN, RuleVersions, UnknownRules
from onecode_server.replication.state import ReplicaState

__all__ = ["AGE_MAX_US", "AHEAD_MAX_US", "MEMORY_US", "Applied", "Diverged", "Logged", "UnknownRules", "apply"]

AGE_MAX_US: Final = 600_000_000
"""Ten minutes by which a command may be older than its time in the log: as long as readers' clocks may be behind
(``rules.retention.LAG_US``), so that no record is merged by a time that is further from its writer's clock."""
AHEAD_MAX_US: Final = 60_000_000
"""A minute by which a writer's clock may be ahead of the log's, or a reporter's behind its machine's."""
MEMORY_US: Final = AGE_MAX_US + AHEAD_MAX_US
"""The log time for which an identifier is remembered. Two messages with the same ``made_at`` that are both in time are
at most as far apart, so that a repeated one never comes after its identifier was forgotten."""


class Logged(Protocol):
    """A message as the log delivers it: ``epoch`` is the leader's, ``time`` LogAppendTime in Unix microseconds."""

    @property
    def partition(self) -> int: ...  # noqa: D102
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102
    @property
    def time(self) -> int: ...  # noqa: D102
    @property
    def value(self) -> bytes: ...  # noqa: D102


class Applied(NamedTuple):
    """What a message did: the mark that it is, the numbers of records and steps by what became of them, why it was
    ignored, and the Reset or the record of one that was obeyed."""

    mark: Mark | None = None
    taken: int = 0
    known: int = 0
    refused: int = 0
    ignored: str = ""
    reset: Reset | ResetRecord | None = None


def apply(
    state: ReplicaState,
    message: Logged,
    cluster_key: bytes,
    agreement: Comparisons | None = None,
    versions: RuleVersions = KNOWN,
) -> Applied:
    """Apply a message to a machine's state, in one transaction, and move its partition on.

    ``cluster_key`` (32 bytes) has signed the certificates of all machines, and ``versions`` are the rules that this
    program knows. A message that is not a machine's, or that
    breaks the form, is ignored by all machines alike. Raises UnknownRules for a message of a later program, LogBroken
    where the log began with a store that this machine does not have, and Diverged where a mark shows another state than
    this machine's, with ``agreement`` only once it is outvoted: it notes the mark, and is given up with the
    transaction. The machine stops.
    """
    before = state.partition(message.partition)
    if message.offset < before.offset:
        return Applied(ignored=Ignored.APPLIED_BEFORE)
    time = max(before.time, message.time)
    digest, applied = before.digest, Applied()
    try:
        found = _read(message, cluster_key, time, versions)
        if isinstance(found, Mark):
            applied = _check(state, found, message, time, digest, agreement)
        elif isinstance(found, Origin):
            apply_beginning.expect_begun(digest)
        elif isinstance(found, Genesis):
            digest, applied = apply_beginning.take_part(state, found, digest), Applied(taken=1)
        else:
            digest, applied = _obey(state, found, message.partition, time, digest, versions)
    except IgnoredMessage as ignored:
        applied = Applied(ignored=ignored.reason)
    epoch = max(before.epoch, message.epoch)
    state.set_partition(message.partition, PartitionState(message.offset + 1, epoch, time, digest))
    return applied


def _read(message: Logged, cluster_key: bytes, time: int, versions: RuleVersions) -> Message:
    """Return the message in signed bytes. Raises IgnoredMessage, UnknownRules."""
    signer, body = signing.open_sealed(message.value, message.partition, cluster_key, time)
    try:
        found = message_form.decode(body, message.partition, time, versions)
    except Malformed:
        raise IgnoredMessage(Ignored.MALFORMED) from None
    if found.machine != signer:
        raise IgnoredMessage(Ignored.OTHER_MACHINE)
    is_of_status = isinstance(found, Chunk | Reset | Origin)
    if not isinstance(found, Mark) and is_of_status is (message.partition == DECISIONS):
        raise IgnoredMessage(Ignored.MISPLACED)
    return found


def _check(
    state: ReplicaState, mark: Mark, message: Logged, time: int, digest: bytes, agreement: Comparisons | None
) -> Applied:
    """Compare a mark with the own checkpoint that it names, and keep this mark's own. Raises Diverged."""
    is_decisions = message.partition == DECISIONS
    own = state.checkpoint(message.partition, mark.offset) if mark.offset != NO_OFFSET else None
    if own is not None:
        is_equal = own == (mark.digest + mark.audit_head if is_decisions else mark.digest)
        if agreement is not None:
            agreement.note(message.partition, mark, time, is_equal=is_equal)
        elif not is_equal:
            raise Diverged(message.partition, mark.offset, mark.machine)
    state.put_checkpoint(message.partition, message.offset, digest + state.audit_head() if is_decisions else digest)
    return Applied(mark=mark)


def _obey(
    state: ReplicaState, command: Command, partition: int, time: int, digest: bytes, versions: RuleVersions
) -> tuple[bytes, Applied]:
    """Apply a command, and keep its outcome. Return the new digest. Raises IgnoredMessage, UnknownRules."""
    state.forget_outcomes(partition, time - MEMORY_US)
    if state.outcome(command.identifier) is not None:
        raise IgnoredMessage(Ignored.REPEATED)
    taken = 0
    try:
        _expect_timely(command.made_at, time)
        digest, taken, outcome = _change(state, command, time, digest, versions)
    except outcomes.REFUSALS as refusal:
        outcome = outcomes.of_refusal(refusal)
    state.put_outcome(command.identifier, partition, time, outcome)
    known, refused = outcomes.counts(outcome)
    reset = command if isinstance(command, Reset | ResetRecord) else None
    return digest, Applied(taken=taken, known=known, refused=refused, reset=reset)


def _expect_timely(made_at: int, time: int) -> None:
    if not time - AGE_MAX_US <= made_at <= time + AHEAD_MAX_US:
        raise LogUnavailable(
            "the log's clock is more than ten minutes ahead of this machine's, or more than a minute behind it"
        )


def _change(
    state: ReplicaState, command: Command, time: int, digest: bytes, versions: RuleVersions
) -> tuple[bytes, int, bytes]:
    """Return the new digest, the number of changes, and the outcome. Raises one of ``outcomes.REFUSALS``, before any
    change."""
    rules = versions.of(command.rules)
    match command:
        case Chunk():
            return apply_records.publish(state, command, rules, time, digest)
        case Reset():
            return apply_records.set_back(state, command, rules, time, digest)
        case StepCommand():
            skew = max(0, time - command.made_at + AHEAD_MAX_US)
            return apply_decisions.take_step(state, command, rules, time, skew, digest)
        case ListCommand():
            return apply_decisions.take_list(state, command, time, digest)
        case ResetRecord():
            return apply_decisions.record_reset(state, command, time, digest)
        case RulesCommand():
            return apply_decisions.take_rules(state, command, versions, time, digest)
        case _:
            assert_never(command)
