"""``onecode serve``: the server."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from onecode_server.cli.options import PathType
from onecode_server.crypto import BACKENDS
from onecode_server.settings import logs
from onecode_server.settings.config import FRONTS, LOG_LEVELS, Settings
from onecode_server.system import descriptors
from onecode_server.workers.supervisor import supervise

_F = TypeVar("_F", bound=Callable[..., Any])


def _setting(name: str, text: str) -> Callable[[_F], _F]:
    # All values are passed to Settings as text, so that flags, environment and file are checked in one place, all at
    # once.
    return click.option(f"--{name}", help=text)


@click.command()
@click.option(
    "--config",
    envvar="ONECODE_CONFIG",
    type=PathType(),
    metavar="FILE",
    help="TOML: each setting by its flag's name, with _ for -, such as drain_s = 10.",
)
@_setting("data-dir", "Made by 'onecode init'. Required.")
@_setting("listen", "HOST:PORT for gRPC, loopback only; port 0 lets the system choose. Default: 127.0.0.1:50051.")
@_setting("metrics", "HOST:PORT for /metrics and /healthz, loopback only. Default: 127.0.0.1:9464.")
@_setting("gateway-keys", "Directory of gateway keys, or a PKCS#11 URI (RFC 7512). Default: keys/ in --data-dir.")
@_setting("workers", "Processes that share the port, 1 to 64. Default: one for each core that it may use.")
@_setting("signature-backend", f"One of {', '.join(BACKENDS)}. Default: auto.")
@_setting("front", f"One of {', '.join(FRONTS)}. Default: auto.")
@_setting("shadow-one-in", "PyNaCl checks one of so many signatures too. Default: 10000.")
@_setting("skew-s", "Seconds by which clocks may disagree. Default: 60.")
@_setting("trust-list-grace-s", "Seconds past its next update for which a list still admits. Default: 86400.")
@_setting(
    "trust-list-unread-max-s", "Seconds for which a list still admits whose file cannot be read any more. Default: 30."
)
@_setting("drain-s", "Seconds that running calls get to end. Default: 10.")
@_setting("queue-codes-max", "Codes that may wait or be checked at once. Default: 16384.")
@_setting("cache-entries-max", "Subjects in the status cache. Default: 100000.")
@_setting("reflection", "true or false: list the API to callers (gRPC reflection). Default: false.")
@_setting("log-level", f"One of {', '.join(LOG_LEVELS)}. Default: info.")
def serve(config: Path | None, **flags: str | None) -> None:
    """Serve checks and translations until SIGTERM.

    Each flag is an environment variable too: ONECODE_ and the flag in capitals, such as ONECODE_DATA_DIR. A flag counts
    before a variable, a variable before the file.
    """
    settings = Settings.read(flags, os.environ, config)
    logs.configure(settings.log_level)
    descriptors.raise_limit()  # workers inherit it
    if settings.workers > 1:
        asyncio.run(supervise(settings, click.echo))
        return
    # A supervisor needs neither: without them it starts its workers in half the time.
    import uvloop  # noqa: PLC0415

    from onecode_server import app  # noqa: PLC0415

    uvloop.run(app.serve(settings, click.echo))
