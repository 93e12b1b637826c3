"""What it costs to know a caller and its rights: ``python -m benchmarks.rights``.

In this process, without a network: a call's caller is found as each call's is, has the right to check at all, and then
the right to check for its host. What it has shown was seen before, as on all calls of a connection but the first. What
gRPC takes to tell it (2.6 us for ``auth_context`` with a certificate, 1.1 us for the metadata) is left out.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple, Self

import click

from onecode_server.access import Access
from onecode_server.cli import output
from onecode_server.model.identity import Role
from onecode_server.rpc.caller_limits import CallerLimits
from onecode_server.rpc.callers import NO_LIMITS, Callers, shown_to_grpc
from onecode_server.rules.authorisation import Right
from onecode_server.settings.config import Settings
from onecode_server.settings.limits import Limit
from onecode_server.telemetry.metrics import Metrics

from benchmarks.shown import CALLER, Authority
from benchmarks.workload import HOST_REGION

CALLS: Final = 5_000
ROUNDS: Final = 7
BAR_US: Final = 3.0
HEADERS: Final = ("shown", "us of CPU a call", "lowest", "highest", "with limits")


class Context(NamedTuple):
    """Stands in for gRPC's context of a call; its own cost is subtracted. ``python -m benchmarks.secured`` has all."""

    certificate: bytes | None
    metadata: tuple[tuple[str, str], ...]

    def again(self) -> Self:
        """Return the context of another call with the same: gRPC makes the objects anew for each call."""
        certificate = None if self.certificate is None else bytes(bytearray(self.certificate))
        metadata = tuple((name, value.encode().decode()) for name, value in self.metadata)
        return self._replace(certificate=certificate, metadata=metadata)

    def read(self) -> None:
        """Do what gRPC's context does while a caller is found, and nothing else."""
        self.auth_context()
        self.invocation_metadata()

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return what TLS has found out."""
        return {} if self.certificate is None else {"x509_pem_cert": [self.certificate]}

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return what the caller has sent."""
        return self.metadata

    def peer(self) -> str:
        """Return where the caller is, as gRPC writes it."""
        return "ipv4:192.0.2.7:40000"

    def time_remaining(self) -> None:
        """Return that the call has no deadline."""


def contexts(directory: Path, authority: Authority) -> dict[str, Context]:
    """Return calls with what callers can show."""
    authority.issue("gateway", "--role", "gateway", "--name", "gate-7")
    caller, gateway = ((directory / f"{name}.crt").read_bytes() for name in ("caller", "gateway"))
    bearer = (("user-agent", "grpc-python/1.85.1"), ("authorization", f"Bearer {authority.token()}"))
    return {
        "a certificate": Context(caller, bearer[:1]),
        "a token": Context(None, bearer),
        "a gateway's certificate and a token": Context(gateway, bearer),
    }


def callers(directory: Path, limits: CallerLimits) -> Callers:
    """Return what finds callers."""
    settings = Settings(
        data_dir=directory,
        tls_cert=directory / "server.crt",
        tls_key=directory / "server.key",
        tls_client_ca=directory / "ca.crt",
        tls_crl=directory / "ca.crl",
        token_keys=directory / "jwks.json",
    )
    regions = {HOST_REGION: None}
    return Callers(Access(settings, Metrics(), lambda: regions), shown_to_grpc, limits)


def find(found: Callers, context: Any) -> None:
    """Do for one call what each call has done for it."""
    caller = found.find(context, Right.CHECK) or found.meet(context, Right.CHECK)
    caller.expect(Right.CHECK, HOST_REGION)
    caller.leave()


def cost_us(work: Callable[[Any], None], context: Context) -> list[float]:
    """Return the microseconds of CPU for a call, of each round."""
    found = []
    for _ in range(ROUNDS):
        calls = [context.again() for _ in range(CALLS)]
        before_s = time.process_time()
        for call in calls:
            work(call)
        found.append((time.process_time() - before_s) / CALLS * 1e6)
    return sorted(found)


@click.command()
def main() -> None:
    """Measure how long it takes to find a caller, and its right to check for its region."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="onecode-rights-") as temporary:
        directory = Path(temporary) / "certs"
        authority = Authority.make(directory)
        limits = CallerLimits({Role.SCANNER: Limit(10**9, 10**6)}, time.monotonic, lambda _, __: None)
        unlimited, limited = callers(directory, NO_LIMITS), callers(directory, limits)
        for name, context in contexts(directory, authority).items():
            stand_in = median(cost_us(Context.read, context))
            costs = [cost - stand_in for cost in cost_us(partial(find, unlimited), context)]
            with_limits = median(cost_us(partial(find, limited), context)) - stand_in
            rows.append((name, *(f"{cost:.2f}" for cost in (median(costs), costs[0], costs[-1], with_limits))))
    output.print_table(f"The check of rights (bar: {BAR_US:g} us), of {' '.join(CALLER[1::2])}", HEADERS, rows)


if __name__ == "__main__":
    main()
