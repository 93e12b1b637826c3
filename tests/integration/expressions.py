"""What tests do to expressions of PromQL: find their selectors, rename a metric, and let comparisons give 0 or 1."""

import re
from typing import Final

_SELECTOR: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?(\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*\})")
_TEXT: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_COMPARISON: Final = re.compile(r"(==|!=|>=|<=|>|<)")


def is_of_a_log(*expressions: str) -> bool:
    """Tell whether expressions are about the log that machines share: a server with an embedded store has no series of
    it. ``test_machines_of_a_log`` holds those of one that shares a log."""
    return any("onecode_log_" in expression for expression in expressions)


def selectors(expression: str) -> set[str]:
    """Return the selectors, without windows: ``name{matchers}``."""
    return {found[0] for found in _SELECTOR.finditer(expression)}


def metric_names(expression: str) -> set[str]:
    """Return the names of metrics that stand before braces: each selector has matchers."""
    return {found[1] for found in _SELECTOR.finditer(expression) if found[1]}


def renamed(expression: str, metric: str) -> str:
    """Return the expression about a metric that nobody exports in place of one."""
    return _SELECTOR.sub(
        lambda found: f"renamed_{found[0]}" if found[1] == metric else found[0],
        expression,
    )


def can_be_renamed(expression: str) -> bool:
    """Tell whether the whole expression needs each of its metrics: one with ``or`` and ``unless`` does not."""
    return not re.search(r"\b(or|unless|offset)\b", _TEXT.sub("", expression))


def with_numbers(expression: str) -> str:
    """Return the expression with comparisons that give 0 or 1: it gives a series where the condition does not hold."""
    parts, at = [], 0
    for found in _SELECTOR.finditer(expression):  # those in matchers are none
        parts += [_COMPARISON.sub(r"\1 bool", expression[at : found.start()]), found[0]]
        at = found.end()
    return "".join((*parts, _COMPARISON.sub(r"\1 bool", expression[at:])))
