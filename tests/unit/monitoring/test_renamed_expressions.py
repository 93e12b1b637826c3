"""What the tests on a real Prometheus do to expressions, which would prove nothing if it left them as they are."""

import pytest

from tests.integration.expressions import can_be_renamed, metric_names, renamed, selectors, with_numbers

RATIO = 'sum(rate(a_total{job="x",code=~"A|B{2}"}[5m])) / sum(rate(a_total{job="x"}[5m])) + sum({__name__=~"up|b"})'


def test_selectors_and_names_are_found_with_their_matchers():
    assert selectors(RATIO) == {'a_total{job="x",code=~"A|B{2}"}', 'a_total{job="x"}', '{__name__=~"up|b"}'}
    assert metric_names(RATIO) == {"a_total"}
    assert metric_names('job:a:rate5m{x="b{c}"} > on (y) d{}') == {"job:a:rate5m", "d"}


def test_each_selector_of_the_metric_is_renamed_and_no_other():
    expression = 'a_total{x="a_total{}"} + a_total{} / b_a_total{}'
    assert renamed(expression, "a_total") == 'renamed_a_total{x="a_total{}"} + renamed_a_total{} / b_a_total{}'


@pytest.mark.parametrize(
    ("expression", "can"),
    [("a{} and b{}", True), ("a{} or b{}", False), ("a{} unless b{}", False), ("a{} offset 1d", False)],
)
def test_an_expression_that_needs_all_its_metrics_is_known(expression, can):
    assert can_be_renamed(expression) is can
    assert can_be_renamed('a{x=~"or|unless|offset"}')


def test_comparisons_give_numbers_and_matchers_stay():
    assert with_numbers('a{x!="1",y=~"<"} < 30 * 5 >= 7 and 0 == b{}') == (
        'a{x!="1",y=~"<"} < bool 30 * 5 >= bool 7 and 0 == bool b{}'
    )
