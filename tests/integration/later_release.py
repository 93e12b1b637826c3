"""``onecode serve`` of a release that follows this one: ``python -m tests.integration.later_release FLAG…``.

It differs from this one by the rules that its replicator knows. Its supervisor starts this module again for that, with
what a replicator gets.
"""

import asyncio
import os
import sys
from pathlib import Path

import click

from onecode_server.cli.serve import serve
from onecode_server.settings import logs
from onecode_server.settings.config import Settings
from onecode_server.workers import replicator
from onecode_server.workers.supervisor import supervise

from tests.later_rules import LATER

MODULE = "tests.integration.later_release"
PROGRAM = (sys.executable, "-m", MODULE)
"""To be run where tests/ can be imported (``environment``)."""
_REPLICATORS_SLOT = "replicator"


def environment() -> str:
    """Return the PYTHONPATH with which its processes, which no directory of a caller is in, find this module."""
    root = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))


def _serve(config: Path | None, **flags: str | None) -> None:
    settings = Settings.read(flags, os.environ, config)
    logs.configure(settings.log_level)
    asyncio.run(supervise(settings, click.echo, MODULE))


if __name__ == "__main__":
    if sys.argv[1:2] == [_REPLICATORS_SLOT]:
        sys.exit(replicator.main(*sys.argv[1:], versions=LATER))
    click.Command("serve", params=serve.params, callback=_serve)()
