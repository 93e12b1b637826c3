"""The few forms of PromQL that most panels have."""

from monitoring.model import Query


def per_second(counter: str, by: str = "", where: str = "", legend: str = "") -> Query:
    """Return how fast a counter rises, summed over all series with the same labels ``by`` (names, with commas).

    ``where`` are further matchers. The legend is the labels' values, where none is given.
    """
    return Query(f"{_sum(by)} ({rate(counter, where)})", legend or _values(by))


def busiest(query: Query) -> Query:
    """Return the ten highest series of a query that has one for each of many reasons or regions, most of them 0."""
    return Query(f"topk(10, {query.expression})", query.legend)


def part(counter: str, of: str, where: str = "", of_where: str = "", legend: str = "") -> Query:
    """Return the part that one counter is of another, both as rates: 0 to 1, and NaN where nothing was counted."""
    return Query(f"sum({rate(counter, where)}) / sum({rate(of, of_where)})", legend)


def part_of_codes_asked(counter: str, legend: str) -> Query:
    """Return the part that a counter of codes is of all codes asked about, those with a verdict and those refused."""
    asked = f"sum({rate('onecode_verdicts_total')}) + sum({rate('onecode_shed_codes_total')})"
    return Query(f"sum({rate(counter)}) / ({asked})", legend)


def quantile(of: float, histogram: str, by: str = "", where: str = "", legend: str = "") -> Query:
    """Return the value that the part ``of`` of a histogram's observations do not exceed; NaN where there were none."""
    labels = f"le, {by}" if by else "le"
    buckets = f"sum by ({labels}) ({rate(f'{histogram}_bucket', where)})"
    return Query(f"histogram_quantile({of}, {buckets})", legend or _values(by))


def buckets(histogram: str, where: str = "") -> Query:
    """Return the buckets of a histogram, as a heat map draws them."""
    return Query(f"sum by (le) ({rate(f'{histogram}_bucket', where)})", "{{le}}")


def worst(gauge: str, by: str = "instance", where: str = "", legend: str = "") -> Query:
    """Return the highest value of a gauge: what several servers tell of the same thing, or a fault of any of them."""
    return Query(f"max by ({by}) ({gauge}{{{_matchers(where)}}})", legend or _values(by))


def time_left(timestamp: str, by: str = "instance", where: str = "", legend: str = "") -> Query:
    """Return the seconds until the earliest of the times that a gauge tells; below 0 once it is past."""
    return Query(f"min by ({by}) ({timestamp}{{{_matchers(where)}}}) - time()", legend or _values(by))


def rate(counter: str, where: str = "") -> str:
    """Return how fast a counter rises, each of its series by itself."""
    return f"rate({counter}{{{_matchers(where)}}}[<rate>])"


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"


def _matchers(where: str) -> str:
    return f"<scope>,{where}" if where else "<scope>"


def _values(by: str) -> str:
    return " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else ""
