"""Files of maps written by Gammapy and read here, and the reverse, on two runs of MSH 15-52."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from releases import rows_in
from xgamma.axes import Axis
from xgamma.datasets.files import read_datasets, write_datasets
from xgamma.datasets.inputs import normalize_rows
from xgamma.datasets.map_files import map_row_of
from xgamma.formats.gadf.index import read_index
from xgamma.formats.sky_maps.files import read_map, write_maps
from xgamma.formats.sky_maps.flux_maps import read_flux_maps, write_flux_maps
from xgamma.formats.sky_maps.map_dataset import map_row_content
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.geometry import to_frame
from xgamma.grid import Grid
from xgamma.ingest.part import part_of, read_runs
from xgamma.reduce import Recipe, method, reduce_block, stack
from xgamma.reduce.nodes import responses_at
from xgamma.reduce.point_spread import radius_of_share
from xgamma.sky import SkySpace

PEER = os.environ.get("PEER_PYTHON", "")
IMAGE = SkySpace(320.3, -1.2, "galactic", 0.1, (40, 30))
ENERGY, TRUE = Axis.from_bounds("energy", 0.5, 20, 3), Axis.from_bounds("energy_true", 0.3, 30, 4)
# Nearer to one pixel of the coarse image than to others.
PLACE = to_frame(320.42, -1.07, "galactic", "icrs")


def ask(verb, folder, *rest):
    """Run a verb of the script in the interpreter that has Gammapy."""
    script = Path(__file__).with_name("peer_map_files.py")
    command = [PEER, "-W", "ignore", str(script), verb, str(folder), *map(str, rest)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def folder(gammapy_data, tmp_path_factory):
    if not PEER:
        pytest.skip("PEER_PYTHON names no python that has Gammapy")
    found = tmp_path_factory.mktemp("maps")
    ask("write", found, gammapy_data / "hess-dl3-dr1")
    return found


@pytest.fixture(scope="module")
def stacked(gammapy_data):
    """Return the same two runs reduced and stacked here."""
    index = read_index(gammapy_data / "hess-dl3-dr1").runs
    runs, _ = read_runs([index[20136], index[20137]], lambda: None)
    part = part_of(runs, "hess-dl3-dr1")
    # The windows of Gammapy are cut to the width of twice the largest offset.
    space = SkySpace(320.3, -1.2, "galactic", 0.1, (40, 30), (40, 30))
    recipe = Recipe(
        Grid(ENERGY, TRUE, space),
        background=method("background", "irf"),
        safe_masks=(method("safe mask", "offset-max", offset_max=2.0),),
        containment=False,
    )
    return stack(reduce_block(part, rows_in(part), recipe))


def planes(ds, name):
    return ds[name].transpose("dataset", ...).values[0]


def test_a_stack_of_gammapy_is_read_with_its_numbers(folder):
    [ds] = read_datasets(folder / "index.yaml")
    theirs = np.load(folder / "stacked.npz")
    for name in ("counts", "exposure", "background", "mask_safe", "mask_fit"):
        np.testing.assert_array_equal(planes(ds, name), theirs[name])
    for name, grid in (("psf", "psf_grid"), ("edisp", "edisp_grid"), ("weight", "exposure_grid")):
        np.testing.assert_allclose(planes(ds, grid), theirs[name], rtol=1e-6)
    assert ds["dataset"].values.tolist() == ["stacked"]
    assert float(ds["livetime"][0]) == pytest.approx(2340.2323)
    starts = ds["gti"].values[0, :, 0] + (ds.attrs["mjdref"] - 53000) * 86400
    np.testing.assert_allclose(starts, theirs["gti"], rtol=0, atol=1e-3)


def test_responses_of_a_file_are_those_that_gammapy_finds_in_it(folder):
    [ds] = read_datasets(folder / "index.yaml")
    theirs = np.load(folder / "stacked.npz")
    found = responses_at(normalize_rows(ds), 0, *PLACE)
    np.testing.assert_allclose(found.edisp[0], theirs["kernel"], atol=1e-6)
    radius = radius_of_share(found.psf[0], Axis.from_coords(ds.coords, "rad"), 0.68)
    np.testing.assert_allclose(radius, theirs["radius"], rtol=0.01)


@pytest.mark.parametrize("name", ["row.fits", "ring.fits", "stacked.fits"])
def test_what_was_read_is_written_as_gammapy_wrote_it(folder, name):
    [ds] = read_datasets(folder / name)
    ours = f"ours_{name}"
    write_datasets([ds], folder / ours)
    ask("compare", folder, name, ours)
    said = json.loads((folder / "compared.json").read_text())
    assert said["geometries"]
    exact = {"counts", "exposure", "background", "mask_safe", "mask_fit", "counts_off", "acceptance", "acceptance_off"}
    for quantity, apart in said["apart"].items():
        assert apart <= (0 if quantity in exact else 1e-6 if quantity != "gti" else 1e-9), quantity


def test_a_stack_of_xgamma_opens_in_gammapy_as_its_own(folder, stacked):
    write_datasets([stacked], folder / "xgamma.fits")
    ask("compare", folder, "stacked.fits", "xgamma.fits")
    said = json.loads((folder / "compared.json").read_text())
    assert said["geometries"]
    exact = ("counts", "mask_safe", "radius", "gti")
    assert [said["apart"][name] for name in exact] == [0, 0, 0, 0]
    others = ("exposure", "background", "psf", "edisp", "weight", "kernel")
    assert max(said["apart"][name] for name in others) < 1e-6


def test_maps_of_any_axes_open_in_gammapy(folder):
    nodes = Axis.from_nodes("energy_true", [1.0, 2.0, 20.0], "TeV", "log")
    rad = Axis.from_bounds("rad", 0, 0.66, 66, "deg", "lin")
    maps = [
        SkyMap.of_space(np.ones((3, 30, 40)), (ENERGY,), IMAGE, "m2 s"),
        SkyMap.of_space(np.ones((4, 66, 30, 40)), (TRUE, rad), IMAGE, "sr-1", "PSF"),
        SkyMap.of_space(np.ones((3, 30, 40)), (nodes,), IMAGE, "cm-2 s-1 TeV-1 sr-1", "NODES"),
        SkyMap.of_space(np.ones((3, 30, 40), bool), (ENERGY,), IMAGE, "", "MASK"),
        SkyMap.of_space(
            np.ones((30, 40), bool), (), SkySpace(83, 22, "icrs", 0.1, (40, 30), projection="TAN"), "", "M_MASK"
        ),
    ]
    write_maps(maps, folder / "maps.fits", overwrite=True)
    ask("single", folder, "maps.fits")
    said = json.loads((folder / "single.json").read_text())
    assert list(said) == ["PRIMARY", "PSF", "NODES", "MASK", "M_MASK"]
    assert [said[name]["type"] for name in said] == ["f", "f", "f", "b", "b"]
    for each in maps:
        own = said[each.name or "PRIMARY"]
        assert list(own["axes"]) == [axis.name for axis in each.axes[::-1]]
        assert own["sum"] == each.values.sum()
        for axis in each.axes:
            kind, scale, edges, unit = own["axes"][axis.name]
            assert (kind, scale, unit) == ("center" if axis.nodes is not None else "edges", axis.scale, axis.unit)
            np.testing.assert_allclose(edges, axis.edges, rtol=1e-12, atol=1e-15)


def test_flux_maps_go_both_ways(folder):
    ask("fluxes", folder, "flux_maps.fits")
    theirs, ours = np.load(folder / "flux_maps.fits.npz"), read_flux_maps(folder / "flux_maps.fits")
    for name in ("norm", "sqrt_ts"):
        np.testing.assert_array_equal(ours[name].values, theirs[name])
    assert ours.attrs["spectrum"]["type"] == "PowerLawSpectralModel"
    flux = float(np.nanmax(theirs["flux"]) / np.nanmax(theirs["norm"]))
    maps = ours.assign(ref_flux=(("energy",), np.array([flux]), {"units": "cm-2 s-1"}))
    for sed_type in ("likelihood", "flux"):
        name = f"ours_{sed_type}.fits"
        write_flux_maps(maps, folder / name, sed_type)
        ask("fluxes", folder, name)
        again = np.load(folder / f"{name}.npz")
        for quantity in ("norm", "flux", "sqrt_ts"):
            np.testing.assert_allclose(again[quantity], theirs[quantity], rtol=1e-5)
        xr.testing.assert_identical(read_flux_maps(folder / name), maps)


def test_a_map_of_gammapy_is_a_map_of_ours(folder):
    found = read_map(folder / "stacked.fits", "psf")
    assert [axis.name for axis in found.axes] == ["energy_true", "rad"]
    assert (found.unit, found.space.binsize, found.space.frame) == ("sr-1", 0.5, "galactic")
    assert map_row_content(map_row_of(read_datasets(folder / "stacked.fits")[0], 0))[:6] == b"SIMPLE"
