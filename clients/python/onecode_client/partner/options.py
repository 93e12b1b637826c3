"""The command line of ``onecode-partner``. An option counts before its variable."""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from onecode_client.loopback import is_local
from onecode_client.partner.faults import Unusable
from onecode_client.tls import Tls

TIMEOUT_S: Final = 10.0
TIMEOUT_MAX_S: Final = 86_400.0
"""Whoever waits longer than a day has no bound."""

_VARIABLES: Final = {
    "server": "ONECODE_SERVER",
    "tls_ca": "ONECODE_TLS_CA",
    "tls_cert": "ONECODE_TLS_CLIENT_CERT",
    "tls_key": "ONECODE_TLS_CLIENT_KEY",
    "tls_server_name": "ONECODE_TLS_SERVER_NAME",
    "token_file": "ONECODE_TOKEN_FILE",
}
_SERVER: Final = re.compile(r"(\[[0-9A-Za-z:.%]+\]|[^\s:/\[\]]+):([0-9]{1,5})\Z")
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:h|ms|m|s))+\Z")
_PART: Final = re.compile(r"([0-9.]+)(h|ms|m|s)")
_UNITS_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be done. ``operand`` is a file, or the code of ``translate``; ``region`` is the host or the target."""

    command: str
    server: str
    tls: Tls | None
    token_file: Path | None
    timeout_s: float
    region: str
    as_json: bool
    operand: str


def parse(arguments: Sequence[str], variables: Mapping[str, str] = os.environ) -> Options:
    """Return the options. Raises Unusable, and SystemExit after the text of ``--help`` was printed."""
    given = vars(_parser().parse_args(arguments))
    values = {name: given[name] or variables.get(variable) or None for name, variable in _VARIABLES.items()}
    server = values["server"]
    if server is None:
        raise Unusable("say where the server listens: --server HOST:PORT, or ONECODE_SERVER")
    match = _SERVER.match(server)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise Unusable(f"the server {server!r} is not HOST:PORT")
    files = {name: Path(text) if text else None for name, text in values.items() if name != "tls_server_name"}
    if (files["tls_cert"] is None) != (files["tls_key"] is None):
        raise Unusable("--tls-cert and --tls-key go together: one of them is missing")
    has_tls = any(files[name] for name in ("tls_ca", "tls_cert", "tls_key"))
    shown = (files["tls_ca"], files["tls_cert"], files["tls_key"], values["tls_server_name"])
    tls = Tls(*shown) if has_tls else None
    if tls is None and not is_local(server):
        raise Unusable(f"without TLS only a server on loopback is called, and not {server}: give --tls-ca")
    timeout_s = TIMEOUT_S if given["timeout"] is None else given["timeout"]
    region, as_json = given.get("region") or "", bool(given.get("json"))
    return Options(given["command"], server, tls, files["token_file"], timeout_s, region, as_json, given["operand"])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unusable(message)


class _Once(argparse.Action):
    """Stores an option's value. The second of two would count without a word otherwise."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        if getattr(namespace, self.dest) is not None:
            raise Unusable(f"{option} is given twice")
        setattr(namespace, self.dest, True if self.nargs == 0 else values)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("onecode-partner", description=_DESCRIPTION, epilog=_EPILOG, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name, (purpose, region) in _COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose, allow_abbrev=False)
        _add(command, "--server", "HOST:PORT", "where the server listens; without TLS, on loopback only")
        if region:
            _add(command, f"--{region}", "REGION", "six digits of GB/T 2260", dest="region", required=True)
            command.add_argument("--json", action=_Once, nargs=0, help="print each answer as one line of JSON")
        _add(command, "--tls-ca", "FILE", "authorities that vouch for the server, in PEM")
        _add(command, "--tls-cert", "FILE", "the certificate to show to the server, in PEM")
        _add(command, "--tls-key", "FILE", "its key, in PEM")
        _add(command, "--tls-server-name", "NAME", "the name in the server's certificate, where it is another")
        _add(command, "--token-file", "FILE", "a token to send with each call")
        waits = "seconds without an answer after which to give up, retries included (10)"
        _add(command, "--timeout", "SECONDS", waits, type=_seconds)
        command.add_argument("operand", metavar="CODE" if name == "translate" else "FILE", help="- is standard input")
    return parser


def _add(parser: argparse.ArgumentParser, option: str, metavar: str, text: str, **more: Any) -> None:
    parser.add_argument(option, action=_Once, metavar=metavar, help=text, **more)


def _seconds(text: str) -> float:
    try:
        if _DURATION.match(text):
            value = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
        else:
            value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= TIMEOUT_MAX_S:  # a NaN neither
        raise argparse.ArgumentTypeError("not a number of seconds above 0, at most a day")
    return value


_COMMANDS: Final = {
    "verify": ("ask whether the bearer of each code in FILE may pass, in batches", "host"),
    "scan": ("ask the same over one stream", "host"),
    "translate": ("print CODE as a code of the target region", "target"),
    "publish": ("publish the status records in FILE, one JSON object a line", ""),
}
_DESCRIPTION: Final = "What a partner system does with a onecode server."
_EPILOG: Final = (
    f"Variables stand in for options: {', '.join(_VARIABLES.values())}. Status: 0 answered, whatever the verdicts;"
    " 1 the server failed, or a part of the answers is missing, or the code is not translated; 2 usage, files or"
    " credentials."
)
