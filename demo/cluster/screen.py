"""The state of the cluster as tables, and as one line where there is no terminal."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from demo.cluster.machine import Report

KEYS: Final = "b kill a broker   p pause it, or go on   s kill a machine   r start what is away   q end"
_COLOURS: Final = {
    "up": "green",
    "serving": "green",
    "equal": "green",
    "CURRENT": "green",
    "paused": "yellow",
    "catching up": "yellow",
    "starting": "yellow",
    "STALE": "yellow",
}


class BrokerRow(NamedTuple):
    """A broker, and the number of partitions that it leads, None where no broker tells."""

    number: int
    state: str
    leads: int | None


class MachineRow(NamedTuple):
    """A machine. ``lag`` is messages, ``confirmed_age_s`` of the partition that was confirmed longest ago."""

    number: int
    state: str
    lag: int | None
    confirmed_age_s: float | None
    digests: str
    codes_per_s: float


class View(NamedTuple):
    """All that is shown at a moment. Delays are from a publication to another machine's showing it, in seconds."""

    running_s: float
    brokers: Sequence[BrokerRow]
    machines: Sequence[MachineRow]
    published: int
    refused: int
    seen: int
    delay_p50_s: float | None
    delay_p99_s: float | None
    statuses: dict[str, int]
    events: Sequence[str]


def machine_row(number: int, is_running: bool, report: Report | None, equal: str, codes_per_s: float) -> MachineRow:
    """Return the row of a machine, by what its server says."""
    if not is_running:
        return MachineRow(number, "killed", None, None, "-", 0.0)
    if report is None:
        return MachineRow(number, "starting", None, None, "-", codes_per_s)
    is_well = report.stopped is None and report.fault is None
    state = "serving" if is_well else "stopped" if report.stopped else "no log"
    return MachineRow(number, state, report.lag, report.confirmed_age_s, equal, codes_per_s)


def compared(reports: Sequence[Report | None]) -> list[str]:
    """Return for each machine whether its digests, of which that of decisions covers the audit record, are those that
    most machines show: they differ for a moment while machines apply a change one after the other."""
    shown = [report.digests for report in reports if report is not None]
    usual = max(shown, key=shown.count, default=())
    words = []
    for report in reports:
        if report is None:
            words.append("-")
        elif report.differs_from:
            words.append("DIFFERENT")
        else:
            words.append("equal" if report.digests == usual else "catching up")
    return words


def table(view: View) -> RenderableType:
    """Return the tables, of 100 columns and fewer than 30 lines."""
    brokers = _table("broker", "state", "leads partitions")
    for broker in view.brokers:
        brokers.add_row(str(broker.number), _word(broker.state), _number(broker.leads))
    machines = _table("machine", "state", "lag", "confirmed", "digests and audit", "codes/s")
    for machine in view.machines:
        cells = (_number(machine.lag), _age(machine.confirmed_age_s), _word(machine.digests))
        machines.add_row(str(machine.number), _word(machine.state), *cells, f"{machine.codes_per_s:,.0f}")
    traffic = _table("records", "acknowledged", "seen on all", "not acknowledged", "p50", "p99")
    delays = (_delay(view.delay_p50_s), _delay(view.delay_p99_s))
    traffic.add_row("", f"{view.published:,}", f"{view.seen:,}", f"{view.refused:,}", *delays)
    statuses = _table("codes", *(name for name in view.statuses))
    statuses.add_row("", *(f"{count:,}" for count in view.statuses.values()))
    title = Text(f"onecode on three machines, {view.running_s:.0f} s", "bold")
    keys = Text(KEYS, "dim")
    events = [Text(event, no_wrap=True, overflow="ellipsis") for event in view.events]
    return Group(title, "", brokers, "", machines, "", traffic, "", statuses, "", keys, *events)


def line(view: View) -> str:
    """Return all of it as one line."""
    machines = view.machines
    parts = (
        f"{view.running_s:.0f} s",
        f"brokers {' '.join(broker.state for broker in view.brokers)}",
        f"leads {' '.join(_number(broker.leads) for broker in view.brokers)}",
        f"machines {' '.join(machine.state.replace(' ', '-') for machine in machines)}",
        f"lag {' '.join(_number(machine.lag) for machine in machines)}",
        f"confirmed {' '.join(_age(machine.confirmed_age_s) for machine in machines)}",
        f"digests {' '.join(machine.digests.replace(' ', '-') for machine in machines)}",
        f"codes/s {' '.join(f'{machine.codes_per_s:.0f}' for machine in machines)}",
        f"acknowledged {view.published} seen {view.seen} refused {view.refused}",
        f"p50 {_delay(view.delay_p50_s)} p99 {_delay(view.delay_p99_s)}",
        " ".join(f"{name} {count}" for name, count in view.statuses.items()),
    )
    return " | ".join(parts)


def _table(*columns: str) -> Table:
    made = Table(box=None, padding=(0, 3, 0, 0), header_style="bold", pad_edge=False)
    for place, column in enumerate(columns):
        made.add_column(column, min_width=9, justify="left" if place < 2 and column != "acknowledged" else "right")
    return made


def _word(text: str) -> Text:
    return Text(text, _COLOURS.get(text, "" if text == "-" else "bold red"))


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _age(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds:.1f}s"


def _delay(seconds: float | None) -> str:
    return "?" if seconds is None else f"{seconds * 1000:,.0f}ms"
