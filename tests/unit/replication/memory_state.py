"""A machine's applied state in dicts, with copies that stand for what a machine has committed."""

from typing import Any

from onecode_server.model import audit
from onecode_server.model.audit import GENESIS, AuditEntry
from onecode_server.model.partition_state import INITIAL, PartitionState
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Token
from onecode_server.replication.rule_versions import RULES
from onecode_server.stores import layout
from onecode_server.stores.protocol import AnsweredRequest, ExceptionChange, KnownList, TokenKey
from onecode_server.stores.replica_layout import CHECKPOINTS_MAX, NOT_BEGUN, BegunDecisions
from onecode_server.stores.stored_items import ItemKind, StoredItem

FORGOTTEN_MAX = 4


class MemoryState:
    """A ``replication.state.ReplicaState``, and the ``ExceptionView`` of it."""

    def __init__(self) -> None:
        self.partitions: dict[int, PartitionState] = {}
        self.packed: dict[bytes, bytes] = {}
        self.changes: list[tuple[bytes, int]] = []
        self.token_windows: dict[TokenKey, Token] = {}
        self.outcomes: dict[bytes, tuple[int, int, bytes]] = {}
        self.reports: dict[str, RecognitionException] = {}
        self.requests: dict[str, AnsweredRequest] = {}
        self.list: KnownList | None = None
        self.audit: list[AuditEntry] = []
        self.version = RULES
        self.beginning = NOT_BEGUN
        self.checkpoints: dict[int, dict[int, bytes]] = {}

    def copy(self) -> "MemoryState":
        """Return a state that further writes do not change."""
        other = MemoryState()
        for name, value in vars(self).items():
            setattr(other, name, value.copy() if isinstance(value, dict | list) else value)
        other.checkpoints = {partition: kept.copy() for partition, kept in self.checkpoints.items()}
        return other

    def content(self) -> dict[str, Any]:
        """Return everything that machines must have in common, whatever the order of the partitions was."""
        return vars(self) | {"changes": sorted(self.changes)}

    def partition(self, partition: int) -> PartitionState:
        return self.partitions.get(partition, INITIAL)

    def set_partition(self, partition: int, state: PartitionState) -> None:
        self.partitions[partition] = state

    def records(self, subject: bytes) -> bytes:
        return self.packed.get(subject, b"")

    def put_records(self, subject: bytes, packed: bytes, time: int) -> None:
        self.packed[subject] = packed
        self.changes.append((subject, time))

    def has_token(self, key: TokenKey) -> bool:
        return key in self.token_windows

    def put_token(self, key: TokenKey, token: Token) -> None:
        self.token_windows[key] = token

    def outcome(self, identifier: bytes) -> bytes | None:
        found = self.outcomes.get(identifier)
        return None if found is None else found[2]

    def put_outcome(self, identifier: bytes, partition: int, time: int, outcome: bytes) -> None:
        self.outcomes[identifier] = partition, time, outcome

    def forget_outcomes(self, partition: int, before: int) -> None:
        old = [key for key, (where, time, _) in self.outcomes.items() if where == partition and time < before]
        for key in old[:FORGOTTEN_MAX]:
            del self.outcomes[key]

    def exceptions(self) -> "MemoryState":
        return self

    def put_exception(self, change: ExceptionChange) -> None:
        report = change.report
        self.reports[report.id] = report
        if change.answered is not None:
            self.requests[change.request_id] = change.answered
        self.record(change.time, change.event, report.id, report._asdict())

    def known_list(self) -> KnownList | None:
        return self.list

    def put_list(self, known: KnownList, time: int) -> None:
        self.list = known
        details = {"version": known.version, "sha256": known.digest.hex()}
        self.record(time, "trust list taken", str(known.version), details)

    def record(self, time: int, event: str, subject: str, details: dict[str, Any]) -> None:
        self.audit.append(audit.chain(self.audit[-1] if self.audit else None, time, event, subject, details))

    def audit_head(self) -> bytes:
        return self.audit[-1].hash if self.audit else GENESIS

    def last_entry(self) -> AuditEntry | None:
        return self.audit[-1] if self.audit else None

    def begun(self) -> BegunDecisions:
        return self.beginning

    def set_begun(self, begun: BegunDecisions) -> None:
        self.beginning = begun

    def put_item(self, item: StoredItem) -> None:
        match item.kind:
            case ItemKind.LIST:
                self.list = layout.unpack_list(item.data)
            case ItemKind.ENTRY:
                self.audit.append(audit.unpack(item.data))
            case ItemKind.REPORT:
                report = layout.unpack_exception(item.data)
                self.reports[report.id] = report
            case ItemKind.REQUEST:
                self.requests[item.key.decode()] = layout.unpack_answered(item.data)

    def rules(self) -> int:
        return self.version

    def set_rules(self, version: int) -> None:
        self.version = version

    def checkpoint(self, partition: int, offset: int) -> bytes | None:
        return self.checkpoints.get(partition, {}).get(offset)

    def put_checkpoint(self, partition: int, offset: int, digest: bytes) -> None:
        kept = self.checkpoints.setdefault(partition, {})
        kept[offset] = digest
        while len(kept) > CHECKPOINTS_MAX:
            del kept[min(kept)]

    def report(self, identifier: str) -> RecognitionException | None:
        return self.reports.get(identifier)

    def acknowledged(self, host: str, home: str, now: int) -> list[RecognitionException]:
        found = [
            one
            for one in self.reports.values()
            if (one.host, one.home) == (host, home)
            and one.acknowledged_at is not None
            and one.withdrawn_at is None
            and one.ends_at > now
        ]
        return sorted(found, key=lambda one: (one.ends_at, one.id))

    def waiting_homes(self, host: str, now: int, limit: int) -> list[str]:
        waiting = [
            one
            for one in self.reports.values()
            if one.host == host and one.acknowledged_at is None and one.withdrawn_at is None and one.ends_at > now
        ]
        return [one.home for one in sorted(waiting, key=lambda one: (one.ends_at, one.id))][:limit]

    def answered(self, request_id: str) -> AnsweredRequest | None:
        return self.requests.get(request_id)
