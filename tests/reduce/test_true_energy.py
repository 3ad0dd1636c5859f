"""Counts lost to an axis of true energy, compared with an integral over the functions that made the responses."""

import dataclasses

import numpy as np
import pytest
from scipy.special import ndtr

from releases import TINY, config_of, part_in_memory, release_of, rows_in, until_datasets
from xgamma.axes import Axis
from xgamma.grid import Circle, Grid, RegionSpace
from xgamma.reduce.losses import count_changes, true_energy_remark
from xgamma.simulate import AnalyticResponse
from xgamma.simulate.responses import analytic_area, log_migration

FINE = AnalyticResponse(energy_bins=96)
OFFSET = 0.5
ENERGY = Axis.from_bounds("energy", 1.0, 10.0, 5)
AXES = {
    "begins and ends with energy": Axis.from_bounds("energy_true", 1.0, 10.0, 40),
    "begins with energy, coarse": Axis.from_bounds("energy_true", 1.0, 40.0, 8),
    "ends with energy": Axis.from_bounds("energy_true", 0.2, 10.0, 60),
    "is coarse": Axis.from_bounds("energy_true", 0.1, 100.0, 9),
    "is wide and fine": Axis.from_bounds("energy_true", 0.1, 100.0, 90),
}


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    plan = dataclasses.replace(TINY, name="fine", runs=1, response=FINE)
    return part_in_memory(release_of(plan, tmp_path_factory.mktemp("fine")))


def grid(axis):
    return Grid(ENERGY, axis, RegionSpace((Circle(83.633, 22.014, 0.11),)))


def density(energy):
    """Return what reaches each bin of ``ENERGY`` of a unit of flux at some energies, shape (energy, bin)."""
    mean, width = log_migration(FINE, energy, OFFSET)
    below = ndtr((np.log(ENERGY.edges / energy[:, None]) - mean[:, None]) / width[:, None])
    return analytic_area(FINE, energy, OFFSET)[:, None] * np.diff(below, axis=1)


def integral():
    energy = np.geomspace(0.05, 150.0, 20001)
    values = density(energy) * energy[:, None] ** -2
    return ((values[1:] + values[:-1]) / 2 * np.diff(energy)[:, None]).sum(axis=0)


def binned(axis):
    flux = 1 / axis.edges[:-1] - 1 / axis.edges[1:]
    return flux @ density(axis.center)


@pytest.mark.parametrize("name", AXES)
def test_the_changes_are_those_of_an_integral(name, part):
    found = count_changes(part, rows_in(part), grid(AXES[name]), containment=False)
    assert found.shape == (1, 1, 5)
    np.testing.assert_allclose(found[0, 0], binned(AXES[name]) / integral() - 1, atol=4e-3)


def test_an_axis_that_begins_with_energy_loses_what_migrates_into_the_first_bin(part):
    [[changes]] = count_changes(part, rows_in(part), grid(AXES["begins and ends with energy"]), containment=False)
    assert changes[0] < -0.05
    assert np.abs(changes[1:-1]).max() < 0.01


def test_the_warning_names_only_safe_bins(part):
    axis, every = AXES["begins and ends with energy"], np.ones(5, bool)
    said = true_energy_remark(part, rows_in(part), grid(axis), False, every)
    assert said.startswith(
        "datasets.geom.axes.energy_true: 40 bins from 1 to 10 TeV change the predicted counts of 2 of 5"
    )
    assert "% at 1-1.58 TeV, " in said
    assert true_energy_remark(part, rows_in(part), grid(axis), False, np.array([False, True, True, True, False])) == ""
    assert true_energy_remark(part, rows_in(part), grid(AXES["is wide and fine"]), False, every) == ""


def test_an_analysis_warns_once_when_it_reduces(tiny_release, tmp_path, caplog):
    narrow = "datasets: {geom: {axes: {energy_true: {min: 0.5 TeV, max: 30 TeV, nbins: 60}}}}"
    config = config_of(tiny_release, tmp_path / "store", narrow)
    until_datasets(config)
    warned = [
        r.getMessage() for r in caplog.records if r.getMessage().startswith("datasets.geom.axes.energy_true: 60 bins")
    ]
    assert len(warned) == 1
