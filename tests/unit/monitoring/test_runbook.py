"""docs/runbook.md has an entry for each alert, and what the entries name is there."""

import re
from pathlib import Path

import click
import pytest

from onecode_server.cli.main import onecode

from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.model import anchor

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "runbook.md").read_text("utf-8")
PARTS = ("Meaning", "Likely causes", "Look at", "Do", "Silence")
ALERTS = sorted({alert.name for group in GROUPS for alert in group.alerts})
ENTRIES = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
SOURCE = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "server").rglob("*.py")))
SPOKEN = re.sub(r"\s+", " ", PAGE)
"""The page without the ends of its lines."""


def test_each_alert_has_an_entry_and_each_entry_an_alert() -> None:
    assert sorted(ENTRIES) == ALERTS


@pytest.mark.parametrize("name", ALERTS)
def test_an_entry_says_what_it_means_its_causes_where_to_look_what_to_do_and_how_to_silence_it(name: str) -> None:
    paragraphs = ENTRIES[name].strip().split("\n\n")
    assert [re.match(r"\*\*([^*]+)\.\*\* \S", paragraph)[1] for paragraph in paragraphs] == list(PARTS)  # type: ignore[index]


@pytest.mark.parametrize("name", ALERTS)
def test_an_entry_names_the_panel_to_which_its_alert_links(name: str) -> None:
    entry = re.sub(r"\s+", " ", ENTRIES[name])
    for alert in (alert for group in GROUPS for alert in group.alerts if alert.name == name):
        assert re.search(rf"\*[A-Z][a-z ]+ / {re.escape(alert.panel[1])}\*", entry), alert.panel


def test_panels_that_it_names_are_on_the_dashboards() -> None:
    panels = {(page.title.removeprefix("onecode / "), panel.title) for page in DASHBOARDS for panel in page.panels}
    named = set(re.findall(r"\*([A-Z][a-z ]+) / ([^*]+)\*", SPOKEN))
    assert len(named) > 20
    assert named - panels == set()


def test_log_lines_that_it_quotes_are_written_by_the_server() -> None:
    quoted = set(re.findall("“([^”]+)”", SPOKEN)) - {"quotation marks", "is killed"}
    assert len(quoted) > 15
    assert [text for text in quoted if text not in SOURCE] == []


def test_fields_of_healthz_that_it_names_are_in_the_servers_reports() -> None:
    named = {
        name
        for fields in re.findall(r"((?:`[a-z_.]+`(?:, | and )?)+) of `/healthz`", SPOKEN)
        for name in re.findall(r"[a-z_.]+", fields)
        if name != "and"
    }
    assert len(named) > 8
    assert [part for name in sorted(named) for part in name.split(".") if f'"{part}"' not in SOURCE] == []


def test_commands_and_their_options_are_there() -> None:
    commands = re.findall(r"`onecode ([^`]+)`", SPOKEN)
    assert len(commands) > 15
    for words in (command.split() for command in commands):
        command: click.Command = onecode
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, (command.name, words)
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, words


def test_settings_that_it_names_are_settings() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text("utf-8")
    named = set(re.findall(r"`(--[a-z-]+)", SPOKEN)) - {"--try"}  # of onecode trust add-region
    assert len(named) > 4
    assert [name for name in sorted(named) if f"`{name}`" not in settings] == []


def test_links_within_it_lead_to_headings() -> None:
    headings = {anchor(heading) for heading in re.findall(r"^#+ (.*)", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\(#([^)]+)\)", PAGE)) <= headings
    for page, target in re.findall(r"\]\(([a-z-]+\.md)#([^)]+)\)", PAGE):
        text = (ROOT / "docs" / page).read_text("utf-8")
        found = {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)", text, re.MULTILINE)
        }
        assert target in found, (page, target)
