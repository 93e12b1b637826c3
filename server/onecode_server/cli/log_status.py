"""``onecode log status``: where the log is, how far this machine has applied it, and whether all machines are equal."""

import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from onecode_server.cli import output
from onecode_server.cli.log_options import expect_log, log_options
from onecode_server.cli.options import PathType, json_option
from onecode_server.errors import OnecodeError
from onecode_server.log.partition_places import PartitionPlace, places
from onecode_server.model.partition import DECISIONS
from onecode_server.replica import confirmed_ages_s, open_hearing
from onecode_server.replication.heard_marks import Comparison, HeardMachine, compare, hear
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.trust.document import rfc3339

_SHOWN: Final = 12
"""Hex digits of a digest that a table shows: enough to tell two apart by eye."""


class OwnPartition(NamedTuple):
    """How far this machine has applied a partition: ``lag`` is messages, None where no leader tells its end."""

    applied: int
    lag: int | None
    confirmed_age_s: float | None
    digest: str


@click.command()
@log_options
@click.option("--data-dir", type=PathType(), help="Of this machine: compares it with the log and the other machines.")
@json_option
def status(config: Path | None, data_dir: Path | None, *, as_json: bool, **flags: str | None) -> None:
    """Show each partition with its leader, its replicas and its ends. Ends with status 1 where one has no leader.

    With --data-dir, beside a server or without: how far this machine has applied each partition, and for each machine
    that is heard within three seconds whether its digests and its audit head are those that this machine had at the
    same place. Ends with status 1 where one differs.
    """
    address = expect_log(flags, config)
    found = places(address)
    if data_dir is None:
        _show_partitions(found, [], as_json=as_json)
        _expect_leaders(found)
        return
    with open_hearing(data_dir, address, found) as (store, reader, cluster):
        heard = hear(reader, cluster)
        compared = [(one, compare(store, one)) for one in heard]
        own = _own(store, found)
        _show_partitions(found, own, as_json=as_json)
        _show_machines(store, compared, as_json=as_json)
    _expect_leaders(found)
    if differing := [one.machine.hex() for one, comparison in compared if comparison.differing]:
        raise OnecodeError(f"not all machines are equal: this one differs from {', '.join(differing)}")


def _own(store: LmdbReplica, found: list[PartitionPlace]) -> list[OwnPartition]:
    states, ages_s = store.partitions(), confirmed_ages_s(store, time.monotonic())
    rows = []
    for place in found:
        state = states[place.partition]
        lag = None if place.next is None else max(0, place.next - state.offset)
        rows.append(OwnPartition(state.offset, lag, ages_s[place.partition], state.digest.hex()))
    return rows


def _show_partitions(found: list[PartitionPlace], own: list[OwnPartition], *, as_json: bool) -> None:
    if as_json:
        for number, place in enumerate(found):
            output.print_json(place._asdict() | (own[number]._asdict() if own else {}))
        return
    columns = ("partition", "topic", "no.", "leader", "in sync", "first", "next")
    output.print_table("", columns, [_cells(place) for place in found])
    if own:
        rows = []
        for place, part in zip(found, own, strict=True):
            age = "never" if part.confirmed_age_s is None else f"{part.confirmed_age_s:.1f} s"
            rows.append((str(place.partition), f"{part.applied:,}", _number(part.lag), age, part.digest[:_SHOWN]))
        output.print_table("this machine", ("partition", "applied", "lag", "confirmed", "digest"), rows)


def _cells(place: PartitionPlace) -> list[str]:
    in_sync = f"{place.in_sync} of {place.replicas}"
    numbers = (_number(place.first), _number(place.next))
    return [str(place.partition), place.topic, str(place.number), place.leader or "none", in_sync, *numbers]


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _show_machines(store: LmdbReplica, compared: list[tuple[HeardMachine, Comparison]], *, as_json: bool) -> None:
    own = store.membership.machine if store.membership else b""
    rows: list[dict[str, Any]] = []
    for one, comparison in compared:
        decided = one.marks.get(DECISIONS)
        row = {
            "machine": one.machine.hex(),
            "is_this": one.machine == own,
            "newest_mark": rfc3339(one.time),
            "audit_head": decided.audit_head.hex() if decided else "",
            "equal": comparison.equal,
            "differing": comparison.differing,
            "not_compared": sorted(one.marks.keys() - {*comparison.equal, *comparison.differing}),
        }
        rows.append(row)
    if as_json:
        for row in rows:
            output.print_json(row)
        return
    shown = [
        (
            f"{row['machine']}{' *' if row['is_this'] else ''}",
            row["newest_mark"],
            row["audit_head"][:_SHOWN],
            _words(row),
        )
        for row in rows
    ]
    columns = ("machine", "newest mark", "audit head", "state")
    output.print_table("machines that are heard (*: this one)", columns, shown, whole=("machine", "newest mark"))


def _words(row: dict[str, Any]) -> str:
    """Return in words how a machine's partitions compare."""
    kinds = {"equal": "equal", "differing": "DIFFERENT", "not_compared": "not compared"}
    parts = [f"{word} in {_numbers(row[kind])}" for kind, word in kinds.items() if row[kind]]
    return "; ".join(parts)


def _numbers(partitions: list[int]) -> str:
    return "all" if len(partitions) == DECISIONS + 1 else ", ".join(map(str, partitions))


def _expect_leaders(found: list[PartitionPlace]) -> None:
    if lost := [place for place in found if not place.leader]:
        raise OnecodeError(f"{len(lost)} of {len(found)} partitions have no leader: nothing can be written to them")
