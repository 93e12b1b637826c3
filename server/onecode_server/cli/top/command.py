"""The command ``onecode top``: reads pages again and again, and shows what they say."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from onecode_server.cli import output
from onecode_server.cli.printable import printable
from onecode_server.cli.target import PagesTarget, reads_pages
from onecode_server.cli.top.faults import faults
from onecode_server.cli.top.http_page import PageCredentials, Url, fetch, open_pages
from onecode_server.cli.top.pages import Page
from onecode_server.cli.top.screen import Shown, screen
from onecode_server.cli.top.state import State, state_of
from onecode_server.cli.top.watched import Watched
from onecode_server.errors import Misconfigured, OnecodeError

SERVERS_MAX: Final = 64
"""Each is a connection and a page a second. Prometheus is for more."""


@click.command()
@reads_pages
@click.option("--once", is_flag=True, help="Read the pages twice, an --interval apart, show that, and end.")
@click.option("--json", "as_json", is_flag=True, help="One object a line, for each time.")
@click.option(
    "--interval",
    "interval_s",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.2, 3600),
    help="Seconds between two readings.",
)
def top(target: PagesTarget, *, once: bool, as_json: bool, interval_s: float) -> None:
    """Show what servers do now, by their metrics pages (--metrics of serve): 127.0.0.1:9464 unless others are given.

    Ctrl-C ends it. With --once the status is 1 where a page could not be read.
    """
    if len(target.pages) > SERVERS_MAX:
        raise Misconfigured(f"{len(target.pages)} pages: at most {SERVERS_MAX} can be watched")
    urls, credentials = open_pages(target)
    watched = [Watched(url.shown, _fetching(url, credentials)) for url in urls]
    try:
        if once:
            asyncio.run(_once(watched, interval_s, as_json=as_json))
        else:
            asyncio.run(_live(watched, credentials, interval_s, as_json=as_json))
    except KeyboardInterrupt:
        if once:
            raise


def _fetching(url: Url, credentials: PageCredentials) -> Callable[[], Awaitable[Page]]:
    return lambda: fetch(url, credentials)


async def _once(watched: list[Watched], interval_s: float, *, as_json: bool) -> None:
    for pause_s in (interval_s, 0):
        await asyncio.gather(*(one.look() for one in watched))
        await asyncio.sleep(pause_s)
    shown = _shown(watched)
    if as_json:
        output.print_json(_as_json(shown))
    else:
        _plain().print(screen(shown))
    if down := [f"{one.name}: {one.problem}" for one in watched if one.problem]:
        raise OnecodeError("; ".join(down))


async def _live(watched: list[Watched], credentials: PageCredentials, interval_s: float, *, as_json: bool) -> None:
    """Look and show until the person ends it. Each server has its own task: one that hangs holds up no other."""
    looking = [asyncio.create_task(_look(one, interval_s)) for one in watched]
    console = Console(emoji=False)
    try:
        with _display(console, as_json=as_json) as show:
            while True:
                await asyncio.sleep(interval_s)
                for task in looking:
                    if task.done():  # by a bug: else it never ends
                        task.result()
                credentials.renew()
                show(_shown(watched))
    finally:
        for task in looking:
            task.cancel()


@contextmanager
def _display(console: Console, *, as_json: bool) -> Iterator[Callable[[Shown], None]]:
    """Yield a function that shows a moment: in place on a terminal, below the last one elsewhere."""
    if as_json:
        yield lambda shown: output.print_json(_as_json(shown))
    elif not console.is_terminal:
        yield lambda shown: _plain().print(screen(shown))
    else:
        with Live(Text("reading"), console=console, screen=True, auto_refresh=False) as live:
            yield lambda shown: live.update(screen(shown, console.height), refresh=True)


async def _look(one: Watched, interval_s: float) -> None:
    while True:
        begun_s = time.monotonic()
        await one.look()
        await asyncio.sleep(max(0.0, interval_s - (time.monotonic() - begun_s)))


def _plain() -> Console:
    """Return a console for a file or a pipe, which has no width of its own."""
    console = Console(emoji=False)
    if not console.is_terminal:
        console.width = output.PIPE_COLUMNS
    return console


def _shown(watched: list[Watched]) -> Shown:
    now_s = time.time()
    intervals = [(one, one.interval) for one in watched]
    states = [(one.name, one.problem, state_of([it], now_s) if it else None) for one, it in intervals]
    known = [it for _, it in intervals if it]
    return Shown(datetime.fromtimestamp(now_s, UTC), states, state_of(known, now_s) if known else None)


def _as_json(shown: Shown) -> dict[str, Any]:
    return {
        "at": shown.at.isoformat(timespec="milliseconds"),
        "servers": [
            {"server": printable(name), "up": problem is None, "problem": problem, "state": _members(state)}
            for name, problem, state in shown.servers
        ],
        "all": _members(shown.together),
    }


def _members(state: State | None) -> dict[str, Any] | None:
    return None if state is None else {**asdict(state), "faults": list(faults(state))}
