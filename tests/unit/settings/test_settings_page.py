"""docs/settings.md: every setting of the server is there, with its default, and every limit."""

import re
from dataclasses import fields
from pathlib import Path

from onecode_server.cli.serve import serve
from onecode_server.settings.config import FRONTS, LOG_LEVELS, LOOPBACK_ROLES, Settings
from onecode_server.settings.limits import DEFAULTS

PAGE = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `--([a-z0-9-]+)` \| (.+?) \| .+ \|$", PAGE, re.MULTILINE))
IN_WORDS = {"gateway-keys": "`keys/` in the data directory", "workers": "one for each core", "limits": "below"}


def written(value: object) -> str:
    """Return a default as the page has it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_every_setting_is_on_the_page_with_its_default() -> None:
    settings = Settings(Path("data"))
    defaults = {field.name.replace("_", "-"): getattr(settings, field.name) for field in fields(Settings)}
    expected = {name: IN_WORDS.get(name, written(value)) for name, value in defaults.items()}
    assert expected | {"data-dir": "–"} == ROWS


def test_every_flag_of_the_command_is_on_the_page() -> None:
    flags = {flag for parameter in serve.params for flag in parameter.opts}
    assert {f"--{name}" for name in ROWS} == flags - {"--config"}
    assert "`--config FILE`" in PAGE


def test_every_choice_is_on_the_page() -> None:
    for choice in {*FRONTS, *LOG_LEVELS, *LOOPBACK_ROLES}:
        assert f"`{choice}`" in PAGE


def test_every_limit_is_on_the_page() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ([0-9,]+) \| ([0-9,]+) \|$", PAGE, re.MULTILINE)
    found = {role: (int(units.replace(",", "")), int(calls.replace(",", ""))) for role, units, calls in rows}
    assert found == {role.value: tuple(limit) for role, limit in DEFAULTS.items()}
