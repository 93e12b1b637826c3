"""What a person should look at, in the state of a server: one line for each fault."""

from collections.abc import Iterator, Mapping
from typing import Final

from onecode_server.cli.top.figures import duration
from onecode_server.cli.top.state import NOT_CURRENT, State
from onecode_server.rules.freshness import CURRENT_S

DAY_S: Final = 86_400.0
"""Time left below which a trust list or a certificate is a fault: whoever renews it needs some hours."""


def faults(state: State) -> Iterator[str]:
    """Yield a line for each fault that is there now, the worst first."""
    yield from _trust(state)
    yield from _store(state)
    yield from _processes(state)
    yield from _calls(state)


def _trust(state: State) -> Iterator[str]:
    if state.trust_list_unread_s:
        yield f"the trust list's file has not been readable for {duration(state.trust_list_unread_s)}"
    elif state.trust_list_fault:
        yield "the trust list's file was refused: the last good list stays in force"
    yield from _left("the trust list should have been replaced", "the trust list", state.trust_list_left_s)
    yield from _left("the server's certificate has expired", "the server's certificate", state.certificate_left_s)
    for file in state.identity_files_fault:
        yield f"the file of {file} cannot be taken"
    if state.gateway_keys_fault:
        yield "a gateway key cannot be read, or its token does not sign"


def _left(over: str, what: str, left_s: float | None) -> Iterator[str]:
    if left_s is not None and left_s <= 0:
        yield f"{over} {duration(-left_s)} ago"
    elif left_s is not None and left_s < DAY_S:
        yield f"{what} has {duration(left_s)} left"


def _store(state: State) -> Iterator[str]:
    if state.store_write_fault:
        yield "the store cannot be written"
    if failing := _rising(state.store_failures_per_s):
        yield f"the store fails: {failing}"
    for reason in state.log_faults:
        yield f"the log has a fault: {reason}"
    if state.log_confirmed_age_s is not None and state.log_confirmed_age_s > CURRENT_S:
        yield f"a partition of the log has not been confirmed for {duration(state.log_confirmed_age_s)}"
    if stale := _rising({name: state.statuses_per_s.get(name, 0.0) for name in NOT_CURRENT}):
        yield f"statuses are not current: {stale}"


def _processes(state: State) -> Iterator[str]:
    if state.workers_serving == 0:
        yield "no worker serves"
    if state.worker_restarts_per_s:
        yield "a worker has ended and was replaced"
    if state.signature_backend_fault:
        yield "PyNaCl checks signatures, since the faster backend was wrong"
    if state.shadow_disagreements:
        yield f"{state.shadow_disagreements:,.0f} signatures on which PyNaCl disagreed"
    if state.check_bugs:
        yield f"{state.check_bugs:,.0f} codes refused because the check itself failed"


def _calls(state: State) -> Iterator[str]:
    if state.failed_calls_per_s:
        yield f"calls fail by the server's fault: {state.failed_calls_per_s:,.1f}/s"
    if state.refused_codes_per_s:
        yield f"codes are refused for want of capacity: {state.refused_codes_per_s:,.1f}/s"


def _rising(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {rate:,.1f}/s" for name, rate in sorted(found.items()) if rate)
