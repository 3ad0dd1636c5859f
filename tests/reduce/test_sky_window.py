"""The same block function fills a sky window: the reduction treats regions and pixels alike."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS

from xgamma.axes import Axis
from xgamma.events import Rows
from xgamma.formats.gadf.index import read_index
from xgamma.geometry import separation, to_frame
from xgamma.grid import Grid, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.irf import effective_area, read_table
from xgamma.outcome import Fate
from xgamma.reduce import Recipe, reduce_block
from xgamma.simulate import Plan, simulate

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30, 4), Axis.from_bounds("energy_true", 0.2, 50, 5)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    path = tmp_path_factory.mktemp("sky") / "release"
    simulate(Plan(runs=2, duration=600.0), path)
    runs, _ = read_runs(read_index(path).runs.values(), lambda: None)
    return part_of(runs, "sky")


def wcs_of(space):
    """Return the plate-carree WCS of the FITS standard for a window."""
    names = ("RA---CAR", "DEC--CAR") if space.frame == "icrs" else ("GLON-CAR", "GLAT-CAR")
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = names, [space.lon, space.lat], [-space.binsize, space.binsize]
    wcs.wcs.crpix = [(n + 1) / 2 for n in space.npix]
    return wcs


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
def test_counts_are_those_of_the_nearest_pixel_of_the_wcs_standard(part, frame):
    lon, lat = to_frame(83.633, 22.014, "icrs", frame)
    space = SkySpace(float(lon), float(lat), frame, 0.02, (100, 90))
    rows = Rows(np.arange(2), np.full(2, -np.inf), np.full(2, np.inf), ("1", "2"))
    ds = reduce_block(part, rows, Recipe(Grid(ENERGY, ENERGY_TRUE, space), containment=False))
    for row in range(2):
        events = slice(
            int(part.obs["event_start"][row]), int(part.obs["event_start"][row] + part.obs["event_size"][row])
        )
        sky = to_frame(part.events["ra"][events].values, part.events["dec"][events].values, "icrs", frame)
        x, y = wcs_of(space).wcs_world2pix(*sky, 0)
        edges = [np.arange(n + 1) - 0.5 for n in space.shape]
        energy = ENERGY.index(part.events["energy"][events].values)
        for number in range(ENERGY.nbin):
            chosen = energy == number
            expected, *_ = np.histogram2d(y[chosen], x[chosen], bins=edges)
            found = ds["counts"].isel(dataset=row, energy=number).transpose("y", "x").values
            np.testing.assert_array_equal(found, expected)


def test_exposure_is_interpolated_at_every_pixel(part):
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (20, 20))
    rows = Rows(np.arange(2), np.full(2, -np.inf), np.full(2, np.inf), ("1", "2"))
    ds = reduce_block(part, rows, Recipe(Grid(ENERGY, ENERGY_TRUE, space), containment=False))
    y, x = np.mgrid[:20, :20]
    lon, lat = wcs_of(space).wcs_pix2world(x.ravel(), y.ravel(), 0)
    pointing = part.column("ra_pnt", rows.obs)[:, None], part.column("dec_pnt", rows.obs)[:, None]
    table = part.table_of(int(part.obs["aeff_table"][0]))
    area = effective_area(
        read_table(table, part.column("aeff_row", rows.obs), separation(lon, lat, *pointing)), ENERGY_TRUE.center
    )
    expected = area * part.column("livetime", rows.obs)[:, None, None]
    np.testing.assert_allclose(ds["exposure"].values.reshape(expected.shape), expected, rtol=1e-9)


def test_a_window_has_one_ledger(part):
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (20, 20))
    rows = Rows(np.arange(1), np.array([-np.inf]), np.array([np.inf]), ("1",))
    ds = reduce_block(part, rows, Recipe(Grid(ENERGY, ENERGY_TRUE, space), containment=False))
    ledger = ds["ledger"].values[0]
    assert ledger.shape == (1, len(Fate))
    assert ledger.sum() == int(part.obs["event_size"][0])
    assert ledger[0, Fate.ON] == ds["counts"].values.sum()
