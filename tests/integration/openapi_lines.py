"""How Schemathesis writes and reads bodies of JSON lines: it loads this module by its name (SCHEMATHESIS_HOOKS)."""

import json
from importlib import import_module
from typing import Any

KIND = "application/x-ndjson"


def one_line(_context: Any, value: Any) -> bytes:
    """Return a body of one record, whatever was made in its place."""
    return json.dumps(value).encode() + b"\n"


def last_line(_context: Any, response: Any) -> Any:
    """Return the last line, which has the form that each of them has."""
    return json.loads(response.content.splitlines()[-1])


_schemathesis: Any = import_module("schemathesis")  # tests run without it, and so are types checked
_schemathesis.serializer(KIND)(one_line)
_schemathesis.deserializer(KIND)(last_line)
