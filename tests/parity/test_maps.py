"""Maps of real and of simulated runs beside those of Gammapy 2.1, pixel by pixel."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xgamma.analysis import Analysis, AnalysisConfig

PEER = os.environ.get("PEER_PYTHON", "")
# The configuration of Gammapy's tutorial analysis_3d.
GALACTIC_CENTRE = """
observations: {datastore: $GAMMAPY_DATA/cta-1dc/index/gps, obs_ids: [110380, 111140, 111159]}
datasets:
    type: 3d
    geom:
        wcs:
            skydir: {frame: galactic, lon: 0 deg, lat: 0 deg}
            binsize: 0.02 deg
            width: {width: 10 deg, height: 8 deg}
        selection: {offset_max: 3.5 deg}
        axes:
            energy: {min: 0.1 TeV, max: 10 TeV, nbins: 10}
            energy_true: {min: 0.08 TeV, max: 12 TeV, nbins: 14}
    map_selection: [counts, exposure, background]
    safe_mask: {methods: [aeff-default, offset-max]}
"""


def stacked_maps(text, folder):
    """Return the stack of all runs of a configuration, its maps with the dims (energy, y, x)."""
    config = AnalysisConfig.from_yaml(text)
    config.general.store = str(folder / "store")
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    data = analysis.results.reductions[0].product.data
    axes = {"counts": "energy", "background": "energy", "mask_safe": "energy", "exposure": "energy_true"}
    return {name: data[name].transpose("dataset", axis, "v", "u").values[0] for name, axis in axes.items()}


def of_plane(ours, theirs):
    """Return the largest deviation as a fraction of the maximum of the plane of one energy."""
    top = theirs.reshape(len(theirs), -1).max(axis=1)
    return (np.abs(ours - theirs).reshape(len(ours), -1).max(axis=1) / top).max()


def of_energy(ours, theirs):
    """Return the largest relative deviation of the sum of a plane."""
    return np.abs(ours.sum(axis=(1, 2)) / theirs.sum(axis=(1, 2), dtype=float) - 1).max()


# --- CTA-1DC


@pytest.fixture(scope="module")
def galactic_centre(gammapy_data, tmp_path_factory):
    if not (gammapy_data / "cta-1dc").is_dir():
        pytest.skip("no cta-1dc in $GAMMAPY_DATA")
    return stacked_maps(GALACTIC_CENTRE, tmp_path_factory.mktemp("cta"))


def test_the_galactic_centre_has_the_counts_of_the_tutorial(galactic_centre):
    counts, safe = galactic_centre["counts"], galactic_centre["mask_safe"]
    assert counts.shape == (10, 400, 500)
    assert counts.sum() == 121241
    assert not counts[~safe].any()
    assert safe.sum() == 1411180


@pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")
def test_the_galactic_centre_is_that_of_gammapy(galactic_centre, gammapy_data, tmp_path):
    (tmp_path / "request.yaml").write_text(GALACTIC_CENTRE)
    script = Path(__file__).with_name("peer_maps.py")
    subprocess.run([PEER, str(script), str(tmp_path / "request.yaml"), str(tmp_path / "result.npz")], check=True)
    with np.load(tmp_path / "result.npz") as found:
        theirs = dict(found)
    np.testing.assert_array_equal(galactic_centre["mask_safe"], theirs["mask_safe"])
    counts = galactic_centre["counts"]
    np.testing.assert_array_equal(counts.sum(axis=(1, 2)), theirs["counts"].sum(axis=(1, 2)))
    # Positions of events are in single precision, in which Gammapy turns them to Galactic coordinates: some events of
    # ten thousand are in the next pixel.
    assert 0 < np.abs(counts - theirs["counts"]).sum() / 2 < 1e-3 * counts.sum()
    assert of_energy(galactic_centre["exposure"], theirs["exposure"]) < 1e-6
    assert of_energy(galactic_centre["background"], theirs["background"]) < 1e-6
    assert of_plane(galactic_centre["exposure"], theirs["exposure"]) < 1e-6
    assert of_plane(galactic_centre["background"], theirs["background"]) < 2e-6


# --- MSH 15-52


@pytest.fixture(scope="module")
def msh(gammapy_data, reference_numbers, tmp_path_factory):
    """Return the maps of 20 runs with a background normalised in each of them, and those of Gammapy."""
    reference = json.loads((reference_numbers / "msh_1552_gp21.json").read_text())["map_3d"]["config"]
    text = reference.replace("exclusion_msh.fits.gz", str(reference_numbers / "exclusion_msh.fits.gz"))
    names = ("counts", "exposure", "background", "mask_safe")
    theirs = {name: fits.getdata(reference_numbers / f"msh_3d_{name}.fits.gz") for name in names}
    return stacked_maps(text, tmp_path_factory.mktemp("msh")), theirs


def test_counts_of_each_pixel_are_those_of_gammapy(msh):
    ours, theirs = msh
    np.testing.assert_array_equal(ours["counts"], theirs["counts"])
    assert ours["counts"].sum() == 62357


def test_safe_masks_of_each_pixel_are_those_of_gammapy(msh):
    ours, theirs = msh
    np.testing.assert_array_equal(ours["mask_safe"], theirs["mask_safe"] != 0)


def test_exposure_and_background_are_those_of_gammapy_to_single_precision(msh):
    ours, theirs = msh
    assert of_plane(ours["exposure"], theirs["exposure"].astype(float)) < 1e-6
    assert of_plane(ours["background"], theirs["background"].astype(float)) < 2e-6
