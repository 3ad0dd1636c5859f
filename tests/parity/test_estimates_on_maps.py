"""Flux points and TS maps of two runs on the Crab nebula beside Gammapy, on the same maps."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from xgamma.datasets.files import read_datasets
from xgamma.estimate import flux_points, ts_map
from xgamma.estimate.norm_profile import NormProfile, NormTerm
from xgamma.estimate.norms_at_pixels import PixelNorms, crossings, minima
from xgamma.models import Models
from xgamma.stats import CashCounts

PEER = os.environ.get("PEER_PYTHON", "")


@pytest.fixture(scope="module")
def folder(gammapy_data, tmp_path_factory):
    if not PEER:
        pytest.skip("PEER_PYTHON names no python that has Gammapy")
    found = tmp_path_factory.mktemp("estimates")
    script = Path(__file__).with_name("peer_estimates_on_maps.py")
    command = [PEER, "-W", "ignore", str(script), str(found), str(gammapy_data / "hess-dl3-dr1")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return found


@pytest.fixture(scope="module")
def peer(folder):
    return dict(np.load(folder / "found.npz"))


@pytest.fixture(scope="module")
def ds(folder):
    [found] = read_datasets(folder / "maps.fits.gz")
    return found.assign_coords(dataset=np.array(["stacked"]))


def test_norms_are_those_of_gammapy_with_its_predictions(peer):
    mask = peer["mask"]
    counts, expected, source = (peer[name][mask].astype(float) for name in ("counts", "expected", "source"))
    group = np.nonzero(mask)[0] // 2
    zeros = np.zeros(group.shape)
    profile = NormProfile([NormTerm(CashCounts(counts, expected), group, source, zeros, zeros.astype(int))], 2)
    norm, error = profile.minimum(), peer["kept_norm_err"]
    np.testing.assert_allclose((norm - peer["kept_norm"]) / error, 0.0, atol=3e-3)
    np.testing.assert_allclose(profile.error(norm), error, rtol=1e-3)
    np.testing.assert_allclose((profile.upper_limit(norm, 2.0) - peer["kept_norm_ul"]) / error, 0.0, atol=1e-3)


@pytest.mark.parametrize("name", ["kept", "free"])
def test_flux_points_differ_by_the_kernel_alone(folder, ds, peer, name):
    """By a few hundredths of an error: Gammapy's images of a point are wider."""
    models = Models.read(folder / "models.yaml")
    bounds = ds["energy_bounds"].values
    edges = [bounds[0, 0], bounds[2, 0], bounds[3, 1]]
    options = {"selection_optional": ["errn-errp", "ul"], "reoptimize": name == "free"}
    start = time.process_time()
    points = flux_points([ds], models, "crab", edges, options)
    print(f"{name}: {peer[f'{name}_time'] / (time.process_time() - start):.0f} times as fast")
    # With other free parameters Gammapy found no crossing above these norms, and says 0.
    upwards = ["norm_errp", "norm_ul"] if peer[f"{name}_norm_errp"].all() else []
    for one in ("norm", "norm_err", "norm_errn", *upwards):
        deviation = (points[one].values - peer[f"{name}_{one}"]) / peer[f"{name}_norm_err"]
        np.testing.assert_allclose(deviation, 0.0, atol=0.2, err_msg=one)


def test_ts_maps_are_those_of_gammapy_with_its_kernel(peer):
    mask = peer["mask"]
    counts, expected, reference = (peer[one] * mask.astype(float) for one in ("counts", "expected", "reference"))
    start = time.process_time()
    pixels = PixelNorms(counts, expected, reference, peer["kernel"].astype(float), mask & (expected > 0))
    best = minima(pixels)
    limit, up = crossings(pixels, best, 2.0, +1), crossings(pixels, best, 1.0, +1)
    print(f"TS map: {peer['ts_time'] / (time.process_time() - start):.0f} times as fast")
    significance = np.copysign(np.sqrt(np.maximum(best.ts, 0.0)), best.norm)
    np.testing.assert_allclose(significance, peer["ts_sqrt_ts"], atol=1e-3)
    seen, error = np.abs(significance) > 0.5, peer["ts_norm_err"]
    np.testing.assert_allclose(((best.norm - peer["ts_norm"]) / error)[seen], 0.0, atol=1e-3)
    np.testing.assert_allclose((limit / peer["ts_norm_ul"])[seen], 1.0, atol=2e-3)
    np.testing.assert_allclose(((up - best.norm) / peer["ts_norm_errp"])[seen], 1.0, atol=2e-3)


def test_ts_maps_of_our_kernels_are_near(ds, peer):
    found = ts_map(ds, parameters={"kernel_width": 0.3})
    significance = found["sqrt_ts"].values[0]
    row, column = np.unravel_index(np.argmax(significance), significance.shape)
    assert significance[row, column] == pytest.approx(peer["ts_sqrt_ts"].max(), rel=0.03)
    assert peer["ts_sqrt_ts"][row, column] > 0.98 * peer["ts_sqrt_ts"].max()
