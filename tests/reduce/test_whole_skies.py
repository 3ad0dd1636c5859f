"""Reduction into images that are larger than the sky, or laid out in another projection: the same events and rates."""

from __future__ import annotations

import numpy as np
import pytest

from releases import rows_in
from xgamma.axes import Axis
from xgamma.formats.gadf.index import read_index
from xgamma.geometry import separation, to_frame
from xgamma.grid import Grid, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.reduce import Recipe, method, reduce_block, stack
from xgamma.reduce.nodes import exposure_in_windows
from xgamma.simulate import Plan, simulate

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30, 3), Axis.from_bounds("energy_true", 0.2, 50, 4)
LON, LAT = (float(one) for one in to_frame(83.633, 22.014, "icrs", "galactic"))
SPACES = {
    "plate-carree": SkySpace(LON, LAT, "galactic", 0.2, (60, 60)),
    "tangent": SkySpace(LON, LAT, "galactic", 0.2, (60, 60), projection="TAN"),
    "whole sky": SkySpace(180.0, 0.0, "galactic", 0.5, (720, 360), projection="AIT"),
    "more than the sky": SkySpace(180.0, 0.0, "icrs", 0.5, (760, 400)),
    "to the right": SkySpace(LON, LAT, "galactic", 0.2, (60, 60), aspect=-1.0),
}


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    path = tmp_path_factory.mktemp("sky") / "release"
    simulate(Plan(runs=2, duration=600.0), path)
    runs, _ = read_runs(read_index(path).runs.values(), lambda: None)
    return part_of(runs, "sky")


def reduced(part, space):
    recipe = Recipe(
        Grid(ENERGY, ENERGY_TRUE, space), False, method("background", "irf"), safe_masks=(), offset_max=180.0
    )
    return reduce_block(part, rows_in(part), recipe)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", SPACES)
def test_what_is_not_on_the_sky_is_in_no_sum(part, name):
    space = SPACES[name]
    rows = reduced(part, space)
    known = np.isfinite(space.positions()[0]).reshape(space.shape)
    assert known.all() == (name not in ("whole sky", "more than the sky"))
    for ds in (rows, stack(rows)):
        for variable in ("counts", "background", "mask_safe"):
            values = ds[variable].values
            assert np.isfinite(values).all(), variable
            assert not values[..., ~known].any(), variable
    assert np.isfinite(exposure_in_windows(rows)).all()


@pytest.mark.parametrize("name", [name for name in SPACES if name != "plate-carree"])
def test_events_and_rates_do_not_depend_on_the_projection(part, name):
    wanted, found = reduced(part, SPACES["plate-carree"]), reduced(part, SPACES[name])
    for variable, rtol in (("counts", 0.0), ("background", 0.02)):
        sums = [ds[variable].sum(["v", "u"]).values.astype(float) for ds in (found, wanted)]
        # All that the field of view sees lies in each of the images.
        np.testing.assert_allclose(*sums, rtol=rtol, err_msg=variable)
    assert wanted["counts"].sum() > 100


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", SPACES)
def test_counts_lie_at_their_events(part, name):
    space = SPACES[name]
    counts = reduced(part, space)["counts"].values.sum(axis=(0, 1)).ravel()
    lon, lat = space.positions()
    filled = counts > 0
    ra, dec = (part.events[column].values for column in ("ra", "dec"))
    pixel = space.cells(ra, dec)
    assert set(np.flatnonzero(filled)) <= set(pixel.cell.tolist())
    away = separation(lon[pixel.cell], lat[pixel.cell], ra[pixel.event], dec[pixel.event])
    assert away.max() < 1.1 * np.hypot(space.binsize, space.binsize)
