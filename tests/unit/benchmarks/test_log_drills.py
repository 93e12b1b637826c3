"""What the drills of a log count as broken: waits, statuses of a machine that is cut off, exceptions that overlap."""

import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import exceptions_pb2 as pb
from onecode_server.model.partition import STATUS_PARTITIONS

from benchmarks.log_drills import batches_drill, decided, fault_drill, faults, seen_drill
from benchmarks.log_drills.batches_drill import Turn
from benchmarks.log_drills.decisions_drill import Taken, overlapping
from benchmarks.log_drills.fault_drill import Times
from benchmarks.log_drills.faults import Struck
from benchmarks.log_drills.publisher import Ack, longest_waits_s
from benchmarks.log_drills.scans import Look, freshness
from benchmarks.log_drills.seen_drill import Delays, Seen
from demo.cluster.machine import Machine

MACHINE = Machine(2, Path("machine-2"), [])
TIMES = Times(struck_s=10.0, mended_s=30.0, well_s=40.0)


def acks(*ended_s: float, machine: int = 1) -> list[Ack]:
    """An acknowledgement in each partition at each of these times."""
    return [Ack(s - 0.1, s, p, machine, 5) for s in ended_s for p in range(STATUS_PARTITIONS)]


def look(began_s: float, current: int, machine: int = 2) -> Look:
    return Look(began_s, began_s + 0.01, machine, 48, current, 48 - current)


def test_a_wait_runs_from_the_fault_to_the_first_acknowledgement_of_the_partition() -> None:
    one_late = [ack for ack in acks(9, 11, 12, 19) if ack.partition != 3 or ack.ended_s != 12]
    found = longest_waits_s(one_late, 10, 20)
    assert found[0] == 7
    assert found[3] == 8
    assert longest_waits_s([], 10, 20) == dict.fromkeys(range(STATUS_PARTITIONS), 10)


def test_freshness_is_the_share_of_codes_and_the_time_from_look_to_look() -> None:
    looks = [look(9, 0), look(10, 48), look(11, 24), look(12, 48), look(12, 0, machine=1), look(21, 0)]
    found = freshness(looks, 2, 10, 20)
    assert found.share == pytest.approx(24 / 144)
    assert found.seconds == 1
    assert freshness([Look(10, 15, 2, 0, 0, 0)], 2, 10, 20).unanswered == 1


def test_a_machine_that_is_cut_off_has_five_seconds_to_say_so() -> None:
    struck = Struck("cut", 20, MACHINE)
    well = [look(14.9, 48), look(15.1, 0), look(30.5, 48)]
    usual = acks(*range(10, 41))
    assert fault_drill.row(struck, TIMES, usual, well, 3).broken == []
    late = fault_drill.row(struck, TIMES, usual, [*well, look(15.2, 1)], 3)
    assert late.broken == ["1 codes were CURRENT at a machine that was cut off for more than 5 s"]
    silent = fault_drill.row(struck, TIMES, usual, [], 3)
    assert silent.broken == ["a machine that was cut off has not answered STALE"]


def test_a_machine_that_is_cut_off_acknowledges_no_call_that_began_then() -> None:
    struck, usual = Struck("cut", 20, MACHINE), [*acks(*range(10, 41)), Ack(9.9, 10.1, 0, 2, 7), Ack(29, 31, 0, 2, 7)]
    assert fault_drill.row(struck, TIMES, usual, [look(16, 0)], 3).broken == []
    found = fault_drill.row(struck, TIMES, [*usual, Ack(11, 12, 0, 2, 7)], [look(16, 0)], 3)
    assert found.broken == ["7 records were acknowledged by a machine that was cut off"]


def test_writes_that_resume_after_more_than_ten_seconds_break_the_promise() -> None:
    found = fault_drill.row(Struck("kill", 8), TIMES, acks(10.5, 21, 31, 40), [], 3)
    assert found.resumed_s == pytest.approx(10.5)
    assert found.broken == ["writes resumed after 10.5 s"]


def test_each_kind_of_fault_comes_as_often_as_any_other_and_a_seed_repeats_their_order() -> None:
    kinds = (*faults.ANYWHERE, *faults.WITH_NAMESPACES)
    chosen = faults.order(21, random.Random(5), kinds)
    assert {chosen.count(kind) for kind in kinds} == {3}
    assert chosen == faults.order(21, random.Random(5), kinds)
    assert len(faults.order(20, random.Random(5), kinds)) == 20


def report(identifier: str, begins: int, ends: int, acknowledged: int = 0, withdrawn: int = 0, **other: Any) -> Any:
    made = pb.RecognitionException(
        id=identifier,
        host_region="110000",
        home_region="420000",
        reason=identifier,
        effective_from=Timestamp(seconds=begins),
        effective_until=Timestamp(seconds=ends),
    )
    if acknowledged:
        made.acknowledged_at.FromSeconds(acknowledged)
    if withdrawn:
        made.withdrawn_at.FromSeconds(withdrawn)
    for name, value in other.items():
        setattr(made, name, value)
    return made


def test_exceptions_overlap_where_their_times_do_while_both_are_acknowledged() -> None:
    one = report("one", 100, 200, acknowledged=10, withdrawn=50)
    assert overlapping([one, report("other", 150, 250, acknowledged=40)]) == [("one", "other")]
    assert overlapping([one, report("later", 150, 250, acknowledged=50)]) == []
    assert overlapping([one, report("next", 200, 250, acknowledged=40)]) == []
    assert overlapping([one, report("open", 150, 250)]) == []
    assert overlapping([one, report("of another", 150, 250, acknowledged=40, home_region="330000")]) == []


def test_reports_are_compared_with_what_callers_were_told() -> None:
    taken = Taken({"one", "other"}, {"one"}, set(), ["refused"], [], [], [])
    there = [report("one", 100, 200, acknowledged=10), report("other", 300, 400)]
    assert [*decided.of_reports(there, taken)] == []
    assert [*decided.of_reports(there[1:], taken)] == [
        "1 reports were reported, and are not",
        "1 reports were acknowledged, and are not",
    ]
    unknown = [*there, report("third", 500, 600)]
    assert [*decided.of_reports(unknown, taken)] == ["1 steps had an effect of which nobody was told"]
    assert [*decided.of_reports(unknown, taken._replace(doubtful=["refused"]))] == []
    twice = [*there, report("third", 500, 600, reason="one")]
    assert "1 requests filed two reports" in decided.of_reports(twice, taken)


def test_the_share_of_a_machine_with_a_log_is_the_median_of_the_turns_own() -> None:
    turns = [Turn(90, 100, 0.1), Turn(500, 1000, 0.1), Turn(95, 100, 0.1)]
    assert batches_drill.ratio(turns) == 0.9


def test_one_record_in_a_hundred_may_show_late() -> None:
    quick, late = [Delays(0.01, 0.02)] * 995, [Delays(0.01, 3.0)]
    assert not seen_drill.is_broken(Seen([*quick, *late * 5], 10, 0, 0))
    assert seen_drill.is_broken(Seen([*quick, *late * 15], 10, 0, 0))


def test_a_drill_is_broken_by_a_row_or_by_what_is_found_at_the_end() -> None:
    kept = SimpleNamespace(broken=[])
    assert not fault_drill.is_broken(fault_drill.Drill([kept], 1, 1, 0, []))  # type: ignore[list-item]
    assert fault_drill.is_broken(fault_drill.Drill([kept], 1, 1, 0, ["lost"]))  # type: ignore[list-item]
