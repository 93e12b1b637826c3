"""The second half of the demonstration: callers with identities, over mutual TLS, and what each of them may do."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from onecode_client import OnecodeClient, OperatorClient, ServerError, status_record

from demo.credentials import Credentials
from demo.deployment import Deployment

ROLES: Final = {
    "scanner": ("--role", "scanner", "--region", "420000"),
    "operator": ("--role", "operator", "--region", "420000"),
    "nation": ("--role", "national"),
    "partner": ("--role", "partner", "--name", "railway"),
    "ops": ("--role", "ops"),
    "gateway": ("--role", "gateway", "--name", "gate-7"),
}
_SHOWN: Final = {
    "scanner": "scanner of Hubei",
    "operator": "operator of Hubei",
    "nation": "national operator",
    "partner": "partner 'railway'",
    "ops": "operations",
    "gateway": "gateway 'gate-7'",
    "": "nobody",
}
_DENIED: Final = "PERMISSION_DENIED"
_UNKNOWN: Final = ("IDENTITY_MISSING", "CERTIFICATE_WANTED")
"""What callers without a certificate are told: grpc.aio ends their connections, and the native front answers them."""
_REVOKED_WITHIN_S: Final = 10.0


class Counter:
    """Where callers try what they may do and what they may not; notes every answer that is not the expected one."""

    def __init__(self, server: str, credentials: Credentials) -> None:
        self._server = server
        self._credentials = credentials
        self._open = ExitStack()
        self.rows: list[tuple[str, ...]] = []
        self.surprises: list[str] = []

    def __enter__(self) -> "Counter":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def scans(self, name: str, token: Path | None = None) -> OnecodeClient:
        """Return a client of a caller, for checks and translations."""
        client = OnecodeClient(self._server, tls=self._credentials.tls(name), token_file=token)
        return self._open.enter_context(client)

    def operates(self, name: str) -> OperatorClient:
        """Return a client of a caller, for what operators do."""
        return self._open.enter_context(OperatorClient(self._server, tls=self._credentials.tls(name)))

    def attempt(self, who: str, what: str, call: Callable[[], str], *expected: str, by: str = "") -> None:
        """Have a caller try something, whose answer, or whose error's status or reason, is one of ``expected``."""
        found: tuple[str, ...] = ()
        try:
            answer, style = call(), "green"
        except ServerError as refused:
            answer, found, style = _short(refused), (refused.code, refused.reason), "red"
        if not {answer, *found} & set(expected):
            self.surprises.append(f"{_SHOWN[who]} tries to {what}: {answer}, not {' or '.join(expected)}")
        shown = f"{_SHOWN[who]}{by}"
        self.rows.append((shown, what, f"[{style}]{answer}[/]"))

    def table(self) -> Table:
        """Return what was tried so far."""
        table = Table(title="\nEach caller has an identity", title_justify="left", header_style="bold")
        for column in ("caller", "tries to", "answer"):
            table.add_column(column)
        for row in self.rows:
            table.add_row(*row)
        return table


def call_with_identities(deployment: Deployment, credentials: Credentials) -> Counter:
    """Have every role try what it may do, and something that it may not. The server speaks mutual TLS."""
    code = deployment.issue("440000", "GREEN", "he")
    with Counter(deployment.server, credentials) as counter:
        _scan(counter, code, credentials.token(*ROLES["scanner"]))
        _operate(counter)
        counter.attempt(
            "partner", "translate for Hubei", lambda: counter.scans("partner").translate(code, "420000").format, "jwt"
        )
        _revoke(counter, credentials, code)
    return counter


def _scan(counter: Counter, code: bytes, token: Path) -> None:
    def verify(who: str, host: str, token: Path | None = None) -> Callable[[], str]:
        return lambda: _decision(counter.scans(who, token), code, host)

    counter.attempt("", "check a code", verify("", "420000"), *_UNKNOWN)
    counter.attempt("scanner", "check a code in Hubei", verify("scanner", "420000"), "ADMIT")
    counter.attempt("scanner", "check a code in Guangdong", verify("scanner", "440000"), _DENIED)
    counter.attempt("scanner", "publish a status", lambda: _publish(counter.operates("scanner"), "420000"), _DENIED)
    counter.attempt("gateway", "check a code in Hubei", verify("gateway", "420000"), _DENIED)
    carries = " with the scanner's token"
    counter.attempt("gateway", "check a code in Hubei", verify("gateway", "420000", token), "ADMIT", by=carries)
    counter.attempt("gateway", "check a code in Guangdong", verify("gateway", "440000", token), _DENIED, by=carries)


def _operate(counter: Counter) -> None:
    operator, nation, ops = (counter.operates(name) for name in ("operator", "nation", "ops"))
    counter.attempt("operator", "publish a status", lambda: _publish(operator, "420000"), "published")
    counter.attempt("operator", "publish for Guangdong", lambda: _publish(operator, "440000"), "NOT_PERMITTED")
    reports: list[str] = []

    def report() -> str:
        begins = datetime.now(UTC) + timedelta(minutes=1)
        filed = operator.report_exception(
            host_region="420000",
            home_region="360000",
            reason="a bridge is closed",
            effective_from=begins,
            effective_until=begins + timedelta(hours=2),
        )
        reports.append(filed.id)
        return "REPORTED"

    def acknowledge(client: OperatorClient) -> Callable[[], str]:
        return lambda: _word(client.acknowledge_exception(reports[-1]), "state").removeprefix("EXCEPTION_STATE_")

    counter.attempt("operator", "report an exception", report, "REPORTED")
    counter.attempt("operator", "acknowledge it", acknowledge(operator), _DENIED)
    counter.attempt("nation", "acknowledge it", acknowledge(nation), "ACKNOWLEDGED")
    counter.attempt(
        "ops", "list exceptions", lambda: f"{len([*ops.exceptions(home_region='360000')])} found", "1 found"
    )
    counter.attempt("ops", "publish a status", lambda: _publish(ops, "420000"), _DENIED)


def _revoke(counter: Counter, credentials: Credentials, code: bytes) -> None:
    client = counter.scans("scanner")
    counter.attempt("scanner", "check a code in Hubei", lambda: _decision(client, code, "420000"), "ADMIT")
    credentials.revoke("scanner")
    deadline_s = time.monotonic() + _REVOKED_WITHIN_S

    def verify_until_refused() -> str:
        while time.monotonic() < deadline_s:
            decision = _decision(client, code, "420000")
            time.sleep(0.1)
        return decision

    revoked = "CERTIFICATE_REVOKED", "CERTIFICATE_REFUSED"
    counter.attempt("scanner", "go on, with a revoked certificate", verify_until_refused, *revoked)


def _short(refused: ServerError) -> str:
    """Return the server's words, or the reason where gRPC has added its own."""
    return str(refused) if refused.code != "UNAVAILABLE" else f"{refused.code}: {refused.reason or refused}"


def _decision(client: OnecodeClient, code: bytes, host: str) -> str:
    verdict = client.verify(code, host).verdict
    return _word(verdict, "decision").removeprefix("DECISION_")


def _publish(client: OperatorClient, publisher: str) -> str:
    """Publish a record. Raises ServerError where it is rejected, too."""
    record = status_record(
        {
            "publisher": publisher,
            "subject": {"local": {"region": publisher, "id": "zheng"}},
            "level": "YELLOW",
            "scope": "NATIONAL",
            "revision": 1,
            "effective_at": datetime.now(UTC).isoformat(),
        }
    )
    for answer in client.publish([record]):
        for rejected in answer.rejections:
            raise ServerError("REJECTED", rejected.message, _word(rejected, "reason").removeprefix("REJECTION_REASON_"))
    return "published"


def _word(message: Any, field: str) -> str:
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    return str(enum.values_by_number[getattr(message, field)].name)
