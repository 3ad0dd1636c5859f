"""Flux points with other models fitted again in each group: each is a fit of its own."""

from __future__ import annotations

import numpy as np
import pytest

from simulated_spectra import models, on_off_dataset, power_law, response_dataset
from test_estimates_on_sky import EDGES, made, two_sources
from xgamma.estimate import flux_points
from xgamma.fit import FitInput, confidence, fit, stat_profile
from xgamma.models import FoVBackgroundModel, Models
from xgamma.predict import npred_signal

OPTIONS = {"selection_optional": "all", "reoptimize": True}


def on_a_map():
    """Return a map with free norms of another source and of the background, and the edges of groups."""
    found = two_sources()
    for name in ("index", "lon_0", "lat_0", "sigma"):
        found["other"].parameters[name].frozen = True
    return made(found), found, EDGES


def in_spectra():
    """Return on and off counts with another source whose amplitude is free, and the edges of groups."""
    found = models(power_law(), power_law("other", index=4.0, amplitude=1e-11))
    found["other"].parameters["index"].frozen = True
    signal = npred_signal(response_dataset(), found).values
    ds = on_off_dataset(signal, seed=1)
    return ds, found, ds["energy_bounds"].values[::3, 0]


@pytest.mark.parametrize("case", [on_a_map, in_spectra])
def test_a_point_is_the_fit_of_the_bins_of_its_group(case):
    ds, given, edges = case()
    before = given.to_yaml(full_output=True)
    points = flux_points([ds], given, "source", edges, OPTIONS)
    assert given.to_yaml(full_output=True) == before
    assert points["success"].values.all()
    for group, (low, high) in enumerate(points["energy_bounds"].values):
        inside = (ds["energy_bounds"].values > low * (1 - 1e-9)) & (ds["energy_bounds"].values < high * (1 + 1e-9))
        shape = [-1 if dim == "energy" else 1 for dim in ds["counts"].dims]
        one = FitInput(ds, ds["mask_safe"].values & inside.all(axis=1).reshape(shape))
        own, point = given.copy(), points.isel(energy=group)
        for parameter in own["source"].parameters:
            parameter.frozen = parameter.name != "amplitude"
        amplitude = own["source"].parameters["amplitude"]
        reference = amplitude.value
        result = fit([one], own)
        error = amplitude.error / reference
        assert float(point["norm"]) == pytest.approx(amplitude.value / reference, abs=5e-3 * error)
        assert float(point["norm_err"]) == pytest.approx(error, rel=2e-2)
        sides = confidence([one], own, amplitude)
        assert float(point["norm_errp"]) == pytest.approx(sides["errp"] / reference, rel=2e-2)
        assert float(point["norm_errn"]) == pytest.approx(sides["errn"] / reference, rel=2e-2)
        assert float(point["stat"]) == pytest.approx(result.total_stat, abs=1e-3)
        values = reference * np.array([0.0, *points["norm_scan"].values])
        null, *scan = stat_profile([one], own, amplitude, values, reoptimize=True).values
        assert float(point["stat_null"]) == pytest.approx(null, abs=1e-2)
        np.testing.assert_allclose(point["stat_scan"], scan, atol=1e-2)
        assert float(point["npred"].sum()) == pytest.approx(float(point["counts"].sum()), rel=0.2)


def test_errors_grow_with_what_is_not_known():
    ds, given, edges = on_a_map()
    kept, free = (flux_points([ds], given, "source", edges, {"reoptimize": each}) for each in (False, True))
    assert (free["norm_err"].values > kept["norm_err"].values).all()
    assert (free["stat"].values < kept["stat"].values).all()


def test_nothing_is_fitted_where_no_bin_is_left_and_what_no_bin_shows_stays():
    ds, given, _ = on_a_map()
    elsewhere = FoVBackgroundModel(dataset_name="elsewhere")
    ds["mask_safe"].values[:, 0] = False
    points = flux_points([ds], Models([*given, elsewhere]), "source", EDGES, OPTIONS)
    assert points["success"].values.tolist() == [False, True, True]
    assert np.isnan(points["norm_ul"].values[0])
    assert np.isnan(points["stat_scan"].values[0]).all()
    alone = flux_points([ds], given, "source", EDGES, OPTIONS)
    np.testing.assert_allclose(points["norm"], alone["norm"], rtol=1e-6)
