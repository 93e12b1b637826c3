"""The screen: it fits a terminal, says what is wrong first, and shows no control character of a page."""

from datetime import UTC, datetime

import pytest
from rich.console import Console

from onecode_server.cli.top.pages import Interval
from onecode_server.cli.top.screen import Row, Shown, screen
from onecode_server.cli.top.state import state_of
from onecode_server.telemetry.metrics import Metrics

from tests.unit.cli.top.pages_of import page_of

AT = datetime(2030, 1, 1, tzinfo=UTC)


def busy(**faults):
    """Return the state of a server with large numbers."""
    metrics = Metrics()
    before = page_of(metrics, 0)
    metrics.verdicts.labels("ADMIT", "VALID").inc(1_234_567)
    metrics.rpc_seconds.labels("unary", "onecode.v1.RecognitionService", "Verify").observe(0.0123)
    metrics.rpc_handled.labels("unary", "s", "Verify", "OK").inc(999_999)
    metrics.front_info.labels("native", "").set(64)
    metrics.signatures.labels("native").inc(1)
    metrics.list_version.set(12345)
    metrics.list_next_update.set(AT.timestamp() + 90_000)
    metrics.queued.set(16_384)
    for name, value in faults.items():
        getattr(metrics, name).set(value)
    return state_of([Interval(before, page_of(metrics, 10))], AT.timestamp())


def lines_of(shown, columns=80, lines=None):
    console = Console(width=columns, height=lines, emoji=False, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(screen(shown, lines))
    return captured.get().splitlines()


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40)])
@pytest.mark.parametrize("servers", [1, 3, 64])
def test_it_fits_the_terminal_with_any_number_of_servers(columns, lines, servers):
    states = [(f"127.0.0.1:{50_000 + number}", None, busy()) for number in range(servers)]
    shown = lines_of(Shown(AT, states, busy()), columns, lines)
    assert len(shown) <= lines
    assert max(map(len, shown)) <= columns
    assert "123,457" in "".join(shown)
    assert ("more are counted in all" in "".join(shown)) == (servers == 64)


def test_servers_with_faults_are_shown_where_not_all_can_be():
    states: list[Row] = [(f"server-{number}:1", None, busy()) for number in range(60)]
    states += [("bad:1", None, busy(store_write_fault=1)), ("gone:1", "Connection refused", None)]
    shown = "\n".join(lines_of(Shown(AT, states, busy()), 80, 24))
    assert "bad:1: the store cannot be written" in shown
    assert "gone:1: Connection refused" in shown
    assert shown.count("down") == 4
    assert "62 servers, 1 down" in shown


def test_many_faults_do_not_push_the_tables_away():
    states = [(f"gone-{number}:1", "Connection refused", None) for number in range(30)]
    shown = lines_of(Shown(AT, states, None), 80, 24)
    assert len(shown) <= 24
    assert "and 25 more: --json has all" in "\n".join(shown)


def test_no_byte_of_a_page_reaches_the_terminal_as_a_control_character():
    metrics = Metrics()
    before = page_of(metrics, 0)
    for counter in (metrics.refused_calls, metrics.unauthenticated, metrics.store_failures, metrics.signatures):
        counter.labels("\x1b]0;x\x07[bold]\u202e").inc()
    metrics.front_info.labels("\x1b[2J", "").set(1)
    metrics.identity_files_fault.labels("\x9b31m\r").set(1)
    state = state_of([Interval(before, page_of(metrics, 1))], AT.timestamp())
    shown = "\n".join(lines_of(Shown(AT, [("a\x1b[31m:1", "no\x07", state)], state), 300))
    assert not any(c in shown for c in "\x1b\x07\x9b\r\u202e")
    assert "[bold]" in shown  # markup of rich is text
