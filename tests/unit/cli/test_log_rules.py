"""``onecode log rules --set`` is refused where it would stop a machine that runs, or could not be confirmed here."""

import json

import pytest

from onecode_server.cli.log_rules import _expect_known, _show
from onecode_server.errors import OnecodeError
from onecode_server.replication.heard_marks import HeardMachine

from tests.unit.replication.cluster import FIRST, NOON, OTHER, mark

STRANGER = b"third machine..."


def heard(**versions):
    """Return machines that say which rules they know."""
    names = {"own": FIRST, "other": OTHER, "stranger": STRANGER}
    marks = {names[name]: mark(1, machine=names[name])._replace(knows=knows) for name, knows in versions.items()}
    return [HeardMachine(machine, NOON, {3: one}) for machine, one in marks.items()]


def refusal(version, machines, **how):
    with pytest.raises(OnecodeError) as refused:
        _expect_known(version, machines, FIRST, **{"although_unknown": False, **how})
    return str(refused.value)


def test_a_version_that_all_machines_know_may_be_put_in_force():
    _expect_known(2, heard(own=2, other=3), FIRST, although_unknown=False)
    _expect_known(2, [], FIRST, although_unknown=False)  # whether this machine's server runs is asked next


def test_machines_that_would_stop_are_named_and_may_be_passed_over_by_name_of_the_option():
    machines = heard(own=2, other=1, stranger=0)
    said = refusal(2, machines)
    assert f"would stop: {OTHER.hex()}, {STRANGER.hex()}. Upgrade them first, or give --although-unknown" in said
    _expect_known(2, machines, FIRST, although_unknown=True)


def test_this_machine_must_know_the_version_whatever_is_allowed():
    machines = heard(own=1, other=2)
    said = {refusal(2, machines, although_unknown=allowed) for allowed in (False, True)}
    assert len(said) == 1
    assert "this machine does not know version 2 of the rules" in said.pop()


def test_without_set_the_version_in_force_and_what_each_machine_knows_are_shown(capsys):
    _show(1, heard(own=2, other=0), FIRST, as_json=False)
    said = capsys.readouterr().out
    assert said.startswith("version 1 of the rules is in force; this program knows ")
    (own,), (other,) = ([line for line in said.splitlines() if one.hex() in line] for one in (FIRST, OTHER))
    assert f"{FIRST.hex()} *" in own
    assert own.rstrip(" │").endswith("2")
    assert "*" not in other
    assert other.rstrip(" │").endswith("?")  # a program of before marks said what they know


def test_the_same_in_json_is_one_line_a_machine(capsys):
    _show(1, heard(own=2, other=3), FIRST, as_json=True)
    first, *machines = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["in_force"] == 1
    assert first["known_here"][0] <= first["known_here"][1]
    assert machines == [
        {"machine": FIRST.hex(), "is_this": True, "knows": 2},
        {"machine": OTHER.hex(), "is_this": False, "knows": 3},
    ]
