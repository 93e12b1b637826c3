"""What ``onecode top`` shows: three tables with a row for each server, and the faults. It fits 80 columns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from onecode_server.cli.printable import printable
from onecode_server.cli.top.faults import faults
from onecode_server.cli.top.figures import UNKNOWN, count, duration, share, size
from onecode_server.cli.top.state import NOT_CURRENT, State

NAME_COLUMNS: Final = 21
"""The width of an address with a port."""
FAULTS_MAX: Final = 6
"""Lines of faults and refusals on a screen; the rest is counted."""
ALL: Final = "all"

Row = tuple[str, str | None, State | None]


class Shown(NamedTuple):
    """What there is to show: for each server its name, why it has no page, and its state; and the state of all."""

    at: datetime
    servers: Sequence[Row]
    together: State | None


_Column = tuple[str, int, Callable[[State], str]]
"""The title, the least width (so that columns stay where they are), and what stands in it."""


def _current(state: State) -> str:
    current, *others = (state.statuses_per_s.get(name, 0.0) for name in ("CURRENT", *NOT_CURRENT))
    return share(current, current + sum(others))


def _names(found: Mapping[str, float]) -> str:
    return printable(", ".join(found)) or UNKNOWN


def _verdict(name: str) -> Callable[[State], str]:
    return lambda state: share(state.verdicts_per_s[name], state.codes_per_s)


_CALLS: Final[tuple[_Column, ...]] = (
    ("codes/s", 7, lambda state: count(state.codes_per_s)),
    ("ADMIT", 6, _verdict("ADMIT")),
    ("CHECK", 6, _verdict("CHECK")),
    ("REFUSE", 6, _verdict("REFUSE")),
    ("calls/s", 7, lambda state: count(state.calls_per_s)),
    ("p50", 6, lambda state: duration(state.latency_p50_s)),
    ("p99", 6, lambda state: duration(state.latency_p99_s)),
    ("queue", 6, lambda state: count(state.queue_codes)),
)
_FRESHNESS: Final[tuple[_Column, ...]] = (
    ("list", 5, lambda state: UNKNOWN if state.trust_list_version is None else f"{state.trust_list_version:.0f}"),
    ("age", 6, lambda state: duration(state.trust_list_age_s)),
    ("left", 6, lambda state: duration(state.trust_list_left_s)),
    ("cert", 5, lambda state: duration(state.certificate_left_s)),
    ("current", 7, _current),
    ("feed", 5, lambda state: duration(state.change_feed_age_s)),
    ("exceptions", 10, lambda state: count(state.exceptions_in_effect)),
    ("ends", 5, lambda state: duration(state.exceptions_next_end_s)),
)
_PROCESSES: Final[tuple[_Column, ...]] = (
    ("workers", 7, lambda state: count(state.workers_serving)),
    ("restarts", 8, lambda state: count(state.worker_restarts)),
    ("front", 6, lambda state: _names(state.front)),
    ("kernel", 6, lambda state: _names({name: rate for name, rate in state.signatures_per_s.items() if rate})),
    ("CPU", 4, lambda state: count(state.cpu_cores)),
    ("memory", 8, lambda state: size(state.resident_bytes)),
    ("disk free", 9, lambda state: size(state.store_disk_free_bytes)),
)


def screen(shown: Shown, lines_max: int | None = None) -> RenderableType:
    """Return what to show, in at most ``lines_max`` lines where there are so many. Servers with faults come first
    where not all can be shown."""
    notes = [*_notes(shown)]
    if len(notes) > FAULTS_MAX:
        notes = [*notes[: FAULTS_MAX - 1], Text(f"and {len(notes) - FAULTS_MAX + 1} more: --json has all")]
    rows, left_out = list(shown.servers), 0
    if lines_max is not None:
        # Beside the servers: the head, the notes and a line before, a line for servers that are left out, and for each
        # table an empty line, the titles and the line for all.
        places = max(1, (lines_max - 3 - len(notes) - 3 * 3) // 3)
        left_out = max(0, len(rows) - places)
        rows = sorted(rows, key=_is_well)[:places] if left_out else rows
    if len(shown.servers) > 1:
        rows.append((ALL, None, shown.together))
    parts: list[RenderableType] = [_head(shown)]
    for columns in (_CALLS, _FRESHNESS, _PROCESSES):
        parts += ["", _table(columns, rows)]
    if left_out:
        parts.append(Text(f"{left_out} more are counted in {ALL}: a larger window or --json shows them", "dim"))
    return Group(*parts, *([""] if notes else []), *notes)


def _is_well(row: Row) -> bool:
    _, problem, state = row
    return problem is None and state is not None and not any(faults(state))


def _head(shown: Shown) -> Text:
    down = sum(problem is not None for _, problem, _ in shown.servers)
    head = Text("onecode top", "bold")
    number = len(shown.servers)
    head.append(f"  {number} server{'s' if number > 1 else ''}", "default")
    head.append(f", {down} down" if down else ", all up", "bold red" if down else "green")
    return head.append(f"  {shown.at:%H:%M:%S} UTC", "dim")


def _table(columns: Sequence[_Column], rows: Iterable[Row]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("server", width=NAME_COLUMNS, no_wrap=True, overflow="ellipsis")
    for title, width, _ in columns:
        table.add_column(title, justify="right", no_wrap=True, min_width=width)
    for name, problem, state in rows:
        style = "bold" if name == ALL else ""
        if problem is not None:
            table.add_row(Text(printable(name), "red"), Text("down", "bold red"))
        elif state is None:
            table.add_row(printable(name), Text("…", "dim"))
        else:
            table.add_row(Text(printable(name), style), *(Text(cell(state), style) for _, _, cell in columns))
    return table


def _notes(shown: Shown) -> Iterable[Text]:
    """Yield a line for each server without a page, for each fault, and for each kind of refusal."""
    for name, problem, state in shown.servers:
        where = f"{printable(name)}: "
        if problem is not None:
            yield Text(f"{where}{printable(problem)}", "red", no_wrap=True, overflow="ellipsis")
        for fault in faults(state) if state is not None else ():
            yield Text(f"{where}{printable(fault)}", "yellow", no_wrap=True, overflow="ellipsis")
    if shown.together is not None:
        yield from _refusals(shown.together)


def _refusals(state: State) -> Iterable[Text]:
    kinds = {
        "refused calls": state.refused_calls_per_s,
        "limited callers": state.limited_calls_per_s,
        "without identity": state.unauthenticated_calls_per_s,
    }
    for kind, rates in kinds.items():
        if some := [f"{name} {rate:,.1f}/s" for name, rate in sorted(rates.items()) if rate]:
            yield Text(f"{kind}: {printable(', '.join(some))}", no_wrap=True, overflow="ellipsis")
