"""TS maps: each pixel is the fit of one norm, whatever the neighbours are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from sky_rows import ENERGY, image, sky_row, with_responses
from xgamma import predict
from xgamma.datasets import Datasets, ExcessMap
from xgamma.datasets.maps import Map
from xgamma.errors import ConfigError, DataError
from xgamma.estimate import flux_points, ts_map
from xgamma.estimate.norms_at_pixels import PixelNorms, crossings, minima
from xgamma.estimate.ts_values import TS_MAP_VARIABLES
from xgamma.estimators import TSMapEstimator
from xgamma.estimators.utils import find_peaks
from xgamma.models import (
    FoVBackgroundModel,
    GaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    SkyModel,
)

EXPOSURE = 1e9
ALL = {"selection_optional": "all"}


def source(spatial=None, amplitude=1e-12, name="source"):
    place = PointSpatialModel(lon_0="83.63 deg", lat_0="22.01 deg") if spatial is None else spatial
    return SkyModel(PowerLawSpectralModel(index=2.0, amplitude=f"{amplitude} cm-2 s-1 TeV-1"), place, name=name)


def made(models, npix=(21, 21), background=0.5, seed=2):
    ds = with_responses(sky_row(image(npix, 0.05), background=background, exposure=EXPOSURE), 0.08, EXPOSURE)
    ds["counts"].values[:] = np.random.default_rng(seed).poisson(predict.npred(ds, models).values)
    return ds


def pixels_of(seed, shape=(2, 9, 11), half=2, rate=0.4):
    rng = np.random.default_rng(seed)
    side = 2 * half + 1
    kernel = rng.uniform(0.0, 1.0, (shape[0], side, side))
    kernel /= kernel.sum(axis=(1, 2), keepdims=True)
    background, reference = rng.uniform(0.2, 1.0, shape), rng.uniform(1.0, 3.0, shape)
    used = rng.uniform(size=shape) > 0.1
    return PixelNorms(rng.poisson(rate, shape).astype(float), background, reference, kernel, used)


def one_by_one(pixels, y, x):
    """Return counts, background and source of the bins that a pixel sees."""
    half, (ny, nx) = pixels.half, pixels.shape
    rows, columns = slice(max(y - half, 0), min(y + half + 1, ny)), slice(max(x - half, 0), min(x + half + 1, nx))
    own = pixels.kernel[
        :, rows.start - y + half : rows.stop - y + half, columns.start - x + half : columns.stop - x + half
    ]
    bins = pixels.used[:, rows, columns]
    return [one[:, rows, columns][bins] for one in (pixels.counts, pixels.background)] + [
        (pixels.reference[:, rows, columns] * own)[bins]
    ]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.02, 0.4, 3.0]))
def test_each_pixel_is_a_fit_of_its_own(seed, rate):
    """Few bins with counts are looked at one by one, many as images: both are the same sums."""
    pixels = pixels_of(seed, rate=rate)
    best = minima(pixels)
    up, down, limit = (crossings(pixels, best, *how) for how in ((1.0, 1), (1.0, -1), (2.0, 1)))
    for y, x in ((0, 0), (4, 5), (8, 10), (2, 9)):
        counts, background, signal = one_by_one(pixels, y, x)
        low = -(background / signal).min()

        def slope(norm, parts=(counts, background, signal)):
            n, b, s = parts
            return (s - n * s / (b + norm * s)).sum()

        def stat(norm, parts=(counts, background, signal)):
            n, b, s = parts
            return 2.0 * (norm * s - n * np.log1p(norm * s / b)).sum()

        ends = low * (1 - 1e-9), 1e4
        norm = brentq(slope, *ends, xtol=1e-13) if slope(ends[0]) < 0 else ends[0]
        error = best.error[y, x]
        assert best.norm[y, x] == pytest.approx(norm, abs=1e-4 * error)
        assert best.ts[y, x] == pytest.approx(-stat(norm), rel=1e-6, abs=1e-7)
        assert stat(up[y, x]) - stat(norm) == pytest.approx(1.0, abs=1e-3)
        assert stat(limit[y, x]) - stat(norm) == pytest.approx(4.0, abs=1e-3)
        assert stat(down[y, x]) - stat(norm) <= 1.0 + 1e-3
        assert pixels.expected[y, x] == pytest.approx(signal.sum(), rel=1e-9)
        if counts.sum() > 0:
            curvature = (counts * (signal / (background + norm * signal)) ** 2).sum()
            assert error == pytest.approx(curvature**-0.5, rel=1e-3)


def test_a_pixel_is_the_flux_point_of_a_source_there():
    models = Models([source(), FoVBackgroundModel(dataset_name="stacked")])
    ds = made(models)
    found = ts_map(ds, [models[1]], source(), parameters={**ALL, "kernel_width": 1.0})
    points = flux_points([ds], models, "source", [1.0, 100.0], ALL)
    for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul"):
        assert float(found[name][0, 10, 10]) == pytest.approx(float(points[name][0]), rel=2e-3)
    assert float(found["ts"][0, 10, 10]) == pytest.approx(float(points["ts"][0]), rel=3e-3)
    assert float(found["npred_excess"][0, 10, 10]) == pytest.approx(float(points["npred_excess"][0, 0]), rel=2e-3)


def test_narrow_kernels_lose_no_flux():
    """What is expected stands for counts: the mean norm is one, whatever part of the source is looked at."""
    for spatial in (None, GaussianSpatialModel(lon_0="83.63 deg", lat_0="22.01 deg", sigma="0.1 deg")):
        models = Models([source(spatial, 2e-12), FoVBackgroundModel(dataset_name="stacked")])
        ds = made(models, (31, 31))
        ds["counts"].values[:] = predict.npred(ds, models).values
        for width in (0.25, 0.75, None):
            found = ts_map(ds, [models[1]], source(spatial, 2e-12), parameters={"kernel_width": width})
            assert float(found["norm"][0, 15, 15]) == pytest.approx(1.0, rel=2e-3)


def test_sources_that_are_known_leave_nothing():
    models = Models([source(None, 5e-12), FoVBackgroundModel(dataset_name="stacked")])
    ds = made(models, (31, 31))
    ds["counts"].values[:] = predict.npred(ds, models).values
    beside, after = (ts_map(ds, given) for given in ([models[1]], models))
    assert beside["sqrt_ts"].values.max() > 5
    assert np.abs(after["sqrt_ts"].values).max() < 1e-3


def test_planes_are_those_of_their_energies():
    models = Models([source(), FoVBackgroundModel(dataset_name="stacked")])
    ds = made(models)
    both = ts_map(ds, edges=[1.0, 10.0, 100.0], parameters={"kernel_width": 0.45})
    alone = ts_map(ds, edges=[10.0, 100.0], parameters={"kernel_width": 0.45})
    assert both.sizes["energy"] == 2
    np.testing.assert_allclose(both["norm"][1], alone["norm"][0], rtol=1e-6)
    each = ts_map(ds, edges=ENERGY.edges, parameters={"kernel_width": 0.45})
    sums = ts_map(ds, edges=ENERGY.edges, parameters={"kernel_width": 0.45, "sum_over_energy_groups": True})
    np.testing.assert_allclose(each["norm"], sums["norm"], rtol=1e-5, atol=1e-5)


def test_pixels_that_are_not_used_have_no_number():
    ds = made(Models([source()]))
    ds["mask_safe"].values[..., :4] = False
    ds["background"].values[..., 20, 20] = 0.0
    found = ts_map(ds, parameters=ALL)
    for name in ("norm", "sqrt_ts", "ts", "norm_err", "norm_ul", "counts", "background"):
        values = found[name].values[0]
        assert np.isnan(values[:, :4]).all()
        assert np.isnan(values[20, 20])
        assert np.isfinite(values[:20, 4:]).all()
    assert not found["success"].values[0, :, :4].any()
    assert set(map(str, found.variables)) <= {*TS_MAP_VARIABLES, "energy"}


def test_deficits_are_negative():
    ds = made(Models([source()]))
    ds["counts"].values[..., 8:13, 8:13] = 0.0
    found = ts_map(ds)
    assert float(found["norm"][0, 10, 10]) < 0
    assert float(found["sqrt_ts"][0, 10, 10]) < -2


def test_the_estimator_makes_one_plane_unless_edges_are_given():
    dataset = Datasets.from_xarray(made(Models([source(None, 1e-11)])))[0]
    bounds = dataset.data["energy_bounds"].values
    alone, given = (TSMapEstimator(energy_edges=edges).run(dataset) for edges in (None, [bounds[0, 0], bounds[-1, 1]]))
    assert alone["sqrt_ts"].data.shape == (1, 21, 21)
    np.testing.assert_array_equal(alone["sqrt_ts"].data, given["sqrt_ts"].data)


def test_what_has_no_ts_map_is_said():
    ds = made(Models([source()]))
    with pytest.raises(DataError, match="'stacked' has none; reduce with one"):
        ts_map(ds.drop_vars("background"))
    with pytest.raises(ConfigError, match=r"expected a kernel inside of the map, which is 1\.05 deg wide, got 3 deg"):
        ts_map(ds, parameters={"kernel_width": 3.0})
    with pytest.raises(ConfigError, match="expected energies of the dataset, 1 to 100 TeV, got 200 to 300 TeV"):
        ts_map(ds, edges=[200.0, 300.0])
    with pytest.raises(DataError, match=r"kernel: expected the shape \(4, odd, odd\), got \(1, 4, 4\)"):
        ts_map(ds, kernel=np.ones((1, 4, 4)))
    with pytest.raises(ConfigError, match=r"'scan' is not an optional result\. Known: all, errn-errp, ul\."):
        TSMapEstimator(selection_optional="scan")


# --- peaks


def test_peaks_are_apart_and_the_largest_is_first():
    values = np.full((20, 30), np.nan)
    values[2:18, 2:28] = 0.0
    values[5, 6], values[5, 9], values[12, 20], values[3, 25] = 6.0, 7.0, 9.0, 4.0
    one = Map.create(npix=(30, 20), binsz=0.1, frame="icrs", skydir=(10.0, 20.0))
    one.data = values
    table = find_peaks(one, threshold=5, min_distance=5)
    assert table["value"].tolist() == [9.0, 7.0]
    assert (table["x"].tolist(), table["y"].tolist()) == ([20, 9], [12, 5])
    assert len(find_peaks(one, threshold=5, min_distance="0.2 deg")) == 3
    assert len(find_peaks(one, threshold=10)) == 0
    with pytest.raises(ConfigError, match="at least one pixel, got 0"):
        find_peaks(one, 5, 0)


def test_maps_are_shown_and_written(tmp_path):
    found = ExcessMap(ts_map(made(Models([source(None, 1e-11)])), parameters=ALL))
    assert found.flux_ul.unit == "cm-2 s-1"
    [peak] = find_peaks(found["sqrt_ts"], threshold=5, min_distance="0.5 deg")
    assert abs(peak["ra"] - 83.63) < 0.06
    found.write(tmp_path / "ts.fits")
    again = ExcessMap.read(tmp_path / "ts.fits")
    assert again.data.identical(found.data)
