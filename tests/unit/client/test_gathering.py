"""Who is sent when: everybody once, in order, in calls that the server takes, and nobody while others are poison."""

import pickle
from copy import copy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from onecode.v1 import recognition_pb2 as pb
from onecode_client import ServerError, gathering
from onecode_client.batches import BATCH_BYTES_MAX, BATCH_CODES_MAX
from onecode_client.gathering import BESIDE_CODES, CALLERS_MAX, HOSTS_MAX, Batch, Caller, Gathering


def caller(code: bytes = b"x", host: str = "110000", deadline_s: float = 0.0) -> Caller:
    return Caller(code, host, deadline_s)


def added(to: Gathering[Caller], callers: list[Caller]) -> list[Caller]:
    for one in callers:
        to.add(one)
    return callers


def taken(from_: Gathering[Caller]) -> Batch[Caller]:
    batch = from_.take()
    assert batch is not None
    return batch


def test_a_caller_with_nothing_in_flight_is_sent_at_once_alone() -> None:
    gathered = Gathering[Caller](4)
    for _ in range(2):
        (alone,) = added(gathered, [caller()])
        batch = taken(gathered)
        assert (batch.callers, batch.request_alone().code) == ([alone], b"x")
        gathered.end(batch)


def test_those_who_ask_while_a_call_is_in_flight_are_the_next_one() -> None:
    gathered = Gathering[Caller](4)
    added(gathered, [caller()])
    first = taken(gathered)
    others = added(gathered, [caller(bytes([number])) for number in range(5)])
    assert gathered.take() is None
    gathered.end(first)
    assert taken(gathered).callers == others
    assert gathered.waiting == 0


def test_hosts_do_not_wait_for_each_other() -> None:
    gathered = Gathering[Caller](4)
    for host in ("110000", "420000"):
        mine = added(gathered, [caller(host=host)])
        batch = taken(gathered)
        assert (batch.callers, batch.host_region) == (mine, host)


def test_a_second_call_goes_out_beside_the_first_once_it_is_worth_one() -> None:
    gathered = Gathering[Caller](2)
    added(gathered, [caller()])
    taken(gathered)
    added(gathered, [caller() for _ in range(BESIDE_CODES - 1)])
    assert gathered.take() is None
    added(gathered, [caller()])
    assert len(taken(gathered).callers) == BESIDE_CODES
    added(gathered, [caller() for _ in range(2 * BESIDE_CODES)])
    assert gathered.take() is None  # there is one on each connection


def test_calls_in_flight_are_bounded_and_the_hosts_take_turns() -> None:
    gathered = Gathering[Caller](1)
    hosts = [f"{number:06}" for number in range(20)]
    sent = []
    for host in hosts:
        added(gathered, [caller(host=host)])
        if batch := gathered.take():
            sent.append(batch)
    assert len(sent) == gathering.CALLS_PER_CONNECTION
    while sent:
        gathered.end(sent.pop(0))
        if batch := gathered.take():
            assert batch.host_region == hosts[20 - gathered.waiting - 1]
            sent.append(batch)
    assert gathered.waiting == 0


@pytest.mark.parametrize(
    ("codes", "sizes"),
    [
        ([b"x"] * (BATCH_CODES_MAX + 1), [4096, 1]),
        ([b"x" * 4096] * 1025, [1024, 1]),
        ([b"x", b"x" * BATCH_BYTES_MAX, b"x"], [1, 1, 1]),
        ([b"x", b"x" * (BATCH_BYTES_MAX + 1), b"x"], [1, 1, 1]),
        ([b"", b"x" * BATCH_BYTES_MAX, b""], [3]),
    ],
    ids=["by count", "by bytes", "heaviest", "too heavy for any call", "heavy between empty"],
)
def test_a_batch_fits_one_call_whatever_waits(codes: list[bytes], sizes: list[int]) -> None:
    gathered = Gathering[Caller](1)
    added(gathered, [caller()])
    batch = taken(gathered)
    waiting = added(gathered, [caller(code) for code in codes])
    gathered.end(batch)
    found = []
    while of_waiting := gathered.take():
        found.append(of_waiting.callers)
        gathered.end(of_waiting)
    assert [len(callers) for callers in found] == sizes
    assert [one for callers in found for one in callers] == waiting


def test_one_caller_more_than_may_wait_is_told_so_and_the_others_are_kept() -> None:
    gathered = Gathering[Caller](1)
    waiting = added(gathered, [caller() for _ in range(CALLERS_MAX)])
    with pytest.raises(ServerError, match="16,384 callers wait already") as refused:
        gathered.add(caller())
    assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "CALLERS_WAITING")
    assert gathered.leave(waiting[7]) is None
    gathered.add(caller())
    assert gathered.waiting == CALLERS_MAX


def test_one_host_more_than_may_wait_is_told_so() -> None:
    gathered = Gathering[Caller](1)
    added(gathered, [caller(host=str(number)) for number in range(HOSTS_MAX)])
    gathered.add(caller(host="0"))
    with pytest.raises(ServerError, match="callers of 64 hosts wait already") as refused:
        gathered.add(caller(host="one more"))
    assert (refused.value.code, refused.value.reason) == ("RESOURCE_EXHAUSTED", "HOSTS_WAITING")


def test_a_call_is_deserted_when_the_last_of_its_callers_has_left() -> None:
    gathered = Gathering[Caller](1)
    callers = added(gathered, [caller() for _ in range(3)])
    batch = taken(gathered)
    assert [gathered.leave(one) for one in callers] == [None, None, batch]


def test_a_closed_gathering_returns_who_waits_and_takes_nobody() -> None:
    gathered = Gathering[Caller](1)
    added(gathered, [caller()])
    batch = taken(gathered)
    waiting = added(gathered, [caller(), caller(host="420000")])
    assert gathered.close() == waiting
    gathered.end(batch)
    assert gathered.take() is None
    with pytest.raises(ServerError, match="CANCELLED: the client is closed"):
        gathered.add(caller())


@pytest.mark.parametrize(("code", "host"), [("x", "110000"), (bytearray(b"x"), "110000"), (None, "110000"), (b"x", 11)])
def test_what_no_request_can_hold_is_refused_before_others_share_a_call_with_it(code: object, host: object) -> None:
    with pytest.raises(TypeError, match=r"is bytes, as scanned|is a str of six digits"):
        Caller(code, host, 0.0)  # type: ignore[arg-type]


def test_a_call_takes_as_long_as_the_most_patient_of_its_callers() -> None:
    batch = Batch("110000", [caller(deadline_s=deadline_s) for deadline_s in (1e9, 3e9, 2e9)])
    assert 2.9e9 < batch.timeout_s() <= 3e9


def test_answers_are_those_of_single_calls() -> None:
    batch = Batch("110000", [caller(), caller()])
    reasons = (pb.REASON_GREEN, pb.REASON_YELLOW)
    verdicts = [pb.Verdict(reason=reason) for reason in reasons]
    response = pb.BatchVerifyResponse(trust_list_version=7, verdicts=verdicts)
    response.checked_at.FromSeconds(1234)
    first, second = batch.answers(response)
    assert (first.verdict.reason, second.verdict.reason) == reasons
    for answer in (first, second):
        assert (answer.trust_list_version, answer.checked_at.seconds) == (7, 1234)


def test_a_response_with_another_number_of_verdicts_is_an_error() -> None:
    with pytest.raises(ServerError, match="INTERNAL: 2 codes had 1 verdicts"):
        Batch("110000", [caller(), caller()]).answers(pb.BatchVerifyResponse(verdicts=[pb.Verdict()]))


def test_an_error_can_be_copied_and_sent_to_another_process() -> None:
    error = ServerError("UNAVAILABLE", "gone", "DRAINING")
    for same in (copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(same), same.code, same.reason) == ("UNAVAILABLE: gone", "UNAVAILABLE", "DRAINING")


class Interleavings(RuleBasedStateMachine):
    """Callers of few hosts come, leave and are answered in any order, as threads and tasks would have it."""

    def __init__(self) -> None:
        super().__init__()
        self.gathered = Gathering[Caller](2)
        self.waiting: list[Caller] = []
        self.in_flight: list[Batch[Caller]] = []

    @rule(host=st.sampled_from(["110000", "420000", "440000"]), count=st.sampled_from([1, 1, 2, BESIDE_CODES]))
    def ask(self, host: str, count: int) -> None:
        self.waiting += added(self.gathered, [caller(host=host) for _ in range(count)])
        self._send()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave_early(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.waiting[:300]))
        assert self.gathered.leave(one) is None
        self.waiting.remove(one)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(self.in_flight))
        self.in_flight.remove(batch)
        self.gathered.end(batch)
        self._send()

    def _send(self) -> None:
        while batch := self.gathered.take():
            mine = [one for one in self.waiting if one.host_region == batch.host_region]
            assert batch.callers == mine[: len(batch.callers)]  # those who came first, and of one host
            self.waiting = [one for one in self.waiting if one.batch is None]
            self.in_flight.append(batch)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        going = {batch.host_region for batch in self.in_flight}
        assert {one.host_region for one in self.waiting} <= going
        assert self.gathered.waiting == len(self.waiting)
        for host in going:
            assert sum(batch.host_region == host for batch in self.in_flight) <= 2


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=40)
