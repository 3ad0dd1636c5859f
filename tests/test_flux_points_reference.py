"""Flux points do not depend on where a fit of the amplitude ended; each bin of the datasets is in one row at most."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st

from simulated_spectra import cash_dataset, models, on_off_dataset, power_law, response_dataset
from xgamma import stats
from xgamma.axes import Axis
from xgamma.errors import ConfigError
from xgamma.estimate import FluxPointsParameters, flux_points
from xgamma.estimate.energy_groups import EnergyGroups
from xgamma.fit import fit
from xgamma.models.models import Models, SkyModel
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.powerlaws import PowerLawNormSpectralModel, PowerLawSpectralModel
from xgamma.predict import npred_signal

ALL = {"selection_optional": ["errn-errp", "ul"]}
FLUXES = ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul")
NUMBERS = ("ts", "sqrt_ts", "stat", "stat_null", "is_ul", "success", "npred_excess")
EDGES = [0.5, 2.0, 10.0, 50.0]


def dnde(ds, source, **parameters):
    """Return dN/dE with errors and limits, and the numbers that are not fluxes."""
    points = flux_points([ds], source, "source", EDGES, parameters={**ALL, **parameters})
    assert (points["ref_dnde"] > 0).all()
    fluxes = {name: (points[name] * points["ref_dnde"]).values for name in FLUXES}
    return fluxes | {name: points[name].values for name in NUMBERS}


def assert_alike(one, other):
    for name, values in one.items():
        scale = np.nanmax(np.abs(one["norm_err"])) if name in FLUXES else 1.0
        np.testing.assert_allclose(other[name], values, rtol=1e-6, atol=1e-7 * scale, err_msg=name)


def skies():
    signal = npred_signal(response_dataset(), models(power_law(amplitude=2e-12))).values
    deficit = on_off_dataset(0.0, background=6.0)
    deficit["counts"][:] = 1.0
    no_off = on_off_dataset(signal, background=0.5, seed=3)
    no_off["counts_off"][:] = 0.0
    empty = on_off_dataset(0.0, background=0.0)
    return {
        "source": on_off_dataset(signal, seed=1),
        "empty": on_off_dataset(0.0, background=0.3, seed=2),
        "deficit": deficit,
        "no off counts": no_off,
        "no counts": empty,
        "cash": cash_dataset(np.random.default_rng(4).poisson(1.0, 10), background=1.5),
    }


@pytest.mark.some_long(4)
@pytest.mark.parametrize("sky", list(skies()))
@pytest.mark.parametrize("amplitude", [-1e-12, -1e-21, 0.0, 1e-26, 1e-15, 1e-8, 1e-5])
def test_fluxes_do_not_depend_on_sign_and_size_of_the_amplitude(sky, amplitude):
    ds = skies()[sky]
    assert_alike(dnde(ds, models(power_law(amplitude=1e-12))), dnde(ds, models(power_law(amplitude=amplitude))))


@pytest.mark.some_long(3)
@pytest.mark.parametrize("limits", [(0.0, np.nan), (2e-12, 4e-12), (np.nan, 1e-13), (-1.0, 1.0)])
def test_limits_of_the_amplitude_do_not_cut_the_points(limits):
    for ds in skies().values():
        source = models(power_law(amplitude=3e-12))
        free = dnde(ds, source)
        source.parameters["amplitude"].min, source.parameters["amplitude"].max = limits
        assert_alike(free, dnde(ds, source))
        source.freeze()
        assert_alike(free, dnde(ds, source))


def test_errors_and_limits_are_positive_and_signs_are_those_of_the_excess():
    for ds in skies().values():
        found = dnde(ds, models(power_law(amplitude=-1e-12)))
        for name in FLUXES[1:]:
            assert (found[name] > 0).all() or name == "norm_errn", name
        background = 0.1 * ds["counts_off"] if "counts_off" in ds else ds["background"]
        groups = EnergyGroups.nearest(Axis.from_coords(ds.coords, "energy"), np.array(EDGES)).spans()
        excess = [float((ds["counts"] - background)[..., first:last].sum()) for first, last in groups]
        for root, value in zip(found["sqrt_ts"], excess, strict=True):
            assert np.sign(root) == np.sign(value) or abs(root) < 0.5
            assert not (root == 0.0 and np.signbit(root))


def test_an_upper_limit_is_where_the_statistic_has_risen_enough():
    ds = skies()["empty"]
    source = models(power_law(amplitude=-1e-20))
    points = flux_points([ds], source, "source", EDGES, parameters=ALL)
    shape = npred_signal(ds, models(power_law(amplitude=1e-12))).values
    unit = models(power_law(amplitude=1e-12))[0].spectral_model.dnde(points["energy"].values)
    for group, (first, last) in enumerate(
        EnergyGroups.nearest(Axis.from_coords(ds.coords, "energy"), np.array(EDGES)).spans()
    ):
        on, off, signal = (array[..., first:last] for array in (ds["counts"].values, ds["counts_off"].values, shape))
        limit = float(points["norm_ul"][group] * points["ref_dnde"][group] / unit[group])
        norms = np.linspace(-limit, limit, 4001)
        least = min(float(stats.wstat(on, off, 0.1, norm * signal).sum()) for norm in norms)
        assert float(stats.wstat(on, off, 0.1, limit * signal).sum()) == pytest.approx(least + 4.0, abs=2e-3)


def test_a_reference_that_predicts_nothing_is_replaced_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        points = flux_points([skies()["source"]], models(power_law(amplitude=-1e-22)), "source", EDGES)
    assert "the spectrum of 'source' predicts" in caplog.text
    assert "multiples of one that predicts 1 count" in caplog.text
    # One count in all bins.
    assert float((points["npred_excess"].sum("dataset") / points["norm"]).sum()) == pytest.approx(1.0)


def test_flux_points_can_follow_a_fit_of_an_empty_sky():
    ds = skies()["empty"]
    expected = dnde(ds, models(power_law(amplitude=1e-12)))
    source = models(power_law(amplitude=1e-12))
    source.parameters["index"].frozen = True
    fit([ds], source)
    assert_alike(expected, dnde(ds, source))


def test_a_source_of_several_norms_is_scaled_as_a_whole():
    ds = skies()["source"]
    alone = dnde(ds, models(power_law(amplitude=2e-12)))
    half = PowerLawSpectralModel(index=2.3, amplitude="1e-12 cm-2 s-1 TeV-1")
    for spectrum in (half + half.copy(), half * PowerLawNormSpectralModel(norm=2.0)):
        assert_alike(alone, dnde(ds, Models([SkyModel(spectrum, name="source")])))


def test_other_sources_with_a_linked_amplitude_stay_as_they_are():
    ds = skies()["source"]
    other, source = power_law("other", amplitude=0.0), power_law("source", amplitude=0.0)
    source.spectral_model.amplitude = other.spectral_model.amplitude
    assert_alike(dnde(ds, models(power_law(amplitude=1e-12))), dnde(ds, models(source, other)))
    assert other.spectral_model.amplitude.value == 0.0


def test_a_source_that_contributes_nowhere_raises():
    ds = skies()["source"]
    with pytest.raises(ConfigError, match=r"source is for run-7; the datasets are run-0"):
        dnde(ds, models(power_law(datasets_names=["run-7"]), power_law("other")))
    with pytest.raises(ConfigError, match="'source' predicts no numbers"):
        dnde(ds, models(power_law(amplitude=float("nan"))))


# --- one row for each bin


@settings(deadline=None)
@given(
    st.lists(st.floats(0.05, 500.0), min_size=2, max_size=40, unique=True).map(sorted),
    st.integers(1, 30),
)
def test_rows_never_overlap(edges, nbin):
    axis = Axis.from_bounds("energy", 0.5, 50.0, nbin)
    try:
        groups = EnergyGroups.nearest(axis, np.array(edges))
    except ConfigError as error:
        assert "narrower than the datasets' bins" in str(error)
        return
    low, high = groups.bounds.T
    assert (low < high).all()
    assert (high[:-1] <= low[1:]).all()
    spans = [place for first, last in groups.spans() for place in range(first, last)]
    assert len(spans) == len(set(spans))
    assert len(groups.narrow) + groups.size == len(edges) - 1


def test_points_finer_than_the_axis_give_one_row_a_bin_and_one_warning(caplog):
    ds = skies()["source"]
    with caplog.at_level(logging.WARNING):
        points = flux_points([ds], models(), "source", np.geomspace(0.5, 50.0, 61))
    assert points.sizes["energy"] == ds.sizes["energy"]
    np.testing.assert_allclose(points["energy_bounds"], ds["energy_bounds"])
    assert len(caplog.records) == 1
    assert caplog.text.count("narrower than the datasets' bins, left out") == 1
    assert "and 42 more" in caplog.text


def test_points_of_which_none_holds_a_bin_raise():
    with pytest.raises(ConfigError, match=r"every bin asked for between 1 and 1\.01 TeV is narrower"):
        flux_points([skies()["source"]], models(), "source", [1.0, 1.01])


@pytest.mark.parametrize(
    ("edges", "rows"),
    [
        ([0.01, 0.1, 5.0], [(0.01, 0.1), (0.5, 5.0)]),
        ([0.01, 0.6, 5.0], [(0.5, 5.0)]),
        ([5.0, 48.0, 100.0], [(5.0, 50.0)]),
        ([5.0, 60.0, 100.0], [(5.0, 50.0), (60.0, 100.0)]),
        ([5.0, 50.0, 100.0], [(5.0, 50.0), (50.0, 100.0)]),
    ],
)
def test_edges_off_the_axis_give_disjoint_rows(edges, rows):
    axis = Axis.from_bounds("energy", 0.5, 50.0, 4)
    groups = EnergyGroups.nearest(axis, np.array(edges))
    np.testing.assert_allclose(groups.bounds, rows)


# --- the norm as Gammapy writes it


def test_the_norm_of_the_scan_is_read_as_gammapy_writes_it():
    norm = {"scan_n_values": 5, "scan_min": 0.1, "scan_max": 10}
    parameters = FluxPointsParameters(norm=norm)
    assert parameters == FluxPointsParameters(norm_n_values=5, norm_min=0.1, norm_max=10.0)
    np.testing.assert_allclose(parameters.norms("log"), [0.1, 10**-0.5, 1, 10**0.5, 10])
    values = FluxPointsParameters(norm={"scan_values": [0.5, 1, 2], "name": "norm", "value": 1})
    assert values.norms("log").tolist() == [0.5, 1.0, 2.0]
    linear = FluxPointsParameters(norm={"interp": "lin", "scan_min": -1, "scan_max": 1, "scan_n_values": 3})
    assert linear.norms("log").tolist() == [-1.0, 0.0, 1.0]
    parameter = Parameter("norm", 1.0, interp="log", scan_min=0.1, scan_max=10.0, scan_n_values=5)
    np.testing.assert_allclose(FluxPointsParameters(norm=parameter).norms("lin"), parameters.norms("log"))


@pytest.mark.parametrize(
    ("norm", "sentence"),
    [
        ({"scan_nvalues": 5}, r"there is no 'scan_nvalues' of a norm\. Did you mean 'scan_n_values'"),
        ({"frozen": True}, "expected a free parameter called 'norm'"),
        ({"min": 2, "max": 1}, "expected min < max"),
        ({"min": "low"}, "flux_points.norm.min: expected a number"),
        ({"scan_n_values": 1e9}, "expected a whole number"),
        ({"scan_n_values": 10**9}, "expected 2 to 10000"),
        ({"scan_min": 0}, "expected norm_min above 0"),
        ({"interp": "sqrt"}, "expected lin or log"),
        (5, "expected a mapping"),
    ],
)
def test_a_wrong_norm_raises_one_clear_error(norm, sentence):
    with pytest.raises(ConfigError, match=sentence):
        FluxPointsParameters(norm=norm)


def test_two_settings_of_the_norm_that_disagree_raise():
    with pytest.raises(ConfigError, match=r"norm_min and norm\.scan_min contradict"):
        FluxPointsParameters(norm_min=0.5, norm={"scan_min": 0.1})


def test_edges_may_be_a_list_of_quantities():
    ds = skies()["source"]
    one = flux_points([ds], models(), "source", [0.5 * u.TeV, 5000 * u.GeV])
    other = flux_points([ds], models(), "source", [0.5, 5.0])
    assert one.equals(other)
