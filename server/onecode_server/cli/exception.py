"""``onecode exception``: recognition exceptions, filed with a server."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from onecode_client import OperatorClient
from onecode_server.cli import output
from onecode_server.cli.connected import connected
from onecode_server.cli.options import json_option
from onecode_server.cli.target import Target, calls_server
from onecode_server.errors import Misconfigured

_COLUMNS = {
    "id": "id",
    "host": "host_region",
    "home": "home_region",
    "state": "state",
    "from": "effective_from",
    "until": "effective_until",
    "reason": "reason",
}
"""Headings that fit a terminal of 80 columns; ``--json`` has the fields' own names, and the microseconds."""
_STATES = ("REPORTED", "ACKNOWLEDGED", "EFFECTIVE", "ENDED", "WITHDRAWN")
_LATER = re.compile(r"\+([0-9]{1,6})([smhd])\Z")
_ID: Final = re.compile("[Rr][Ee]-[0-9A-Fa-f]+")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _as_shown(context: click.Context, parameter: click.Parameter, text: str) -> str:
    """Return a report's id as ``list`` shows it: its hex may be given in capitals."""
    return f"RE-{text[3:].lower()}" if _ID.fullmatch(text) else text


_request_id = click.option(
    "--request-id",
    default="",
    metavar="NAME",
    help="An id of this step, 16 to 64 characters: repeated with it, the step is answered and not done twice.",
)
_identifier = click.argument("identifier", metavar="ID", callback=_as_shown)


@click.group()
def exception() -> None:
    """Report, acknowledge, withdraw and list recognition exceptions."""


@exception.command()
@calls_server
@click.option("--host", "host_region", required=True, help="The region that does not recognise.")
@click.option("--home", "home_region", required=True, help="The region that is not recognised.")
@click.option("--reason", required=True, help="The reason, in 1 to 1,024 bytes.")
@click.option("--from", "begins", default="now", show_default=True, help="RFC 3339, or +1h from now (s, m, h, d).")
@click.option("--until", "ends", required=True, help="As --from; 1 hour to 30 days later.")
@_request_id
@json_option
def report(
    target: Target,
    host_region: str,
    home_region: str,
    reason: str,
    begins: str,
    ends: str,
    request_id: str,
    *,
    as_json: bool,
) -> None:
    """File a report. It has no effect until the national operator has acknowledged it, and ends after 72 hours where
    that is not done.

    With --request-id, give the times in RFC 3339: "now" is a later time in a repeated request, which is then refused as
    another request.
    """
    now = datetime.now(UTC)
    with connected(OperatorClient, target) as client:
        filed = client.report_exception(
            host_region=host_region,
            home_region=home_region,
            reason=reason,
            effective_from=_time(begins, now),
            effective_until=_time(ends, now),
            request_id=request_id,
        )
    _show([filed], as_json=as_json)


@exception.command()
@calls_server
@_identifier
@_request_id
@json_option
def acknowledge(target: Target, identifier: str, request_id: str, *, as_json: bool) -> None:
    """Let a report take effect: from its beginning, or from now where that is past."""
    with connected(OperatorClient, target) as client:
        _show([client.acknowledge_exception(identifier, request_id)], as_json=as_json)


@exception.command()
@calls_server
@_identifier
@_request_id
@json_option
def withdraw(target: Target, identifier: str, request_id: str, *, as_json: bool) -> None:
    """End a report before its time."""
    with connected(OperatorClient, target) as client:
        _show([client.withdraw_exception(identifier, request_id)], as_json=as_json)


@exception.command("list")
@calls_server
@click.option("--host", "host_region", default="", help="Reports of this host only.")
@click.option("--home", "home_region", default="", help="Reports about this home only.")
@click.option("--state", type=click.Choice(_STATES), help="Reports in this state only.")
@json_option
def list_(target: Target, host_region: str, home_region: str, state: str | None, *, as_json: bool) -> None:
    """List reports, newest first."""
    filters: dict[str, Any] = {"host_region": host_region, "home_region": home_region}
    if state is not None:
        filters["state"] = f"EXCEPTION_STATE_{state}"
    with connected(OperatorClient, target) as client:
        _show(list(client.exceptions(**filters)), as_json=as_json)


def _time(text: str, now: datetime) -> datetime:
    """Return a time given as RFC 3339, as ``now``, or as a duration from now. Raises Misconfigured."""
    if text == "now":
        return now
    if later := _LATER.match(text):
        return now + timedelta(**{_UNITS[later[2]]: int(later[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Misconfigured(f"{text!r} is neither RFC 3339 nor a time from now, such as +2h") from None
    if time.tzinfo is None:
        raise Misconfigured(f"{text!r} has no offset: end it with Z or +08:00")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise Misconfigured(f"{text!r} is outside of the years 1 to 9999") from None


def _show(reports: list[Any], *, as_json: bool) -> None:
    if as_json:
        for one in reports:
            output.print_json(one)
        return
    output.print_table(
        "", _COLUMNS, [[_cell(one, field) for field in _COLUMNS.values()] for one in reports], whole=("id",)
    )


def _cell(one: Any, field: str) -> str:
    if field == "state":
        return output.word(one, field)
    value = getattr(one, field)
    return value if isinstance(value, str) else f"{value.ToDatetime():%Y-%m-%d %H:%M:%SZ}"
