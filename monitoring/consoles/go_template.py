"""Go's templates, as text: their strings, PromQL whose placeholders are variables of a page, and parts put together."""

import json
import re
from string import Template
from typing import Final

from monitoring.expressions import Fillings, fill
from monitoring.options import Options

_VARIABLES: Final = {"<scope>": "$scope", "<job>": "$ofJob", "<rate>": "$rate", "<region>": "$region"}
_PLACEHOLDER: Final = re.compile(f"({'|'.join(_VARIABLES)})")
_LEGEND: Final = re.compile(r"{{\s*(\w+)\s*}}")


class _Part(Template):
    """A part of a page, in which ``@{name}`` is filled in here, and all else is Go's or HTML's."""

    delimiter = "@"


def put(part: str, **values: object) -> str:
    """Return a part with its ``@{name}`` filled in, as they are. Raises KeyError where one is missing."""
    return _Part(part).substitute(values)


def literal(text: str) -> str:
    """Return a text as a string of Go's templates (Go specification, interpreted string literals)."""
    return json.dumps(text)


def expression(promql: str, options: Options) -> str:
    """Return the template's expression for an expression of the model: ``(print "…" $scope "…")``.

    Raises ValueError where it has a placeholder that no page knows.
    """
    fill(promql, Fillings(scope=""))  # raises
    windows = Fillings(scope="", divide=options.divide)
    parts = [_VARIABLES.get(part) or literal(fill(part, windows)) for part in _PLACEHOLDER.split(promql) if part]
    return f"(print {' '.join(parts)})"


def legend(text: str) -> str:
    """Return a legend such as ``{{home}} at {{host}}`` with the labels of a sample, the template's dot."""
    return _LEGEND.sub(r'{{ index .Labels "\1" }}', text)


def attribute(text: str) -> str:
    """Return a legend as an attribute's value, for the script to fill in."""
    return text.replace('"', "&quot;").replace("{{", '{{ "{{" }}')
