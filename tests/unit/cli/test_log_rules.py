"""``onecode log rules --set`` is refused where it would stop a machine that runs, or could not be confirmed here."""

import pytest

from onecode_server.cli.log_rules import _expect_known
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
