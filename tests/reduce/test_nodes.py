"""Responses at nodes of offset: where a table is extrapolated, a map has those of a spectrum at the same place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from releases import recipe, rows_in
from xgamma.axes import Axis
from xgamma.formats.gadf.index import read_index
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.reduce import reduce_block
from xgamma.reduce.nodes import responses_at
from xgamma.simulate import Plan, simulate

ENERGIES = Axis.from_bounds("energy", 0.1, 100, 40), Axis.from_bounds("energy_true", 0.2, 50, 5)


def binned(table):
    """Return a table in bins of offset from 0 on, whose energies are too high in the first one: lower ones fade out."""
    shift = -float(table["offset_bounds"][0, 0])
    table = table.assign_coords(offset=table["offset"] + shift, offset_bounds=table["offset_bounds"] + shift)
    if "edisp" not in table:
        return table
    tilt = np.where(table["migra"] < 1.0, np.float32(0.2), np.float32(4.0))[:, np.newaxis]
    return table.assign(edisp=table["edisp"].where(table["offset"] > table["offset"][0], table["edisp"] * tilt))


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    """A run whose tables are known in the middle of their bins alone, as those of CTA's first data challenge."""
    path = tmp_path_factory.mktemp("nodes") / "release"
    simulate(Plan(runs=1, duration=600.0), path)
    runs, _ = read_runs(read_index(path).runs.values(), lambda: None)
    part = part_of(runs, "nodes")
    groups = {name: binned(group) if "offset" in group.dims else group for name, group in part.groups.items()}
    return dataclasses.replace(part, groups=groups)


def rows_of(part, space):
    own = recipe(grid=Grid(*ENERGIES, space), containment=False, background=None, safe_masks=())
    return reduce_block(part, rows_in(part), own)


@pytest.mark.parametrize(
    ("offset", "tolerance"), [(0.0, 1e-6), (0.025, 1e-6), (0.06, 0.02), (0.11, 0.02), (0.25, 1e-6), (1.0, 1e-6)]
)
def test_a_map_has_the_energy_dispersion_of_a_spectrum_there(part, offset, tolerance):
    lon, dec = float(part.obs["ra_pnt"][0]), float(part.obs["dec_pnt"][0])
    window = rows_of(part, SkySpace(lon, dec, "icrs", 0.1, (30, 30)))
    of_map = responses_at(window, 0, lon, dec + offset).edisp[0]
    of_spectrum = rows_of(part, RegionSpace((Circle(lon, dec + offset, 0.1),)))["edisp"].values[0, 0]
    np.testing.assert_allclose(of_map.sum(axis=-1), of_spectrum.sum(axis=-1), rtol=tolerance)
    np.testing.assert_allclose(of_map, of_spectrum, atol=tolerance)
