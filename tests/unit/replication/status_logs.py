"""Logs of status partitions: chunks that overlap in subjects, revisions and times, and all that may come between."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores.protocol import Publication, TokenKey

from tests.unit.replication.cluster import FIRST, HOUR, NOON, OTHER, SECOND, chunk, logged, mark, sealed, subject
from tests.unit.replication.cluster import Logged as Message
from tests.unit.replication.memory_state import MemoryState

PARTITIONS = (0, 11)
TOKENS_HOME = "310000"
SUBJECTS = {
    partition: (subject(first, 1), subject(first, 2)) for partition, first in zip(PARTITIONS, (3, 250), strict=True)
}


class Entry(NamedTuple):
    """One message of a log: a chunk with a ``number`` of its own, an earlier one again, a mark, or noise."""

    partition: int
    kind: str
    number: int
    time: int
    made_at: int
    records: list[dict[str, Any]]


records = st.fixed_dictionaries(
    {
        "which": st.sampled_from([0, 0, 1]),
        "publisher": st.sampled_from(["420000", TOKENS_HOME, "000000"]),
        "level": st.sampled_from(["GREEN", "YELLOW", "RED"]),
        "after": st.sampled_from([-HOUR, -SECOND, 0, 0, 1, SECOND, 601 * SECOND, HOUR, 24 * 91 * HOUR]),
        "lasts": st.sampled_from([None, None, SECOND, HOUR]),
        "revision": st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 2**53 + 5, 2**62]),
    }
)
moves = st.sampled_from([0, 0, SECOND, 59 * SECOND, 300 * SECOND, 601 * SECOND, 900 * SECOND, -SECOND, -HOUR])
delays = st.sampled_from([0, 0, 0, SECOND, 600 * SECOND, 601 * SECOND, -60 * SECOND, -60 * SECOND - 1])
entries = st.tuples(
    st.sampled_from(PARTITIONS),
    st.sampled_from(["chunk", "chunk", "chunk", "chunk", "again", "mark", "noise"]),
    moves,
    delays,
    st.lists(records, min_size=1, max_size=4),
    st.integers(0, 9),
)


@st.composite
def logs(draw: Any, size_max: int = 15) -> list[Entry]:
    """Return the entries of the partitions, in an order in which they may have been appended."""
    found: list[Entry] = []
    now = dict.fromkeys(PARTITIONS, NOON)
    for number, (partition, kind, moved, delay, drawn, which) in enumerate(draw(st.lists(entries, max_size=size_max))):
        earlier = [one for one in found if one.partition == partition and one.kind == "chunk"]
        if kind == "again":
            found += [one._replace(kind="again", time=now[partition]) for one in earlier[which : which + 1]]
            continue
        time = now[partition] + moved
        now[partition] = max(now[partition], time)
        made = [_record(partition, one, now[partition]) for one in drawn]
        found.append(Entry(partition, kind, number, time, now[partition] - delay, made))
    return found


def _record(partition: int, drawn: dict[str, Any], now: int) -> dict[str, Any]:
    """Return a record in the words of the plain model. The second subject of a partition is named by a token."""
    of, begins = SUBJECTS[partition][drawn["which"]], now + drawn["after"]
    by_token = bool(drawn["which"]) and drawn["publisher"] == TOKENS_HOME
    return {
        "subject": of,
        "publisher": drawn["publisher"],
        "scope": "NATIONAL",
        "level": drawn["level"],
        "begins": begins,
        "ends": None if drawn["lasts"] is None else begins + drawn["lasts"],
        "revision": drawn["revision"],
        "named_home": TOKENS_HOME if by_token else None,
        "by_token": by_token,
    }


def publication(record: dict[str, Any]) -> Publication:
    """Return a record as the server has it."""
    made = StatusRecord(
        record["publisher"],
        Scope[record["scope"]],
        Level[record["level"]],
        record["begins"],
        record["ends"],
        record["revision"],
    )
    token = TokenKey(TOKENS_HOME, record["subject"] + b"second half.....") if record["by_token"] else None
    return Publication(record["subject"], made, token)


def message(entry: Entry, offset: int, state: MemoryState) -> Message:
    """Return the message of an entry. A mark shows the digest of the newest checkpoint in ``state``."""
    machine = (FIRST, OTHER)[entry.number % 2]
    if entry.kind == "noise":
        foreign = b"OCL1 and then noise", sealed(mark(0, machine=machine), 5)
        return Message(entry.partition, offset, 0, entry.time, foreign[entry.number % 2])
    if entry.kind == "mark":
        kept = state.checkpoints.get(entry.partition) or {-1: bytes(32)}
        newest = max(kept)
        return logged(mark(newest, kept[newest], machine), entry.partition, offset, entry.time)
    made = chunk(*map(publication, entry.records), number=entry.number, made_at=entry.made_at, machine=machine)
    return logged(made, entry.partition, offset, entry.time)
