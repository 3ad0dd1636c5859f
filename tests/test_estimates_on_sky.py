"""Flux points and light curves of maps: those of spectra, from another response."""

from __future__ import annotations

import numpy as np
import pytest

from sky_rows import image, sky_row, with_responses
from xgamma import predict
from xgamma.estimate import flux_points, light_curve
from xgamma.fit import FitInput, mask_fit
from xgamma.models import (
    FoVBackgroundModel,
    GaussianSpatialModel,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    SkyModel,
)
from xgamma.reduce.rows import joined_rows
from xgamma.stats import cash

EXPOSURE = 1e9
EDGES = [1.0, 10.0**0.5, 10.0, 100.0]


def source(name="source", lon=83.66, spatial=None, amplitude=3e-12):
    place = PointSpatialModel(lon_0=f"{lon} deg", lat_0="22.03 deg") if spatial is None else spatial
    return SkyModel(PowerLawSpectralModel(index=2.0, amplitude=f"{amplitude} cm-2 s-1 TeV-1"), place, name=name)


def two_sources(**background):
    other = source("other", 83.2, GaussianSpatialModel(lon_0="83.2 deg", lat_0="21.8 deg", sigma="0.2 deg"))
    return Models([source(), other, FoVBackgroundModel(dataset_name="stacked", **background)])


def made(models, seed=3, name="stacked", start=0.0):
    """Return a row of counts drawn about what the models predict."""
    ds = with_responses(sky_row(image((30, 30), 0.1), background=0.5, exposure=EXPOSURE, name=name), 0.12, EXPOSURE)
    ds["gti"].values[:] += start
    ds["counts"].values[:] = np.random.default_rng(seed).poisson(predict.npred(ds, models).values)
    return ds


def scaled(models, norm):
    """Return the models with the flux of the source multiplied."""
    result = models.copy()
    result["source"].spectral_model.amplitude.value *= norm
    return result


def stat_of(ds, models, bins):
    planes = predict.npred(ds, models).values
    return cash(ds["counts"].values, planes)[:, bins].sum()


def test_norms_are_those_at_which_the_statistic_of_all_pixels_is_least():
    models = two_sources()
    ds = made(models)
    points = flux_points([ds], models, "source", EDGES, {"selection_optional": "all"})
    for group, bins in enumerate((slice(0, 1), slice(1, 2), slice(2, 4))):
        own = points.isel(energy=group)
        best = stat_of(ds, scaled(models, float(own["norm"])), bins)
        assert float(own["stat"]) == pytest.approx(best, rel=1e-12)
        assert float(own["ts"]) == pytest.approx(stat_of(ds, scaled(models, 0.0), bins) - best, rel=1e-9)
        for side, name in ((-1, "norm_errn"), (1, "norm_errp")):
            shifted = stat_of(ds, scaled(models, float(own["norm"] + side * own[name])), bins)
            assert shifted - best == pytest.approx(1.0, abs=1e-6)
        assert stat_of(ds, scaled(models, float(own["norm_ul"])), bins) - best == pytest.approx(4.0, abs=1e-6)
        scan = [stat_of(ds, scaled(models, norm), bins) for norm in points["norm_scan"].values]
        np.testing.assert_allclose(own["stat_scan"], scan, rtol=1e-12)


def test_points_say_what_was_counted_and_predicted():
    models = two_sources()
    ds = made(models)
    points = flux_points([ds], models, "source", EDGES)
    counts = ds["counts"].values.sum(axis=(0, 2, 3))
    assert points["counts"].values[:, 0].tolist() == [counts[0], counts[1], counts[2] + counts[3]]
    for group, bins in enumerate((slice(0, 1), slice(1, 2), slice(2, 4))):
        best = predict.npred(ds, scaled(models, float(points["norm"][group]))).values[:, bins].sum()
        assert float(points["npred"][group, 0]) == pytest.approx(best, rel=1e-12)


def test_the_fit_range_stays_in_force_and_what_it_leaves_out_is_counted():
    models = two_sources()
    ds = made(models)
    given = FitInput(ds, mask_fit(ds, 3.0, None))
    points = flux_points([given], models, "source", [1.0, 10.0, 100.0])
    assert points["e_min_fit"].values.round(3).tolist() == [3.162, 10.0]
    assert points["counts_left_out"].values.tolist() == [[ds["counts"].values[:, 0].sum()], [0.0]]


def test_a_map_and_its_parts_have_the_same_points():
    """Of rows that are fitted together, each in a part of the pixels."""
    models = two_sources()
    ds = made(models)
    left = np.zeros(ds["mask_safe"].shape, bool)
    left[..., :13] = True
    models["stacked-bkg"].datasets_names = None
    halves = [FitInput(ds.assign_coords(dataset=[name]), part) for name, part in (("one", left), ("two", ~left))]
    whole, parts = (flux_points(given, models, "source", EDGES, {"selection_optional": "all"})
                    for given in ([ds], halves))  # fmt: skip
    for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts"):
        np.testing.assert_allclose(whole[name], parts[name], rtol=1e-7)


def test_a_source_beside_all_bins_has_no_point():
    models = Models([source(lon=83.66), source("far", 120.0)])
    ds = made(models)
    ds["mask_safe"].values[0, :2] = False
    points = flux_points([ds], models, "source", EDGES)
    assert points["success"].values.tolist() == [False, False, True]
    assert np.isnan(points["norm"].values[:2]).all()


def test_light_curves_of_maps_are_points_of_the_rows_of_each_bin():
    models = Models([source()])
    rows = [made(models, seed, f"run-{seed}", start=86400.0 * seed) for seed in range(3)]
    curve = light_curve([joined_rows(rows)], models, "source", EDGES, parameters={"selection_optional": "all"})
    for number, ds in enumerate(rows):
        points = flux_points([ds], models, "source", EDGES, {"selection_optional": "all"})
        for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "stat_scan"):
            np.testing.assert_allclose(curve[name].values[number], points[name].values, rtol=1e-7)
    assert curve["e_min_fit"].values[0].tolist() == pytest.approx(EDGES[:-1])
