"""Excess maps: numbers by hand, laws of sums and significances, and what is not known stays where it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st

from sky_rows import ENERGY, ENERGY_TRUE, image, response, sky_row, with_responses
from xgamma import stats
from xgamma.errors import ConfigError, DataError
from xgamma.estimate import ExcessMapParameters, excess_map
from xgamma.kernels import Kernel, summed
from xgamma.models import PowerLawSpectralModel
from xgamma.schema import PRODUCTS, Kind, product_violations

SHAPE = image().shape
BINS = (ENERGY.nbin, *SHAPE)
ALL = {"selection_optional": "all"}
PLANES = ("counts", "background", "npred_excess", "ts", "sqrt_ts", "norm", "norm_err")


def drawn(seed=0, mean=2.0, **given):
    """Return a row with drawn counts over a flat background."""
    return sky_row(counts=np.random.default_rng(seed).poisson(mean, BINS).astype(float), background=mean, **given)


def on_off(seed=0, mean_off=9.0, share=0.2, **given):
    """Return a row with drawn counts on and off."""
    random = np.random.default_rng(seed)
    return sky_row(
        counts=random.poisson(mean_off * share, BINS),
        counts_off=random.poisson(mean_off, BINS),
        acceptance=1.0,
        acceptance_off=1.0 / share,
        **given,
    )


def test_a_map_whose_middle_no_run_sees_has_fluxes_where_one_does():
    # The run is seen in the five columns to the east, whose middle is 1 deg beside that of the image.
    is_seen = np.arange(SHAPE[1]) < 5
    row = drawn(exposure=1e9 * is_seen)
    seen = with_responses(row, pointing=(83.63 + 1.0 / np.cos(np.deg2rad(22.01)), 22.01)).assign(
        reach=("member", [0.5])
    )
    expected, found = excess_map(row, 0.0999, response=response()), excess_map(seen, 0.0999)
    for name in ("norm", "norm_err"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    assert np.isfinite(found["norm"].values).sum() == 5 * SHAPE[0]


# --- sums


@pytest.mark.parametrize(("radius", "size"), [(0.0999, 1), (0.1, 5), (0.15, 9), (0.2, 13)])
def test_a_map_says_how_many_pixels_its_circle_holds(radius, size):
    found = excess_map(sky_row(counts=1.0, background=0.5), radius)
    assert found.attrs["kernel_pixels"] == size
    assert found.attrs["kernel_solid_angle"] == pytest.approx(size * np.deg2rad(0.1) ** 2, rel=1e-3)
    assert found["counts"].values[0, 10, 12] == 4 * size
    assert found["background"].values[0, 10, 12] == 2 * size


def test_one_plane_is_the_sum_of_all_energies_and_planes_sum_to_it():
    row = drawn()
    whole, planes = excess_map(row, 0.2), excess_map(row, 0.2, ENERGY.edges)
    assert (whole.sizes["energy"], planes.sizes["energy"]) == (1, 4)
    for name in ("counts", "background", "npred_excess"):
        np.testing.assert_allclose(planes[name].sum("energy"), whole[name].values[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(whole["energy_bounds"].values, [ENERGY.edges[[0, -1]]])


def test_edges_asked_for_are_moved_to_those_of_the_data_and_it_is_said():
    found = excess_map(drawn(), 0.1, [1.1, 9.0, 100.0] * u.TeV)
    np.testing.assert_allclose(found["energy_bounds"].values, [[1, 10], [10, 100]], rtol=1e-12)
    [sentence] = found.attrs["binning_report"]
    assert sentence == "moved to the edges of the datasets: 1.1-9 -> 1-10, 9-100 -> 10-100"
    assert excess_map(drawn(), 0.1, ENERGY.edges[::2]).attrs["binning_report"] == []


def test_only_safe_bins_enter_counts_and_background_alike():
    mask = np.ones(BINS, dtype=bool)
    mask[:2, :, :12] = False
    row = sky_row(counts=1.0, background=0.25, mask_safe=mask)
    found = excess_map(row, 0.0999)
    np.testing.assert_array_equal(found["counts"].values[0, 0], [2.0] * 12 + [4.0] * 12)
    np.testing.assert_array_equal(found["background"].values[0, 0], [0.5] * 12 + [1.0] * 12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), radius=st.floats(0.05, 0.4), share=st.floats(0.0, 1.0))
def test_masked_sums_are_those_of_a_plain_sum(seed, radius, share):
    random = np.random.default_rng(seed)
    mask = random.random(BINS) < share
    counts, background = random.poisson(3.0, BINS), random.random(BINS)
    found = excess_map(sky_row(counts=counts, background=background, mask_safe=mask), radius, ENERGY.edges[::2])
    kernel = Kernel(radius / 0.1)
    for plane, span in enumerate((slice(0, 2), slice(2, 4))):
        used = mask[span].any(axis=0)
        for name, values in (("counts", counts), ("background", background)):
            expected = summed(np.where(mask, values, 0.0)[span].sum(axis=0), kernel)
            np.testing.assert_allclose(found[name].values[plane], np.where(used, expected, np.nan), rtol=1e-12)


def test_pixels_outside_of_the_mask_are_not_known_and_others_are():
    mask = np.ones(SHAPE, dtype=bool)
    mask[5:9, 7:11] = False
    found = excess_map(drawn(mask_safe=mask, exposure=1e12), 0.2, parameters=ALL, response=response())
    for name in (*PLANES, "norm_errn", "norm_errp", "norm_ul"):
        np.testing.assert_array_equal(np.isnan(found[name].values[0]), ~mask, err_msg=name)


@pytest.mark.parametrize("make", [drawn, on_off])
def test_a_turned_sky_has_the_turned_map(make):
    square = image((20, 20))
    random = np.random.default_rng(3)
    names = set(make()) - {"mask_safe"}
    values = {name: random.poisson(6.0, (4, 20, 20)) + 1.0 for name in names}
    one = excess_map(sky_row(square, **values), 0.25, parameters=ALL)
    turned = {name: np.rot90(array, axes=(1, 2)) for name, array in values.items()}
    other = excess_map(sky_row(square, **turned), 0.25, parameters=ALL)
    for name in one:
        if one[name].ndim == 3:
            expected = np.rot90(one[name].values, axes=(1, 2))
            np.testing.assert_allclose(other[name].values, expected, rtol=1e-9, atol=1e-9, err_msg=str(name))


# --- significance


def test_off_counts_of_zero_with_known_acceptances_are_a_measurement():
    counts = np.zeros(BINS)
    counts[0, 10, 12] = 1
    found = excess_map(sky_row(counts=counts, counts_off=0.0, acceptance=1.0, acceptance_off=10.0), 0.0999)
    assert found["sqrt_ts"].values[0, 10, 12] == pytest.approx(math.sqrt(2 * math.log(11)), rel=1e-12)
    assert found["sqrt_ts"].values[0, 10, 12].round(2) == 2.19
    np.testing.assert_array_equal(found["alpha"].values, 0.1)
    np.testing.assert_array_equal(found["npred_excess"].values, counts.sum(axis=0)[np.newaxis])


@pytest.mark.parametrize("correlate_off", [True, False])
def test_the_significance_with_off_counts_is_that_of_li_and_ma(correlate_off):
    found = excess_map(on_off(), 0.25, parameters={"correlate_off": correlate_off})
    n, m, alpha = (found[name].values for name in ("counts", "counts_off", "alpha"))
    total = n + m
    terms = n * np.log((1 + alpha) / alpha * n / total) + m * np.log((1 + alpha) * m / total)
    expected = np.sign(n - alpha * m) * np.sqrt(np.maximum(2 * terms, 0.0))
    np.testing.assert_allclose(found["sqrt_ts"].values, expected, atol=1e-6)
    np.testing.assert_allclose(found["ts"].values, stats.wstat(n, m, alpha, 0.0), atol=1e-9)
    np.testing.assert_allclose(found["background"].values, alpha * m, rtol=1e-12)


def test_the_significance_over_a_known_background_is_that_of_cash():
    found = excess_map(drawn(), 0.25)
    n, background = found["counts"].values, found["background"].values
    expected = stats.cash(n, background) - stats.cash(n, n)
    np.testing.assert_allclose(found["ts"].values, expected, atol=1e-9)
    np.testing.assert_array_equal(np.sign(found["sqrt_ts"].values), np.sign(found["npred_excess"].values))


def test_many_off_counts_are_a_known_background():
    counts = np.random.default_rng(5).poisson(3.0, BINS)
    known = excess_map(sky_row(counts=counts, background=3.0), 0.2)
    off = excess_map(sky_row(counts=counts, counts_off=3e7, acceptance=1.0, acceptance_off=1e7), 0.2)
    np.testing.assert_allclose(off["sqrt_ts"].values, known["sqrt_ts"].values, atol=1e-5)


def test_errors_and_limits_are_where_the_statistic_has_risen():
    for row, rise in ((drawn(mean=0.3), 1e-6), (on_off(mean_off=2.0), 1e-6)):
        found = excess_map(row, 0.1, parameters=ALL | {"n_sigma": 1.5, "n_sigma_ul": 2.5})
        values = {name: found[name].values for name in found if found[name].ndim == 3}
        if "alpha" in values:
            data = stats.WstatCounts(values["counts"], values["counts_off"], values["alpha"])
        else:
            data = stats.CashCounts(values["counts"], values["background"])
        best, norm = data.stat(data.best_signal), values["norm"]
        up, limit = norm + values["norm_errp"], values["norm_ul"]
        np.testing.assert_allclose(data.stat(up) - best, 1.5**2, atol=rise)
        np.testing.assert_allclose(data.stat(limit) - best, 2.5**2, atol=rise)
        seen = values["counts"] > 0
        np.testing.assert_allclose((data.stat(norm - values["norm_errn"]) - best)[seen], 1.5**2, atol=rise)


def test_a_row_without_signal_has_a_normal_significance():
    row = drawn(7, mean=30.0)
    found = excess_map(row, 0.0999, ENERGY.edges)["sqrt_ts"].values
    assert abs(found.mean()) < 4 / math.sqrt(found.size)
    assert found.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * found.size))


# --- fluxes


def test_the_flux_of_a_source_within_the_circle_is_found():
    spectrum = PowerLawSpectralModel(amplitude=3e-12 * u.Unit("cm-2 s-1 TeV-1"))
    flux = PowerLawSpectralModel().flux(ENERGY_TRUE.edges) * 1e4
    expected = (flux * 1e12) @ response()
    counts = np.zeros(BINS)
    counts[:, 10, 12] = 3 * expected
    row = sky_row(counts=counts, background=1e-3, exposure=1e12)
    found = excess_map(row, 0.2, ENERGY.edges[::2], response=response())
    background = found["background"].values[:, 10, 12]
    share = expected.reshape(2, 2).sum(axis=1)
    np.testing.assert_allclose(found["norm"].values[:, 10, 12], 3 - background / share, rtol=1e-12)
    np.testing.assert_allclose(found["norm_err"].values[:, 10, 12], np.sqrt(3 / share), rtol=1e-12)
    bounds = [[1, 10], [10, 100]] * u.TeV
    np.testing.assert_allclose(
        3 * found["ref_flux"].values, spectrum.integral(bounds[:, 0], bounds[:, 1]).to_value("cm-2 s-1"), rtol=1e-12
    )
    assert PowerLawSpectralModel.from_dict(found.attrs["spectrum"]).index.value == 2.0


def test_norms_of_a_fainter_reference_are_larger():
    row = drawn(exposure=1e12)
    faint = PowerLawSpectralModel(amplitude=1e-13 * u.Unit("cm-2 s-1 TeV-1"))
    one, ten = (
        excess_map(row, 0.2, parameters=ALL, spectrum=spectrum, response=response()) for spectrum in (None, faint)
    )
    for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul"):
        np.testing.assert_allclose(ten[name], 10 * one[name], rtol=1e-9)
        np.testing.assert_allclose(ten[name] * ten["ref_flux"], one[name] * one["ref_flux"], rtol=1e-9)
    np.testing.assert_array_equal(ten["sqrt_ts"], one["sqrt_ts"])


def test_a_reference_is_seen_in_the_bins_that_are_used():
    mask = np.ones(BINS, dtype=bool)
    mask[:2, :, :12] = False
    mask[:, 3, 4] = False
    row = drawn(mean=2.3, mask_safe=mask, exposure=1e12)
    whole = excess_map(row, 0.0999, response=response())
    expected = (PowerLawSpectralModel().flux(ENERGY_TRUE.edges) * 1e16) @ response()
    found = (whole["npred_excess"] / whole["norm"]).values[0]
    np.testing.assert_allclose(found[0, 12:], expected.sum(), rtol=1e-9)
    np.testing.assert_allclose(found[0, :12], expected[2:].sum(), rtol=1e-9)


def test_without_an_exposure_norms_are_counts():
    found = excess_map(drawn(), 0.2)
    np.testing.assert_array_equal(found["norm"], found["npred_excess"])
    assert "ref_flux" not in found
    assert "spectrum" not in found.attrs


# --- what is not known


@pytest.mark.parametrize("name", ["counts", "background"])
def test_a_number_that_is_not_finite_spoils_its_own_pixel_alone(name):
    row, broken = drawn(exposure=1e12), drawn(exposure=1e12)
    broken[name][0, :, 10, 12] = np.nan
    mask = np.ones(SHAPE, dtype=bool)
    mask[10, 12] = False
    masked = excess_map(row.assign(mask_safe=row["mask_safe"] & mask), 0.2, parameters=ALL, response=response())
    found = excess_map(broken, 0.2, parameters=ALL, response=response())
    xr.testing.assert_identical(found, masked)
    assert int(np.isnan(found["sqrt_ts"].values).sum()) == 1


def test_an_exposure_that_is_not_finite_spoils_no_other_pixel():
    exposure = np.full((ENERGY_TRUE.nbin, *SHAPE), 1e12)
    exposure[2, 10, 12] = np.nan
    found = excess_map(drawn(exposure=exposure), 0.2, response=response())
    whole = excess_map(drawn(exposure=1e12), 0.2, response=response())
    np.testing.assert_allclose(found["norm"], whole["norm"], rtol=1e-12)


def test_acceptances_that_are_not_known_spoil_their_own_pixel_alone():
    row = on_off()
    row["acceptance_off"][0, :, 10, 12] = 0.0
    found = excess_map(row, 0.2, parameters=ALL)
    unknown = np.isnan(found["sqrt_ts"].values[0])
    assert unknown.sum() == 1
    assert unknown[10, 12]


def test_counts_without_an_expected_background_have_no_significance():
    background = np.ones(SHAPE)
    background[:, 12:] = 0.0
    found = excess_map(sky_row(counts=1.0, background=background), 0.0999)
    assert np.isnan(found["sqrt_ts"].values[0, :, 12:]).all()
    assert np.isfinite(found["sqrt_ts"].values[0, :, :12]).all()
    np.testing.assert_array_equal(found["npred_excess"].values[0, :, 12:], 4.0)


# --- what is refused


@pytest.mark.parametrize(
    ("radius", "text"),
    [
        (0.04, "a circle of 0.04 deg is smaller than a pixel of 0.1 deg"),
        (1.3, "a circle of 1.3 deg is wider than the map, which is 2.4 deg wide"),
        (-0.1, "expected an angle above 0 deg, got -0.1"),
        (math.nan, "expected an angle above 0 deg, got nan"),
    ],
)
def test_a_circle_that_fits_neither_pixels_nor_map_is_refused(radius, text):
    with pytest.raises(ConfigError, match=rf"excess_map\.correlation_radius: {text}"):
        excess_map(drawn(), radius)


@pytest.mark.parametrize(
    ("edges", "text"),
    [
        ([200.0, 300.0], "1 of 1 planes lie outside of the energies of the datasets, 1 to 100 TeV"),
        ([0.1, 1.0, 10.0], "1 of 2 planes lie outside"),
        ([10.0, 1.0], "expected at least two ascending edges"),
        ([1.01, 1.02], "every bin asked for between 1.01 and 1.02 TeV is narrower"),
    ],
)
def test_edges_without_data_are_refused(edges, text):
    with pytest.raises(ConfigError, match=rf"excess_map\.energy_edges: {text}"):
        excess_map(drawn(), 0.1, edges)


def test_a_row_without_a_background_is_refused():
    with pytest.raises(DataError, match="the dataset 'stacked' has no background"):
        excess_map(sky_row(counts=1.0), 0.1)
    with pytest.raises(DataError, match="the dataset 'stacked' has no acceptance"):
        excess_map(sky_row(counts=1.0, counts_off=1.0), 0.1)


def test_several_rows_are_refused():
    both = xr.concat([drawn(), drawn(1, name="other")], "dataset", data_vars="minimal")
    with pytest.raises(DataError, match="expected one dataset, got 2; stack them"):
        excess_map(both, 0.1)


def test_a_mask_or_a_response_of_another_shape_is_refused():
    with pytest.raises(DataError, match=r"expected a mask of the shape \(4, 20, 24\), got \(2, 2\)"):
        excess_map(drawn(), 0.1, used=np.ones((2, 2), bool))
    with pytest.raises(DataError, match=r"expected an energy dispersion of the shape \(6, 4\), got \(4, 6\)"):
        excess_map(drawn(exposure=1e12), 0.1, response=np.ones((4, 6)))


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"selection_optional": ["ull"]}, "'ull' is not an optional result. Did you mean 'ul'"),
        ({"selection_optional": 3}, "expected all, null or a list"),
        ({"n_sigma": 0.0}, "more than 0"),
        ({"radius": 0.1}, "has no parameter 'radius'"),
    ],
)
def test_parameters_that_are_not_known_are_refused(parameters, text):
    with pytest.raises(ConfigError, match=text):
        excess_map(drawn(), 0.1, parameters=parameters)


# --- the product


@pytest.mark.parametrize("row", [drawn(), drawn(exposure=1e12), on_off(exposure=1e12)])
@pytest.mark.parametrize("parameters", [None, ALL])
def test_the_product_is_as_the_format_says(row, parameters):
    found = excess_map(row, 0.2, ENERGY.edges, parameters, response=response() if "exposure" in row else None)
    assert product_violations({"": found}, PRODUCTS[Kind.EXCESS_MAP]) == []


def test_a_broken_product_is_found():
    found = excess_map(on_off(), 0.2)
    wrong = found.assign(npred_excess=found["npred_excess"] * 1.01)
    assert [str(one.where) for one in product_violations({"": wrong}, PRODUCTS[Kind.EXCESS_MAP])] == ["npred_excess"]
    flipped = found.assign(sqrt_ts=-found["sqrt_ts"])
    assert [one.where for one in product_violations({"": flipped}, PRODUCTS[Kind.EXCESS_MAP])] == ["sqrt_ts"]
    cut = found.isel(x=slice(0, 3))
    assert [one.where for one in product_violations({"": cut}, PRODUCTS[Kind.EXCESS_MAP])] == ["image attrs npix"]
    other = found.assign_attrs(statistic="cash")
    assert [one.where for one in product_violations({"": other}, PRODUCTS[Kind.EXCESS_MAP])] == ["attrs statistic"]


def test_the_map_of_a_window_knows_where_it_lies():
    row = drawn()
    whole = image((40, 30))
    window = whole.__class__(whole.lon, whole.lat, "icrs", 0.1, (40, 30), (24, 20))
    placed = row.assign_coords(window.coords(np.array([[7, 5]])))
    found = excess_map(placed, 0.1)
    space = window.from_coords(found.coords, (20, 24))
    for one, other in zip(space.positions(), window.positions(np.array([7, 5])), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_optional_results_are_in_their_order_whatever_was_asked():
    assert ExcessMapParameters(selection_optional=["ul", "errn-errp"]).selection_optional == ("errn-errp", "ul")
    assert ExcessMapParameters(selection_optional="ul").selection_optional == ("ul",)
    assert ExcessMapParameters().selection_optional == ()
