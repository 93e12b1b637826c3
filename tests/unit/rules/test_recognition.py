"""Recognition: a report counts once it is acknowledged, from its begin to its end, and for its pair only."""

import pytest

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.rules.recognition import is_in_effect, suspension

HOST, HOME = "110000", "420000"
REPORT = RecognitionException("x-1", HOST, HOME, "why", 100, 200, reported_at=10, acknowledged_at=50)


@pytest.mark.parametrize(("now", "counts"), [(99, False), (100, True), (199, True), (200, False)])
def test_a_report_counts_from_its_begin_until_its_end(now, counts):
    assert is_in_effect(REPORT, now) is counts


def test_a_report_that_nobody_has_acknowledged_never_counts():
    assert not any(is_in_effect(REPORT._replace(acknowledged_at=None), now) for now in range(90, 210))


@pytest.mark.parametrize(("now", "counts"), [(119, False), (120, True)])
def test_a_late_acknowledgement_does_not_count_backwards(now, counts):
    assert is_in_effect(REPORT._replace(acknowledged_at=120), now) is counts


@pytest.mark.parametrize(("now", "counts"), [(149, True), (150, False), (151, False)])
def test_a_withdrawn_report_counts_until_it_was_withdrawn(now, counts):
    assert is_in_effect(REPORT._replace(withdrawn_at=150), now) is counts


def test_a_report_withdrawn_before_its_begin_never_counts():
    assert not any(is_in_effect(REPORT._replace(withdrawn_at=60), now) for now in range(90, 210))


def test_the_report_under_which_the_host_does_not_recognise_the_home_is_named():
    ended = REPORT._replace(id="x-0", effective_from=10, effective_until=100)
    assert suspension([ended, REPORT], HOST, HOME, 150) == REPORT


@pytest.mark.parametrize(("host", "home"), [(HOME, HOST), (HOST, "440000"), ("440000", HOME), (HOST, HOST)])
def test_a_report_counts_for_its_own_pair_and_direction_only(host, home):
    assert suspension([REPORT], host, home, 150) is None


def test_where_nothing_was_reported_the_home_is_recognised():
    assert suspension([], HOST, HOME, 150) is None
