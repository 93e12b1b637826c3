"""The options that say where the log is, which are settings of the server too."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from onecode_server.cli.options import PathType
from onecode_server.errors import Misconfigured
from onecode_server.log import address as log_address
from onecode_server.log.address import LogAddress
from onecode_server.log.client_settings import expect_library
from onecode_server.settings.sources import Sources

_F = TypeVar("_F", bound=Callable[..., Any])
_OPTIONS: Final = {
    "log": "kafka://HOST:PORT,HOST:PORT. Required, here or in the settings file.",
    "log-ca": "PEM: the authorities of the brokers.",
    "log-cert": "PEM: the certificate that is shown to them.",
    "log-key": "PEM: its private key.",
    "log-topic-prefix": "What the names of the topics begin with. Default: onecode.",
}
_FILES: Final = ("log_ca", "log_cert", "log_key")


def log_options(command: _F) -> _F:
    """Add the options to a command."""
    for name, text in reversed(_OPTIONS.items()):
        command = click.option(f"--{name}", help=text)(command)
    config = click.option(
        "--config", envvar="ONECODE_CONFIG", type=PathType(), metavar="FILE", help="The server's settings file."
    )
    return config(command)


def read_address(flags: dict[str, str | None], config: Path | None) -> LogAddress:
    """Return the log, by flags, variables and the settings file. Raises Misconfigured."""
    sources = Sources(flags, os.environ, config)
    if sources.fault is not None:
        raise Misconfigured(sources.fault)
    found: dict[str, str] = {}
    mistakes: list[str] = []
    address: LogAddress | None = None
    prefix = log_address.PREFIX
    for name in (option.replace("-", "_") for option in _OPTIONS):
        given = sources.find(name)
        try:
            found[name] = "" if given is None else given.text(Path if name in _FILES else str)
            if name == "log":
                address = log_address.read_address(found[name])
            elif name == "log_topic_prefix" and given is not None:
                prefix = log_address.read_prefix(found[name])
        except ValueError as fault:
            mistakes.append(f"{given.where if given else name}: {fault}")
    ca, cert, key = files = [Path(text) if (text := found.get(name)) else None for name in _FILES]
    if address is None and not mistakes:
        mistakes.append("--log is missing")
    if any(files) and not all(files):
        mistakes.append("--log-ca, --log-cert and --log-key belong together: give all three")
    if mistakes or address is None:
        raise Misconfigured(*mistakes)
    expect_library()
    return LogAddress(address.brokers, ca, cert, key, prefix)
