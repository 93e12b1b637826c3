"""Where the brokers' jars lie. ``make brokers`` fetches them."""

import shutil
from pathlib import Path
from typing import Final

JARS: Final = Path(__file__).parents[2] / "build" / "brokers"


class BrokersMissing(Exception):
    """No brokers can be run here; the message says why in one line."""


def class_path() -> str:
    """Return Java's class path of the brokers. Raises BrokersMissing."""
    if shutil.which("java") is None:
        raise BrokersMissing("Java is not installed: no brokers can be run")
    if not any(JARS.glob("kafka_*.jar")):
        raise BrokersMissing("the brokers' jars are not here: make brokers (needs Maven)")
    return f"{JARS}/*"
