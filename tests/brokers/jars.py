"""Where the brokers' jars lie. ``make brokers`` fetches them; what needs them skips where they are missing."""

import shutil
from pathlib import Path
from typing import Final

import pytest

JARS: Final = Path(__file__).parents[2] / "build" / "brokers"


def class_path() -> str:
    """Return Java's class path of the brokers, or skip the test."""
    if shutil.which("java") is None:
        pytest.skip("Java is not installed: no brokers can be run")
    if not any(JARS.glob("kafka_*.jar")):
        pytest.skip("the brokers' jars are not here: make brokers (needs Maven)")
    return f"{JARS}/*"
