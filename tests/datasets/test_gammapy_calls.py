"""The calls of the 1D interface of Gammapy: names, fits of anything, the estimator, masks of energy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from builders import on_off_dataset
from xgamma import fit as functions
from xgamma.analysis import AnalysisConfig
from xgamma.datasets import Datasets, FluxPoints, FluxPointsDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError
from xgamma.estimate import flux_points
from xgamma.estimators import FluxPointsEstimator
from xgamma.modeling import Fit
from xgamma.modeling.models import Models, Parameter, PowerLawSpectralModel, SkyModel, create_crab_spectral_model

EDGES = u.Quantity([1, 3, 10], "TeV")


def source(name="crab", **options):
    spectrum = PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1")
    return SkyModel(spectrum, name=name, **options)


def spectrum(name="23523", seed=1):
    return SpectrumDatasetOnOff(on_off_dataset(seed=seed, names=[name]))


def points_of(dataset, **options):
    dataset.models = Models([source()])
    points = FluxPointsEstimator(energy_edges=EDGES, source="crab", **options).run(dataset)
    return FluxPointsDataset(points, name="points")


# --- fits


def numbers(datasets, models):
    for dataset in datasets if isinstance(datasets, list) else [datasets]:
        dataset.models = models
    result = Fit().run(datasets)
    return [result.total_stat, *models.parameters.value, *models.parameters.errors]


def test_one_dataset_a_list_and_a_collection_give_the_same_fit():
    one, two = spectrum("a", 1), spectrum("b", 2)
    [expected, *_] = [numbers(Datasets([one, two]), Models([source()]))]
    assert numbers([one, two], Models([source()])) == expected
    assert numbers([Datasets([one]), two], Models([source()])) == expected
    single = numbers(one, Models([source()]))
    assert numbers([one], Models([source()])) == single
    assert numbers(Datasets(one), Models([source()])) == single


def test_flux_points_are_fitted_alone_in_a_list_and_in_a_collection():
    points = points_of(spectrum())
    expected = numbers(points, Models([source()]))
    assert expected[0] == pytest.approx(points.stat_sum(), abs=1e-9)
    assert numbers([points], Models([source()])) == expected
    assert numbers(Datasets([points]), Models([source()])) == expected
    assert numbers(Datasets(points), Models([source()])) == expected
    assert np.isfinite(expected).all()


def test_spectra_and_flux_points_are_fitted_together():
    counts, points = spectrum("a", 3), points_of(spectrum("b", 4))
    datasets, models = Datasets([points, counts]), Models([source()])
    total = numbers(datasets, models)[0]
    assert datasets.names == ["points", "a"]
    assert datasets["points"] is points
    assert total == pytest.approx(counts.stat_sum() + points.stat_sum())
    assert datasets.stat_sum() == pytest.approx(total)
    assert len(datasets.info_table()) == 1
    assert datasets.copy().names == datasets.names
    assert "points" in str(datasets)
    for call in (datasets.stack_reduce, lambda: datasets.write("x.fits"), datasets.to_gammapy):
        with pytest.raises(ConfigError, match="takes spectra, and 'points' are flux points"):
            call()


def test_points_with_asymmetric_errors_only_are_fitted_with_their_mean():
    points = points_of(spectrum(), selection_optional=["errn-errp"])
    bare = FluxPointsDataset(FluxPoints(points.data.data.drop_vars("norm_err")), name="points")
    models = Models([source()])
    assert numbers(bare, models)[0] == pytest.approx(bare.stat_sum(), abs=1e-9)


def test_a_model_may_name_the_flux_points():
    points = points_of(spectrum())
    assert numbers(points, Models([source(datasets_names=["points"])]))[0] >= 0
    with pytest.raises(ConfigError, match="no model names the dataset points; crab is for stacked"):
        numbers(points, Models([source(datasets_names=["stacked"])]))


def test_fitting_another_type_raises():
    one, two = spectrum("a", 1), spectrum("b", 2)
    one.models, two.models = Models([source("x")]), Models([source("y")])
    with pytest.raises(ConfigError, match="The datasets hold different models"):
        Fit().run([one, two])
    with pytest.raises(ConfigError, match="expected at least one dataset"):
        Fit().run([])
    with pytest.raises(ConfigTypeError, match="expected Datasets, a list of datasets or one dataset, got a Dataset"):
        Fit().run(one.data)
    with pytest.raises(LaterError, match="store_trace"):
        Fit(store_trace=True)
    with pytest.raises(ConfigError, match="expected confidence_opts"):
        Fit(confidence_opts={"backend": "scipy"})


def test_profiles_and_errors_accept_what_a_fit_accepts():
    one, models = spectrum(), Models([source()])
    one.models = models
    fit = Fit()
    fit.run([one])
    assert fit.confidence([one], "crab.spectral.index")["success"]
    index = models.parameters["index"]
    index.scan_n_values, index.scan_min, index.scan_max = 3, 2.0, 3.0
    profile = fit.stat_profile([one], index)
    assert profile["crab.spectral.index_scan"].tolist() == [2.0, 2.5, 3.0]
    index.scan_values = [2.2, 2.4]
    assert fit.stat_profile([one], "index")["crab.spectral.index_scan"].tolist() == [2.2, 2.4]
    with pytest.raises(ConfigError, match="there is no error to choose values of a scan from"):
        Parameter("x", 1.0).scan_values  # noqa: B018


# --- the estimator


def test_the_estimator_is_the_function_on_datasets_with_models():
    dataset = spectrum()
    dataset.models = Models([source()])
    dataset.mask_fit = dataset.counts.geom.energy_mask(energy_min="1.5 TeV")
    options = {"selection_optional": "all", "n_sigma_ul": 3, "norm": {"scan_n_values": 4, "scan_min": 0.1}}
    expected = flux_points(dataset.fit_inputs(), dataset.models, "crab", EDGES, options)
    for given in (dataset, [dataset], Datasets([dataset])):
        for name in ("crab", 0, -1):
            points = FluxPointsEstimator(energy_edges=EDGES, source=name, fit=Fit(), n_jobs=2, **options).run(given)
            assert isinstance(points, FluxPoints)
            assert points.data.equals(expected)
    assert points.norm_scan.shape == (2, 4)


def test_unknown_options_of_the_estimator_raise():
    dataset = spectrum()
    dataset.models = Models([source()])
    for wrong, sentence in (
        ({"n_sigma": 0}, "n_sigma: expected a number above 0"),
        ({"energy_edges": [3, 1] * u.TeV}, "expected at least two ascending edges"),
        ({"energy_edges": [1, 3] * u.m}, "expected edges in TeV"),
        ({"norm": {"scan_min": 2, "scan_max": 1}}, "expected norm_min < norm_max"),
        ({"selection_optional": "sensitivity"}, "is not an optional result"),
    ):
        with pytest.raises((ConfigError, LaterError), match=sentence):
            FluxPointsEstimator(**wrong)
    with pytest.raises(ConfigError, match="there is no model number 3 among 1"):
        FluxPointsEstimator(source=3).run(dataset)
    with pytest.raises(DataError, match="expected spectra, got flux points"):
        FluxPointsEstimator().run(points_of(dataset))


# --- masks and axes


def test_the_counts_give_a_mask_of_bins_between_two_energies():
    dataset = spectrum()
    edges = dataset.energy_axis.edges * u.TeV
    mask = dataset.counts.geom.energy_mask(edges[1], edges[3])
    np.testing.assert_array_equal(mask, dataset.energy_mask(edges[1], edges[3]))
    assert mask.values[0].tolist() == [False, True, True, *[False] * (len(edges) - 4)]
    dataset.mask_fit = mask
    np.testing.assert_array_equal(dataset.mask_fit, mask)
    rounded = dataset.counts.geom.energy_mask(1.01 * edges[1], 0.99 * edges[3], round_to_edge=True)
    np.testing.assert_array_equal(rounded, mask)
    np.testing.assert_allclose(dataset.counts.geom.energy_axis.edges, edges, rtol=1e-15)
    with pytest.raises(DataError, match="got one without edges of energy"):
        dataset.exposure.geom.energy_mask("1 TeV")


def test_a_section_of_the_configuration_takes_the_values_of_another():
    config = AnalysisConfig()
    axes = config.datasets.geom.axes
    axes.energy_true = axes.energy
    assert axes.energy_true.document() == axes.energy.document()
    axes.energy_true.nbins = 7
    assert axes.energy.nbins == 5
    config.flux_points.energy = axes.energy
    assert config.flux_points.energy.nbins == 5
    config.datasets.on_region = {"frame": "icrs", "lon": "1 deg", "lat": "2 deg", "radius": "1 deg"}
    config.observations.obs_cone = config.datasets.on_region
    assert config.observations.obs_cone.lon == u.Quantity("1 deg")
    with pytest.raises(ConfigError, match=r"datasets\.geom\.axes\.energy: expected a mapping of keys"):
        axes.energy = config.datasets.on_region


# --- names


def test_importing_a_missing_name_raises_with_its_replacement():
    with pytest.raises(ImportError, match=r"sensitivities come with a later version"):
        exec("from xgamma.estimators import SensitivityEstimator")


def test_fits_are_the_same_at_both_import_paths():
    assert Fit is functions.Fit


@pytest.mark.parametrize(
    ("reference", "at_1_and_10_tev"),
    [
        ("meyer", [3.34572011e-11, 7.10690314e-14]),
        ("hegra", [2.83e-11, 6.78869716e-14]),
        ("hess_pl", [3.45e-11, 8.08758941e-14]),
        ("hess_ecpl", [3.50604593e-11, 7.61176567e-14]),
        ("magic_lp", [3.23e-11, 6.29799806e-14]),
        ("magic_ecpl", [3.21663055e-11, 4.42547060e-14]),
    ],
)
def test_published_spectra_of_the_crab_nebula(reference, at_1_and_10_tev):
    model = create_crab_spectral_model(reference)
    np.testing.assert_allclose(model([1, 10] * u.TeV).to_value("cm-2 s-1 TeV-1"), at_1_and_10_tev, rtol=1e-8)
    assert SkyModel(model, name="crab").spectral_model is model
    with pytest.raises(ValueError, match="Did you mean"):
        create_crab_spectral_model(f"{reference}_")
