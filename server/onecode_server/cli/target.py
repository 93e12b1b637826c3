"""The server that a command calls, and how it is reached: from options, variables, and the context.

An option counts before a variable, and a variable before the context. The variables of the client's own certificate are
not those of ``serve``, so that a command in a server's container does not show the server's certificate as its own.
"""

import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

from onecode_client import CredentialsUnusable, Tls
from onecode_server.cli.contexts import NO_FILES, ContextName
from onecode_server.cli.options import PathType
from onecode_server.errors import Misconfigured

_F = TypeVar("_F", bound=Callable[..., Any])

_SERVER: Final = re.compile(r"(\[[0-9A-Za-z:.%]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
_VARIABLES: Final = {
    "server": "ONECODE_SERVER",
    "tls_ca": "ONECODE_TLS_CA",
    "tls_cert": "ONECODE_TLS_CLIENT_CERT",
    "tls_key": "ONECODE_TLS_CLIENT_KEY",
    "tls_server_name": "ONECODE_TLS_SERVER_NAME",
    "token_file": "ONECODE_TOKEN_FILE",
}
_HELP: Final = {
    "tls_ca": "Authorities that vouch for the server, in PEM.",
    "tls_cert": "The certificate to show to the server, in PEM.",
    "tls_key": "Its key, in PEM.",
    "tls_server_name": "The name in the server's certificate, where it is not that of the address.",
    "token_file": "A token to send with each call.",
}
_USUAL_PAGE: Final = "127.0.0.1:9464"
"""The metrics page of a server on this machine that was not told another address."""


class Target(NamedTuple):
    """A server, ``HOST:PORT``, and how it is reached."""

    server: str
    tls: Tls | None
    token_file: Path | None


class PagesTarget(NamedTuple):
    """The metrics pages of servers, each ``HOST:PORT`` or a URL, and how they are reached."""

    pages: tuple[str, ...]
    tls: Tls | None
    token_file: Path | None


class _Value(NamedTuple):
    text: str
    where: str
    """Begins a line about a mistake."""


def calls_server(command: _F) -> _F:
    """Give a command the options for a server, and ``target`` in their place. Raises Misconfigured where there is no
    server."""
    return _reaching(_needed, click.option("--server", metavar="HOST:PORT", help="Or ONECODE_SERVER."))(command)


def calls_server_argument(command: _F) -> _F:
    """Do the same, with the server as an argument."""
    return _reaching(_needed, click.argument("server", metavar="[HOST:PORT]", required=False))(command)


def calls_server_instead(command: _F) -> _F:
    """Do the same for a command that may work on a data directory instead: ``target`` is its path then."""
    return _reaching(
        _instead,
        click.option("--server", metavar="HOST:PORT", help="Over gRPC. Or ONECODE_SERVER."),
        click.option("--data-dir", type=PathType(), help="Directly, without a server."),
    )(command)


def reads_pages(command: _F) -> _F:
    """Do the same for a command that reads metrics pages, whose places are arguments: ``target`` is a PagesTarget."""
    return _reaching(_pages, click.argument("server", nargs=-1, metavar="[URL|HOST:PORT]..."))(command)


def _reaching(find: Callable[..., Target | PagesTarget | Path], *places: Callable[[Any], Any]) -> Callable[[_F], _F]:
    def decorated(command: _F) -> _F:
        @wraps(command)
        def run(**options: Any) -> Any:
            given = {name: options.pop(name) for name in _VARIABLES}
            context = click.get_current_context().find_object(ContextName) or ContextName()
            return command(target=find(given, context, options.pop("data_dir", None)), **options)

        made: Any = run
        for name, text in reversed(_HELP.items()):
            option = f"--{name.replace('_', '-')}"
            kind: dict[str, Any] = {"metavar": "NAME"} if name in NO_FILES else {"type": PathType(), "metavar": "FILE"}
            made = click.option(option, help=f"{text} Or {_VARIABLES[name]}.", **kind)(made)
        for place in reversed(places):
            made = place(made)
        command_with_options: _F = made
        return command_with_options

    return decorated


def _needed(given: dict[str, Any], context: ContextName, _: None) -> Target:
    target = _target(given, context)
    if target is None:
        raise Misconfigured("--server is missing: give HOST:PORT, here, in ONECODE_SERVER or in a --context")
    return target


def _instead(given: dict[str, Any], context: ContextName, data_dir: Path | None) -> Target | Path:
    is_given = any(value is not None for value in given.values())
    found = data_dir or _target(given, context)
    if found is None or (data_dir is not None and is_given):
        raise Misconfigured("give either --server or --data-dir")
    return found


def _target(given: dict[str, Any], context: ContextName) -> Target | None:
    values = _values(given, context)
    server = values.get("server")
    if server is None:
        return None
    _expect_address(server)
    return Target(server.text, *_shown(values))


def _pages(given: dict[str, Any], context: ContextName, _: None) -> PagesTarget:
    pages = given.pop("server")
    values = _values(given, context)
    if not pages and (named := values.get("metrics")):
        pages = (named.text,)
    if not pages and context.name is not None:
        raise Misconfigured(f"the context {context.name!a} has no metrics: give the HOST:PORT of a metrics page")
    return PagesTarget(pages or (_USUAL_PAGE,), *_shown(values))


def _values(given: dict[str, Any], context: ContextName) -> dict[str, _Value]:
    values = {name: _Value(text, where) for name, (text, where) in context.read().items()}
    for name, variable in _VARIABLES.items():
        if (value := given.get(name)) is not None:
            values[name] = _Value(os.fspath(value), f"--{name.replace('_', '-')}")
        elif text := os.environ.get(variable):
            values[name] = _Value(text, variable)
    return values


def _shown(values: dict[str, _Value]) -> tuple[Tls | None, Path | None]:
    """Return the files of TLS and of the token."""
    paths = {name: Path(value.text) for name, value in values.items() if name not in NO_FILES}
    server_name = values["tls_server_name"].text if "tls_server_name" in values else None
    speaks_tls = bool(values.keys() - {"server", "metrics", "token_file"})
    try:
        ca, cert, key = paths.get("tls_ca"), paths.get("tls_cert"), paths.get("tls_key")
        tls = Tls(ca, cert, key, server_name) if speaks_tls else None
    except CredentialsUnusable as fault:
        raise Misconfigured(str(fault)) from None
    return tls, paths.get("token_file")


def _expect_address(server: _Value) -> None:
    if server.text.startswith("unix:/"):
        return
    match = _SERVER.fullmatch(server.text)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise Misconfigured(f"{server.where} {server.text!r}: expected HOST:PORT, or unix:/PATH")
