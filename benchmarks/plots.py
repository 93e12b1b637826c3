"""Three pictures of a run: against the bars, against the peers, and what a caller waits beside large batches."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.latency import LARGE_BATCH, Waits
from benchmarks.measures import Measure

try:
    import matplotlib as mpl
except ImportError:
    raise SystemExit("the plots need Matplotlib: run `make bench`, which installs it") from None

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

# Okabe and Ito's colours, which people who see fewer can tell apart.
_COLOURS: Final = {"aim met": "#009E73", "bar met": "#56B4E9", "short": "#D55E00"}
_SERVERS: Final = {
    "onecode": ("#0072B2", "onecode"),
    "grpc.aio": ("#009E73", "onecode without the native front"),
    "first try": ("#E69F00", "first try: grpc.aio, PyNaCl"),
    "go": ("#56B4E9", "grpc-go, crypto/ed25519"),
    "rust": ("#D55E00", "tonic, ed25519-dalek"),
    "echo": ("#BBBBBB", "echo, which checks nothing"),
}
_SHOWN_OF_BAR: Final = 0.1
"""What is shorter of its bar than this is drawn as an arrow: the others would have no room."""
_GREY: Final = "#666666"


def draw(results: Mapping[str, Any], measures: Iterable[Measure], waits: Waits, directory: Path) -> None:
    """Draw ``measures.png``, ``peers.png`` and ``waits.png``."""
    style: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11}
    where = f"{results['processor']}, {results['date'][:10]}"
    front = {"native": "native front", "grpc": "grpc.aio"}[results["front"]]
    source = f"{where}, {front}, medians of {results['rounds']} rounds"
    with mpl.rc_context(style):
        _draw_measures([one for one in measures if one.value], source, directory / "measures.png")
        _draw_peers(results["cases"], source, directory / "peers.png")
        _draw_waits(results["waits"], waits, where, directory / "waits.png")


def _draw_measures(measures: list[Measure], source: str, file: Path) -> None:
    """Draw each measure as what it is of its bar: to the right of 1 is good, whatever the unit."""
    figure, axis = plt.subplots(figsize=(10, 0.42 * len(measures) + 1.6), layout="constrained")
    places = range(len(measures))
    for place, one in zip(places, measures, strict=True):
        of_bar, colour = _of_bar(one, one.value), _COLOURS[one.standing]
        end, marker = (of_bar, "o") if of_bar > _SHOWN_OF_BAR else (_SHOWN_OF_BAR, "<")
        axis.plot([1, end], [place, place], color=colour, linewidth=7, solid_capstyle="butt")
        axis.plot(end, place, marker, color=colour, markersize=9)
        if one.aim is not None:
            axis.plot(_of_bar(one, one.aim), place, "|", color="black", markersize=15, markeredgewidth=1.5)
        unit = {"x": "×", "s": " s", "MB": " MB"}.get(one.unit, " a CPU s")
        axis.annotate(
            f"{one.shown(one.value)}{unit}  (bar {'≤ ' if one.is_ceiling else ''}{one.shown(one.bar)})",
            (1.015, place),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
    axis.axvline(1, color="black", linewidth=1)
    values = [_of_bar(one, one.value) for one in measures] + [_of_bar(one, one.aim) for one in measures if one.aim]
    axis.set(xscale="log", xlim=(min(0.5, max(_SHOWN_OF_BAR, min(values)) * 0.85), max(2, max(values) * 1.2)))
    ticks = [
        tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if axis.get_xlim()[0] <= tick <= axis.get_xlim()[1]
    ]
    axis.set_xticks(ticks, ["the bar" if tick == 1 else f"{tick:g}×" for tick in ticks])
    axis.minorticks_off()
    axis.set_yticks(places, [one.title for one in measures])
    axis.tick_params(axis="y", length=0)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.25)
    marks = [
        *(Line2D([], [], color=colour, linewidth=7, label=name) for name, colour in _COLOURS.items()),
        Line2D([], [], color="black", marker="|", markersize=12, markeredgewidth=1.5, linestyle="", label="the aim"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"What the project holds itself to: to the right of the bar is better\n{source}", fontsize=10)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _of_bar(one: Measure, value: float | None) -> float:
    if not value:
        raise ValueError(f"{one.key}: nothing to draw")
    return one.bar / value if one.is_ceiling else value / one.bar


def _draw_peers(found: Mapping[str, Any], source: str, file: Path) -> None:
    """Draw answers to a second of CPU, a bar for each server, grouped by what was asked."""
    shown = {
        case: {name: rounds for name, rounds in one["servers"].items() if name in _SERVERS}  # TLS has measures alone
        for case, one in found.items()
        if "two workers" not in one["servers"]
    }
    rows = sum(len(servers) for servers in shown.values()) + len(shown)
    figure, axis = plt.subplots(figsize=(10, 0.24 * rows + 1.4), layout="constrained")
    place, middles = 0.0, []
    for servers in shown.values():
        middles.append(place + (len(servers) - 1) / 2)
        for name, one in servers.items():
            _draw_bar(axis, place, name, one)
            place += 1
        place += 0.9
    axis.set(xscale="log", xlabel="answers a second of the server's CPU (a line: lowest and highest round)")
    axis.set_yticks(middles, list(shown))
    axis.tick_params(axis="y", length=0)
    lowest = min(one["rate"] for servers in shown.values() for one in servers.values())
    axis.set_xlim(lowest / 2.5, axis.get_xlim()[1] * 1.6)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.25)
    axis.set_axisbelow(True)
    names = {name for servers in shown.values() for name in servers}
    marks = [
        Line2D([], [], color=colour, linewidth=7, label=label)
        for name, (colour, label) in _SERVERS.items()
        if name in names
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"The same codes, the same machine, in turns\n{source}", fontsize=10)
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _draw_bar(axis: Axes, place: float, name: str, one: Mapping[str, Any]) -> None:
    colour, _ = _SERVERS[name]
    rates = [each["codes"] / each["cpu_s"] for each in one["rounds"]]
    axis.barh(place, one["rate"], color=colour, height=0.86)
    axis.plot([min(rates), max(rates)], [place, place], color="black", linewidth=1)
    weight = "bold" if name == "onecode" else "normal"
    axis.annotate(
        f"{one['rate']:,}", (max(rates), place), (5, 0), textcoords="offset points", va="center", weight=weight, size=8
    )


def _draw_waits(summary: Mapping[str, Any], waits: Waits, source: str, file: Path) -> None:
    """Draw, for each share of the calls, how long the slowest of them took: the tail is as wide as the middle."""
    figure, axis = plt.subplots(figsize=(8, 4.4), layout="constrained")
    kinds = (
        ("alone", waits.alone, "#0072B2", summary["p99_ms_alone"]),
        (f"beside batches of {LARGE_BATCH:,}", waits.beside_batches, "#D55E00", summary["p99_ms_beside_batches"]),
    )
    for kind, runs, colour, p99_ms in kinds:
        for number, latencies_s in enumerate(runs):
            slowest = sorted(latencies_s, reverse=True)
            beyond = [(place + 1) / len(slowest) for place in range(len(slowest))]
            label = f"{kind}: p99 {p99_ms:,.1f} ms" if not number else None
            axis.plot(beyond, [one * 1e3 for one in slowest], color=colour, alpha=0.55, linewidth=1.4, label=label)
        axis.plot(0.01, p99_ms, "o", color=colour, markeredgecolor="white", markersize=8, zorder=3)
    axis.set(xscale="log", yscale="log", xlabel="of the calls", ylabel="took at most, ms")
    axis.set_xlim(1, 0.002)
    ticks = (1, 0.5, 0.1, 0.05, 0.01, 0.002)
    axis.set_xticks(ticks, ["the fastest", "50 %", "90 %", "95 %", "99 %", "99.8 %"])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.axvline(0.01, color=_GREY, linewidth=0.8, linestyle=":")
    axis.grid(alpha=0.25)
    fastest_ms = min(min(latencies_s) for runs in (waits.alone, waits.beside_batches) for latencies_s in runs) * 1e3
    axis.set_ylim(bottom=fastest_ms / 2)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axis.set_title(
        f"{summary['calls_per_s']} single calls a second, a line a run: p99 is {summary['ratio']:.1f} times as long"
        f"\n{source}",
        fontsize=10,
    )
    figure.savefig(file, dpi=150)
    plt.close(figure)
