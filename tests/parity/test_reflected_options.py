"""Off regions of all options are those of Gammapy 2.1, on the Crab runs of H.E.S.S. DR1; counted by ``benchmarks``."""

from __future__ import annotations

import numpy as np
import pytest

from xgamma.axes import Axis
from xgamma.events import Rows
from xgamma.formats.fits.regions import read_mask
from xgamma.formats.gadf.index import read_index
from xgamma.grid import Circle, Grid, RegionSpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.reduce import Recipe, method, reduce_spectra

RUNS = (23523, 23526, 23559, 23592)
ALL = {
    "angle_increment": 0.05,
    "min_distance": 0.1,
    "min_distance_input": 0.4,
    "max_region_number": 5,
    "binsz": 0.02,
}
# Off counts from 0.5 to 30 TeV and off regions by run: of a circle of 0.11 deg with the mask of the Crab nebula, and of
# one of 0.3 deg without.
CASES = {
    "none": ({}, ([198, 175, 457, 534], [11, 11, 40, 40]), ([401, 360, 1204, 1352], [3, 3, 14, 14])),
    "angle_increment": (
        {"angle_increment": 0.02},
        ([199, 160, 464, 555], [11, 11, 41, 41]),
        ([401, 360, 1204, 1352], [3, 3, 14, 14]),
    ),
    "min_distance": (
        {"min_distance": 0.3},
        ([135, 99, 147, 163], [7, 7, 12, 12]),
        ([281, 248, 614, 697], [2, 2, 7, 7]),
    ),
    "min_distance_input": (
        {"min_distance_input": 0.8},
        ([170, 133, 342, 425], [9, 9, 31, 31]),
        ([266, 251, 838, 979], [2, 2, 10, 10]),
    ),
    "max_region_number": (
        {"max_region_number": 3},
        ([60, 50, 41, 38], [3, 3, 3, 3]),
        ([401, 360, 265, 327], [3, 3, 3, 3]),
    ),
    "binsz": ({"binsz": 0.03}, ([212, 169, 485, 582], [12, 12, 47, 47]), ([395, 355, 1219, 1368], [3, 3, 14, 14])),
    "all": (ALL, ([86, 80, 55, 57], [5, 5, 5, 5]), ([283, 365, 429, 503], [2, 3, 5, 5])),
}


@pytest.fixture(scope="module")
def crab(gammapy_data):
    runs, failures = read_runs([read_index(gammapy_data / "hess-dl3-dr1").runs[run] for run in RUNS], lambda: None)
    assert failures == []
    mask = gammapy_data / "joint-crab/exclusion/exclusion_mask_crab.fits.gz"
    return part_of(runs, "hess"), read_mask(mask) if mask.exists() else None


@pytest.mark.parametrize("case", CASES)
def test_the_off_regions_of_each_option_are_those_of_the_field(crab, case):
    part, mask = crab
    options, *expected = CASES[case]
    energy, energy_true = Axis.from_bounds("energy", 0.5, 30, 20), Axis.from_bounds("energy_true", 0.1, 50, 40)
    everything = np.full(len(RUNS), np.inf)
    rows = Rows(np.arange(len(RUNS)), -everything, everything, tuple(map(str, RUNS)))
    for radius, exclusion, (counts, numbers) in zip((0.11, 0.3), (mask, None), expected, strict=True):
        if radius == 0.11 and mask is None:
            pytest.skip("no mask of the Crab nebula")
        grid = Grid(energy, energy_true, RegionSpace((Circle(83.633, 22.014, radius),)))
        found = reduce_spectra(part, rows, Recipe(grid, True, method("background", "reflected", **options), exclusion))
        assert found["counts_off"].sum(("region", "energy")).values.astype(int).tolist() == counts
        assert found["off_number"].values[:, 0].tolist() == numbers
