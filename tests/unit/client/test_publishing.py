"""What a publication keeps until it is acknowledged, across streams, and how long it goes on asking."""

import threading
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from onecode.v1 import status_pb2 as pb
from onecode_client import ServerError, failures, publishing
from onecode_client.publishing import WINDOW_RECORDS, Outbox, Patience


def records_of(count: int) -> Iterator[pb.StatusRecord]:
    return (pb.StatusRecord(revision=number) for number in range(1, count + 1))


def sequences(requests: Iterator[pb.PublishStatusesRequest], count: int | None = None) -> list[int]:
    return [request.sequence for request in islice(requests, count)]


def test_a_new_stream_begins_with_what_was_not_acknowledged_and_goes_on() -> None:
    outbox = Outbox(records_of(10), 5)
    assert sequences(outbox.stream(), 6) == [5, 6, 7, 8, 9, 10]
    outbox.acknowledge(7)
    again = list(outbox.stream())
    assert [(request.sequence, request.record.revision) for request in again] == [(n, n - 4) for n in range(8, 15)]
    outbox.acknowledge(14)
    outbox.finish()


def test_an_acknowledgement_of_what_an_earlier_stream_sent_skips_nothing() -> None:
    outbox = Outbox(records_of(10), 1)
    assert sequences(outbox.stream(), 6) == [1, 2, 3, 4, 5, 6]
    stream = outbox.stream()
    assert sequences(stream, 2) == [1, 2]
    outbox.acknowledge(6)
    assert sequences(stream) == [7, 8, 9, 10]


def test_an_older_stream_ends_once_there_is_a_new_one() -> None:
    outbox = Outbox(records_of(10), 1)
    old = outbox.stream()
    assert sequences(old, 3) == [1, 2, 3]
    new = outbox.stream()
    assert sequences(old) == []
    assert sequences(new) == list(range(1, 11))


def test_no_more_than_the_window_is_read_before_an_acknowledgement() -> None:
    read: list[int] = []

    def endless() -> Iterator[pb.StatusRecord]:
        while True:
            read.append(1)
            yield pb.StatusRecord()

    outbox = Outbox(endless(), 1)
    taker = threading.Thread(target=lambda: list(outbox.stream()))
    taker.start()
    ends_s = time.monotonic() + 30
    while len(read) < WINDOW_RECORDS and time.monotonic() < ends_s:
        time.sleep(0.01)
    taker.join(1)  # for a record too many
    assert (taker.is_alive(), len(read)) == (True, WINDOW_RECORDS)
    outbox.close()
    taker.join(30)
    assert (taker.is_alive(), len(read)) == (False, WINDOW_RECORDS)


def test_what_a_broken_streams_thread_still_reads_goes_out_on_the_new_stream() -> None:
    waits, may_go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[pb.StatusRecord]:
        yield pb.StatusRecord()
        waits.set()
        assert may_go_on.wait(30)
        yield pb.StatusRecord()
        yield pb.StatusRecord()

    outbox = Outbox(slow(), 1)
    found: dict[str, list[int]] = {}
    streams = {name: outbox.stream() for name in ("old",)}
    old = threading.Thread(target=lambda: found.update(old=sequences(streams["old"])))
    old.start()
    assert waits.wait(30)
    streams["new"] = outbox.stream()
    assert sequences(streams["new"], 1) == [1]  # what is kept does not wait for what is read
    new = threading.Thread(target=lambda: found.update(new=sequences(streams["new"])))
    new.start()
    may_go_on.set()
    for thread in (old, new):
        thread.join(30)
    assert found == {"old": [1], "new": [2, 3]}


def test_what_the_records_raise_ends_the_stream_and_is_raised_at_the_end() -> None:
    def broken() -> Iterator[pb.StatusRecord]:
        yield pb.StatusRecord()
        raise OSError("the disk is gone")

    outbox = Outbox(broken(), 1)
    assert sequences(outbox.stream()) == [1]
    assert sequences(outbox.stream()) == [1]
    outbox.acknowledge(1)
    with pytest.raises(OSError, match="the disk is gone"):
        outbox.finish()


def test_a_stream_that_ends_well_before_all_is_acknowledged_is_an_error() -> None:
    outbox = Outbox(records_of(3), 1)
    assert sequences(outbox.stream()) == [1, 2, 3]
    outbox.acknowledge(2)
    with pytest.raises(ServerError, match="before sequence 3"):
        outbox.finish()


def test_what_was_superseded_is_no_failure_and_a_conflict_is() -> None:
    reasons = [pb.REJECTION_REASON_SUPERSEDED, pb.REJECTION_REASON_REVISION_CONFLICT, pb.REJECTION_REASON_NOT_THE_HOME]
    rejections = [pb.Rejection(sequence=number, reason=reason) for number, reason in enumerate(reasons)]
    answer = pb.PublishStatusesResponse(durable_through=9, rejections=rejections)
    assert [one.sequence for one in failures(answer)] == [1, 2]


def test_patience_ends_at_once_where_time_mends_nothing() -> None:
    interruptions: list[ServerError] = []
    with pytest.raises(ServerError, match="INVALID_ARGUMENT"):
        Patience(60, interruptions.append).spend(ServerError("INVALID_ARGUMENT", "no"))
    assert not interruptions


class Clock:
    """Time that passes while one sleeps."""

    def __init__(self) -> None:
        self.pauses_s: list[float] = []

    def monotonic(self) -> float:
        return sum(self.pauses_s)

    def sleep(self, pause_s: float) -> None:
        self.pauses_s.append(pause_s)


def test_patience_tells_of_a_break_once_doubles_its_pauses_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    interruptions: list[ServerError] = []
    monkeypatch.setattr(publishing, "time", clock)
    patience, gone = Patience(10, interruptions.append), ServerError("UNAVAILABLE", "gone")

    def spend_all() -> None:
        while True:
            patience.spend(gone)

    with pytest.raises(ServerError, match="gone"):
        spend_all()
    assert interruptions == [gone]
    assert 10 <= clock.monotonic() < 10 + publishing.PAUSE_MAX_S
    bounds = [min(publishing.PAUSE_MIN_S * 2**n, publishing.PAUSE_MAX_S) for n in range(len(clock.pauses_s))]
    assert all(most / 2 <= pause <= most for pause, most in zip(clock.pauses_s, bounds, strict=True))
    patience.renew()
    patience.spend(gone)
    assert interruptions == [gone, gone]
    assert clock.pauses_s[-1] <= publishing.PAUSE_MIN_S
