"""The background of a pulsar: events of the on-region in phases in which the source does not shine."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from releases import config_of, recipe, rows_in, until_datasets
from xgamma import schema
from xgamma.analysis.preview import preview
from xgamma.errors import ConfigError, DataError
from xgamma.events import Part
from xgamma.grid import Circle
from xgamma.masks import ExcludedShapes
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import Recipe, method, reduce_block, reduce_spectra, stack

ON, OFF = [0.9, 0.1], [[0.3, 0.5], [0.6, 0.7]]


def wanted(**changes):
    given = {"on_phase": ON, "off_phase": OFF} | changes
    return recipe(background=method("background", "phase", **given), safe_masks=())


def with_phases(part, values):
    events = part.events.assign(phase=(("event",), values, {"units": "", "long_name": "PHASE"}))
    return Part({**part.groups, "events": events})


@pytest.fixture(scope="module")
def pulsar(nights_part):
    return with_phases(nights_part, np.random.default_rng(3).random(nights_part.events.sizes["event"]))


def test_events_of_the_region_are_counted_by_phase(pulsar):
    rows = reduce_spectra(pulsar, rows_in(pulsar), wanted())
    schema.validate(rows)
    alone = {}
    for name, intervals in (("counts", [(0.9, 1.0), (0.0, 0.1)]), ("counts_off", [(0.3, 0.5), (0.6, 0.7)])):
        phase = pulsar.events["phase"].values
        inside = np.any([(phase >= low) & (phase < high) for low, high in intervals], axis=0)
        energy = np.where(inside, pulsar.events["energy"].values, 0.001)
        chosen = Part({**pulsar.groups, "events": pulsar.events.assign(energy=(("event",), energy))})
        alone[name] = reduce_spectra(chosen, rows_in(pulsar), recipe(background=None, safe_masks=()))["counts"].values
        np.testing.assert_array_equal(rows[name].values, alone[name])
    assert alone["counts"].sum() > 100
    np.testing.assert_allclose(np.unique(rows["acceptance"].values), 0.2, rtol=1e-12)
    np.testing.assert_allclose(np.unique(rows["acceptance_off"].values), 0.3, rtol=1e-12)
    np.testing.assert_array_equal(rows["ledger"].sum("fate").values[:, 0], pulsar.obs["event_size"].values)
    # Beyond the axis of energy events have a fate of their own.
    assert (rows["ledger"].values[:, 0, Fate.OFF] == rows["counts_off"].values[:, 0].sum(axis=1)).all()
    np.testing.assert_allclose(
        stack(rows)["acceptance"].values / stack(rows)["acceptance_off"].values, 2 / 3, rtol=1e-12
    )


def test_the_lower_end_of_a_phase_counts_and_the_upper_does_not(nights_part):
    size = nights_part.events.sizes["event"]
    for phase, counts in ((0.9, True), (1.0, True), (0.0, True), (0.1, False), (0.3, False)):
        rows = reduce_spectra(with_phases(nights_part, np.full(size, phase)), rows_in(nights_part, [0]), wanted())
        assert (rows["counts"].values.sum() > 0) == counts
        assert (rows["counts_off"].values.sum() > 0) == (phase == 0.3)


def test_blocks_of_any_size_give_the_same_bytes(pulsar):
    rows = rows_in(pulsar)
    whole = reduce_block(pulsar, rows, wanted())
    each = [reduce_block(pulsar, rows[n : n + 1], wanted()) for n in range(7)]
    for name in ("counts", "counts_off", "ledger"):
        np.testing.assert_array_equal(whole[name].values, np.concatenate([one[name].values for one in each]))


@pytest.mark.parametrize("value", [np.nan, 1.2, -0.1, 31415.9])
def test_a_run_with_other_numbers_than_phases_is_not_used(pulsar, value):
    phases = np.array(pulsar.events["phase"].values)
    phases[int(pulsar.obs["event_start"].values[3]) + 5] = value
    rows = reduce_spectra(with_phases(pulsar, phases), rows_in(pulsar), wanted())
    assert np.flatnonzero(rows["outcome"].values == Outcome.NO_OFF_REGION).tolist() == [3]
    assert rows.attrs["outcome_details"][3] == "its column PHASE holds other numbers than phases from 0 to 1"


def test_runs_without_phases_are_not_used(nights_part):
    rows = reduce_spectra(nights_part, rows_in(nights_part), wanted(phase_column_name="P_CRAB"))
    assert (rows["outcome"].values == Outcome.NO_OFF_REGION).all()
    assert rows.attrs["outcome_details"][0].endswith("have a column P_CRAB")


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ({"on_phase": [1.2, 0.1]}, r"on_phase: expected different phases from 0 to 1, got \[1.2, 0.1\]"),
        ({"on_phase": [-0.1, 0.1]}, r"on_phase: expected different phases from 0 to 1, got \[-0.1, 0.1\]"),
        ({"on_phase": [float("nan"), 0.1]}, "on_phase: expected different phases from 0 to 1"),
        ({"off_phase": [0.5, 0.5]}, "off_phase: expected different phases"),
        (
            {"off_phase": [0.0, 0.5]},
            "off_phase: expected phases apart from on_phase, got 0 to 0.5, which overlaps with 0 to 0.1",
        ),
        ({"off_phase": [[0.3, 0.5], [0.4, 0.6]]}, "off_phase: expected each phase once, got 0.3 to 0.5 and 0.4 to 0.6"),
        ({"off_phase": "night"}, "off_phase: expected a pair of phases such as"),
        ({"off_phase": []}, "off_phase: expected a pair of phases such as"),
        ({"phase_column_name": ""}, "phase_column_name: expected the name of a column, got ''"),
    ],
)
def test_phases_that_are_none_are_refused(phases, message):
    with pytest.raises(ConfigError, match=message):
        wanted(**phases)


def test_a_recipe_with_phases_comes_back_from_json():
    document = wanted().document()
    assert Recipe.from_document(json.loads(json.dumps(document))) == wanted()


def test_an_exclusion_is_refused():
    background = method("background", "phase", on_phase=ON, off_phase=OFF)
    with pytest.raises(ConfigError, match="phase is measured in the on-region itself, so that nothing is excluded"):
        recipe(background=background, exclusion=ExcludedShapes((Circle(80.0, 20.0, 0.5),)))


TEXT = "datasets: {background: {method: phase, parameters: {on_phase: [0.9, 0.1], off_phase: [0.3, 0.7]}}}"


def test_an_analysis_by_phases_from_files(own_release, tmp_path):
    for number, path in enumerate(sorted(own_release.glob("data/run_*.fits"))):
        add_phases(path, number)
    [view] = until_datasets(config_of(own_release, tmp_path / "store", TEXT)).datasets
    assert view.stat_type == "wstat"
    assert 0 < view.counts.data.sum() < view.counts_off.data.sum()
    np.testing.assert_allclose(view.alpha.data, 0.5, rtol=1e-12)


def test_check_says_that_phases_are_missing(own_release, tmp_path):
    with pytest.raises(DataError, match="have a column PHASE"):
        preview(config_of(own_release, tmp_path / "store", TEXT))


def add_phases(path, seed):
    with fits.open(path) as hdus:
        events = hdus["EVENTS"]
        phases = np.random.default_rng(seed).random(len(events.data))
        columns = fits.ColDefs([fits.Column("PHASE", "D", array=phases)])
        hdus["EVENTS"] = fits.BinTableHDU.from_columns(events.columns + columns, header=events.header)
        hdus.writeto(path, overwrite=True)
