"""What a country needs is computed from its inputs, the same each time, and the page says no other numbers."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks.capacity import inputs as given
from benchmarks.capacity import page, simulation
from benchmarks.capacity.__main__ import main
from benchmarks.capacity.needs import HOUR_S, needs

INPUTS = given.read()


def own(**values: float) -> given.Inputs:
    """Return the project's inputs with some numbers replaced."""
    return INPUTS.replaced(values, "a test")


def test_the_page_has_the_tables_that_the_program_prints() -> None:
    text = page.FILE.read_text("utf-8")
    assert page.fresh(text, INPUTS) == text


def test_each_input_says_how_it_is_known_and_from_where() -> None:
    for name, one in INPUTS.all.items():
        assert one.known in given.KNOWN, name
        assert one.source, name
        assert one.unit, name
        assert one.value > 0, name


def test_twice_the_scans_need_twice_the_cores_and_the_network_and_no_larger_store() -> None:
    usual, twice = needs(INPUTS), needs(own(scans_per_s=2 * INPUTS["scans_per_s"]))
    for one, other in zip(usual.checks, twice.checks, strict=True):
        assert other.cores == pytest.approx(2 * one.cores)
        assert other.in_gbit_s == pytest.approx(2 * one.in_gbit_s)
    assert twice.store_gb == usual.store_gb


@pytest.mark.parametrize("sites", [2, 3, 5])
def test_the_sites_that_are_left_carry_the_peak_and_one_machine_fewer_would_be_too_busy(sites: int) -> None:
    inputs = own(sites=sites, machines_a_site_min=1, scans_per_s=1e7)
    usable = inputs["cores_per_machine"] - inputs["replicator_cores"]
    for one in needs(inputs).checks:
        busy = one.cores / ((sites - 1) * one.machines_a_site * usable)
        assert busy <= inputs["busy_share_max"]
        fewer = (sites - 1) * (one.machines_a_site - 1) * usable
        assert one.cores / fewer > inputs["busy_share_max"]


def test_a_small_country_has_more_than_one_machine_at_each_site() -> None:
    assert {one.machines_a_site for one in needs(own(scans_per_s=100)).checks} == {2}


def test_a_storm_that_is_faster_than_applying_is_never_caught_up_with() -> None:
    slow = own(apply_records_per_s=1000)
    found = needs(slow)
    assert found.catch_up_s == float("inf")
    assert "never" in page.blocks(slow)["log"]
    assert simulation.site_loss(slow, found, 2, 1).caught_up_s == float("inf")


def test_a_storm_is_the_same_for_a_seed_and_another_for_another_seed() -> None:
    assert simulation.storm(INPUTS, 1) == simulation.storm(INPUTS, 1) != simulation.storm(INPUTS, 2)


def test_a_lost_leader_holds_records_back_for_as_long_as_it_is_away() -> None:
    gap_s = 8.0
    inputs = own(leader_gap_min_s=gap_s, leader_gap_max_s=gap_s, apply_records_per_s=1e6)
    calm, lost = simulation.storm(inputs, 1, 0), simulation.storm(inputs, 1, 4)
    assert calm.lag_s_max == pytest.approx(inputs["publish_to_seen_s"])
    assert calm.stale_s == 0
    assert lost.lag_s_max == pytest.approx(gap_s + inputs["publish_to_seen_s"], abs=2 * simulation.STEP_S)
    # Own marks wait behind the records: a part is STALE from 5 s after the newest mark to the end of the gap.
    each_s = gap_s - (simulation.STALE_S - inputs["mark_interval_s"])
    assert lost.stale_s == pytest.approx(4 * each_s, abs=4 * 2 * simulation.STEP_S)


def test_a_machine_that_applies_slower_lags_more() -> None:
    mean = INPUTS["storm_records"] / HOUR_S
    slow, fast = (simulation.storm(own(apply_records_per_s=times * mean), 1) for times in (1.2, 10))
    assert slow.lag_s_p99 > fast.lag_s_p99
    assert slow.behind_max > fast.behind_max


def test_the_loss_of_a_site_leaves_its_scans_unanswered_until_callers_leave_and_refuses_none_elsewhere() -> None:
    found = needs(INPUTS)
    for kind in range(len(found.checks)):
        lost = simulation.site_loss(INPUTS, found, kind, 1)
        expected = INPUTS["scans_per_s"] / INPUTS["sites"] * INPUTS["callers_leave_s"]
        assert lost.unanswered == pytest.approx(expected, rel=0.02)
        assert lost.refused == 0
        assert lost.busy_share <= INPUTS["busy_share_max"]


def test_machines_that_were_built_for_less_refuse_scans_when_a_site_is_lost() -> None:
    inputs = own(busy_share_max=1.0, scans_per_s=1e7)
    built = needs(inputs)
    crowded = inputs.replaced({"scans_per_s": 2 * inputs["scans_per_s"]}, "a test")
    assert simulation.site_loss(crowded, built, 0, 1).refused > 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"scans": 1}', "there is no input 'scans'"),
        ('{"subjects": 0}', "subjects must be a number above 0"),
        ('{"subjects": "many"}', "subjects must be a number above 0"),
        ('{"subjects": true}', "subjects must be a number above 0"),
        ("[1]", "is not a JSON object"),
        ("{", "Expecting property name"),
    ],
)
def test_a_bad_file_of_inputs_gets_one_line_that_says_why(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "own.json"
    file.write_text(text, "utf-8")
    run = CliRunner().invoke(main, ["--inputs", str(file)])
    assert run.exit_code == 2
    assert why in run.stderr.splitlines()[-1]


def test_own_numbers_are_told_apart_and_never_written_to_the_page(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"cores_per_machine": 64}), "utf-8")
    run = CliRunner().invoke(main, ["--inputs", str(file), "--scans-per-s", "2000"])
    assert run.exit_code == 0
    assert run.stdout.count("given by the caller") == 2
    refused = CliRunner().invoke(main, ["--inputs", str(file), "--write"])
    assert refused.exit_code == 2
    with pytest.raises(click.BadParameter):
        own(nothing=1)
