"""Excess maps beside those of Gammapy 2.1: of the same arrays, and of real runs through the whole chain."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from sky_rows import ENERGY, ENERGY_TRUE, image, sky_row
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.datasets import ExcessMap
from xgamma.estimate import excess_map

PEER = os.environ.get("PEER_PYTHON", "")
BINS = (ENERGY.nbin, *image().shape)
OUR_NAMES = {"acceptance_on": "acceptance"}


def deviation(ours, theirs):
    """Return the largest deviation of known numbers as a fraction of the largest."""
    return np.nanmax(np.abs(ours - theirs)) / np.nanmax(np.abs(theirs))


# --- the same arrays


def arrays():
    """Return counts on and off, and what is expected, with a mask that differs from energy to energy."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[: BINS[1], : BINS[2]]
    acceptance = np.exp(-((x - 10.0) ** 2 + (y - 9.0) ** 2) / 200.0) * np.linspace(1.0, 0.3, BINS[0])[:, None, None]
    background = 4.0 * acceptance
    mask = np.ones(BINS, dtype=bool)
    mask[:2, :, 16:] = False
    mask[:, :4, :5] = False
    acceptance_off = acceptance * (3.0 + random.random(BINS))
    return {
        "energy": ENERGY.edges,
        "energy_true": ENERGY_TRUE.edges,
        "counts": random.poisson(background),
        "background": background,
        "counts_off": random.poisson(background / acceptance * acceptance_off) + 1,
        "acceptance": acceptance,
        "acceptance_off": acceptance_off,
        "mask_safe": mask,
        "exposure": 1e12 * np.linspace(1, 3, ENERGY_TRUE.nbin)[:, None, None] * np.exp(-(x**2) / 900.0),
    }


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    if not PEER:
        pytest.skip("PEER_PYTHON names no python that has Gammapy")
    folder = tmp_path_factory.mktemp("peer")
    np.savez(folder / "arrays.npz", **arrays())
    script = Path(__file__).with_name("peer_excess_maps.py")
    subprocess.run([PEER, str(script), str(folder / "arrays.npz"), str(folder / "result.npz")], check=True)
    with np.load(folder / "result.npz") as found:
        return dict(found)


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("cash", {}),
        ("planes", {"edges": ENERGY.edges[::2], "parameters": {"n_sigma": 2.0, "n_sigma_ul": 3.0}}),
        ("off", {}),
        ("single", {"parameters": {"correlate_off": False}}),
    ],
)
def test_maps_of_the_same_arrays_are_those_of_gammapy(theirs, case, options):
    given = arrays()
    names = ["background"] if case in ("cash", "planes") else ["counts_off", "acceptance", "acceptance_off"]
    row = sky_row(**{name: given[name] for name in ("counts", "mask_safe", "exposure", *names)})
    parameters = {"selection_optional": "all", **options.get("parameters", {})}
    found = ExcessMap(excess_map(row, 0.2, options.get("edges"), parameters, response=theirs["edisp"]))
    compared = [name.partition("/")[2] for name in theirs if name.startswith(f"{case}/")]
    assert {"sqrt_ts", "norm_errn", "norm_errp", "norm_ul", "norm_sensitivity", "flux"} <= set(compared)
    for name in compared:
        ours, other = found[OUR_NAMES.get(name, name)].data, theirs[f"{case}/{name}"]
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(other), err_msg=name)
        # Gammapy sums in single precision, and finds errors with off counts to 1e-4 or so.
        limit = 1e-4 if name.endswith(("errn", "errp", "_ul", "sensitivity")) else 2e-6
        assert deviation(ours, other) < limit, name


# --- MSH 15-52


@pytest.fixture(scope="module")
def msh(gammapy_data, reference_numbers, tmp_path_factory):
    """Return the stack of 20 runs, the numbers of Gammapy, and its maps."""
    numbers = json.loads((reference_numbers / "msh_1552_gp21.json").read_text())["map_3d"]
    text = numbers["config"].replace("exclusion_msh.fits.gz", str(reference_numbers / "exclusion_msh.fits.gz"))
    config = AnalysisConfig.from_yaml(text).update("steps: [observations, datasets, excess_map]")
    config.general.store = str(tmp_path_factory.mktemp("msh") / "store")
    analysis = Analysis(config)
    analysis.get_observations()
    analysis.get_datasets()
    analysis.get_excess_map()
    names = ("counts", "npred_excess", "sqrt_ts")
    return analysis, numbers, {n: fits.getdata(reference_numbers / f"msh_3d_excess_{n}.fits.gz") for n in names}


def test_the_excess_map_of_20_runs_is_that_of_gammapy(msh):
    analysis, numbers, theirs = msh
    # Gammapy's has the norm of the background of its fit, which is not part of the stack.
    [norm] = [one["value"] for one in numbers["fit_gaussian"]["parameters"] if one["name"] == "norm"]
    stack = analysis.results.reductions[0].product.data
    found = excess_map(stack.assign(background=stack["background"] * norm), 0.1)
    np.testing.assert_array_equal(found["counts"], theirs["counts"])
    assert deviation(found["npred_excess"].values, theirs["npred_excess"]) < 1e-6
    assert deviation(found["sqrt_ts"].values, theirs["sqrt_ts"]) < 1e-6
    for name in ("norm", "norm_err"):
        # The energy dispersion is that of the middle, there that of a pixel of 0.2 deg beside it.
        assert np.nanmax(found[name]) == pytest.approx(numbers["excess_map"][name]["max"], rel=2e-4)
        assert np.nanmin(found[name]) == pytest.approx(numbers["excess_map"][name]["min"], rel=2e-4)


def test_empty_sky_about_msh_is_nearly_normal(msh):
    analysis, _, _ = msh
    found = analysis.excess_map.significance_distribution(analysis.results.reductions[0].recipe.exclusion)
    assert abs(found.mean) < 3 * found.mean_error
    assert found.std == pytest.approx(1.2, abs=0.05)
    [peak] = analysis.excess_map.hottest(1)
    assert peak["sqrt_ts"] > 18
    assert np.hypot((peak["lon"] - 228.529) * np.cos(np.deg2rad(59.16)), peak["lat"] + 59.1575) < 0.05
