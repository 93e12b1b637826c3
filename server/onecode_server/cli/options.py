"""Options that several commands have."""

import click

from onecode_server.errors import Misconfigured


def _address(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    host, _, port = (text or "").rpartition(":")
    if text is not None and (not host or not port.isdecimal() or not 0 < int(port) < 65_536):
        raise Misconfigured(f"--server {text!r}: expected HOST:PORT")
    return text


server_option = click.option("--server", required=True, metavar="HOST:PORT", callback=_address)
server_instead_option = click.option("--server", metavar="HOST:PORT", callback=_address, help="Over gRPC.")
json_option = click.option("--json", "as_json", is_flag=True, help="One object a line, in order.")
