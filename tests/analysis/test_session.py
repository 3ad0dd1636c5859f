"""``Analysis``: what each method needs, does, logs and raises; the classes are those that users of Gammapy catch."""

import numpy as np
import pytest
import xarray as xr

from releases import MODEL, config_of, until_datasets, whole
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.datasets import Datasets
from xgamma.errors import ConfigError, OrderError, OutputExistsError, UnknownNameError
from xgamma.models import Models, PowerLawSpectralModel, SkyModel

POWER_LAW = AnalysisConfig(models=MODEL).to_yaml().partition("models:\n")[2]
NO_DATASETS = "No datasets are there to hold models; call get_datasets() or read_datasets() first."


def crab(name="crab"):
    return SkyModel(spectral_model=PowerLawSpectralModel(amplitude="4e-10 cm-2 s-1 TeV-1", index=2.4), name=name)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store shared by all tests of this module: what one has computed the next ones find."""
    return tmp_path_factory.mktemp("session") / "store"


@pytest.fixture
def fresh(tiny_release, store):
    return Analysis(config_of(tiny_release, store))


@pytest.fixture
def reduced(tiny_release, store):
    return until_datasets(config_of(tiny_release, store))


@pytest.fixture
def fitted(reduced):
    reduced.set_models([crab()])
    reduced.run_fit()
    return reduced


# --- before anything


def test_every_product_is_none_before_its_step(fresh):
    names = ("datastore", "observations", "datasets", "fit_result", "flux_points")
    assert [getattr(fresh, name) for name in names] == [None] * 5
    assert fresh.unused == []
    assert fresh.computed == set()


def test_a_mapping_is_a_configuration():
    analysis = Analysis({"general": {"outdir": "there"}})
    assert str(analysis.config.general.outdir) == "there"


@pytest.mark.parametrize("wrong", [3, "config.yaml", None, ["datasets"]])
def test_a_configuration_of_another_type_raises(wrong):
    with pytest.raises(TypeError, match="expected an AnalysisConfig or a mapping, got a "):
        Analysis(wrong)


def test_a_configuration_that_breaks_a_rule_raises_at_once():
    config = AnalysisConfig()
    config.datasets.geom.axes.energy.max = "0.5 TeV"
    with pytest.raises(ValueError, match=r"^datasets.geom.axes.energy: expected min < max, got min: 1.0 TeV and max: "):
        Analysis(config)


# --- methods out of order


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.get_datasets(), "There are no observations to reduce; call get_observations() first."),
        (lambda a: a.set_models([crab()]), NO_DATASETS),
        (lambda a: a.set_models("components: []"), NO_DATASETS),
        (lambda a: a.read_models("nowhere.yaml"), NO_DATASETS),
        (lambda a: a.models, NO_DATASETS),
        (lambda a: setattr(a, "models", [crab()]), NO_DATASETS),
        (lambda a: a.write_models(), "general.models_file is not set; say there where the models go."),
        (lambda a: a.read_datasets(), "general.datasets_file is not set; say there where the datasets are."),
        (lambda a: a.write_datasets(), "general.datasets_file is not set; say there where the datasets go."),
        (lambda a: a.run_fit(), "There are no datasets to fit; call get_datasets() or read_datasets() first."),
        (
            lambda a: a.get_flux_points(),
            "There are no datasets to compute flux points of; call get_datasets() or read_datasets() first.",
        ),
        (
            lambda a: a.get_excess_map(),
            "There are no datasets to make an excess map of; call get_datasets() or read_datasets() first.",
        ),
    ],
)
def test_a_method_out_of_order_names_the_step_that_is_missing(fresh, call, message):
    with pytest.raises(RuntimeError) as error:
        call(fresh)
    assert str(error.value) == message
    assert isinstance(error.value, OrderError)
    assert error.value.exit_code == 2
    assert fresh.datasets is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.run_fit(), "There are no models to fit; call set_models() first."),
        (lambda a: a.get_flux_points(), "There are no models to compute flux points of; call set_models() first."),
    ],
)
def test_a_fit_without_models_raises(reduced, call, message):
    with pytest.raises(RuntimeError) as error:
        call(reduced)
    assert str(error.value) == message


def test_writing_datasets_before_their_step_raises(fresh, tmp_path):
    fresh.config.general.datasets_file = str(tmp_path / "datasets.zarr")
    with pytest.raises(RuntimeError, match=r"^There are no datasets to write; call get_datasets\(\) first.\n"):
        fresh.write_datasets()
    fresh.config.general.models_file = str(tmp_path / "models.yaml")
    with pytest.raises(RuntimeError, match=r"^No datasets are there to hold models"):
        fresh.write_models()


def test_an_excess_map_of_spectra_raises(reduced):
    with pytest.raises(ValueError, match="excess_map: cannot make an excess map of 1D datasets, which have no pixels"):
        reduced.get_excess_map()
    assert reduced.excess_map is None


# --- observations and datasets


def test_the_steps_log_what_they_do(tiny_release, caplog):
    analysis = Analysis(config_of(tiny_release, "memory://"))
    analysis.get_observations()
    analysis.get_datasets()
    said = [record.getMessage() for record in caplog.records]
    expected = [
        "Fetching observations.",
        "Observations selected: 3 out of 3.",
        "Number of selected observations: 3",
        "Reducing spectrum datasets.",
        "Reduced 3 rows, found 0 in the store.",
        "The stack was computed.",
    ]
    assert [line for line in said if line in expected] == expected
    assert analysis.observations.ids == ["1", "2", "3"]
    assert analysis.datasets.names == ["stacked"]


def test_only_what_is_new_is_computed(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store")
    assert whole(config).computed == {"observations", "datasets", "fit", "flux_points"}
    assert whole(config).computed == set()
    assert whole(config.update("fit: {fit_range: {max: 15 TeV}}")).computed == {"fit", "flux_points"}
    assert whole(config.update("flux_points: {energy: {nbins: 3}}")).computed == {"flux_points"}
    assert whole(config.update("datasets: {stack: false}")).computed == {"fit", "flux_points"}


def test_a_step_sees_the_configuration_as_it_is_then(tiny_release, store):
    analysis = until_datasets(config_of(tiny_release, store, "datasets: {stack: false}"))
    assert analysis.datasets.names == ["1", "2", "3"]
    analysis.config.datasets.stack = True
    analysis.get_datasets()
    assert analysis.datasets.names == ["stacked"]
    analysis.config.observations.obs_ids = [3, 1]
    analysis.get_observations()
    assert analysis.observations.ids == ["3", "1"]


def test_a_configuration_broken_in_place_raises_before_the_step(fresh):
    fresh.get_observations()
    fresh.config.datasets.geom.axes.energy.min = "50 TeV"
    with pytest.raises(ConfigError, match=r"^datasets.geom.axes.energy: expected min < max"):
        fresh.get_datasets()
    assert fresh.datasets is None


def test_a_dataset_without_background_gives_a_warning(tiny_release, caplog):
    text = "datasets: {background: {method: null}}"
    analysis = until_datasets(config_of(tiny_release, "memory://", text))
    assert "datasets.background.method is not set: the counts have no background." in caplog.messages
    assert analysis.datasets["stacked"].data.data_vars.keys().isdisjoint({"counts_off"})


# --- models


def test_models_are_given_as_models_a_list_or_yaml(reduced):
    for given in (Models([crab()]), [crab()], (crab(),), POWER_LAW):
        reduced.set_models(given, extend=False)
        assert reduced.models.names == ["crab"]
        assert reduced.datasets[0].models.names == ["crab"]


@pytest.mark.parametrize("wrong", [crab(), 3, None])
def test_a_single_model_goes_into_a_list(reduced, wrong):
    with pytest.raises(TypeError) as error:
        reduced.set_models(wrong)
    assert str(error.value) == (
        f"set_models: expected Models, a list of models or a YAML text, got a {type(wrong).__name__}; "
        "put one model into a list."
    )


@pytest.mark.parametrize(
    ("wrong", "shown"), [([3], "3"), (["crab"], "'crab'"), ([PowerLawSpectralModel()], r"PowerLawSpectralModel\(")]
)
def test_a_list_of_something_else_raises(reduced, wrong, shown):
    with pytest.raises(TypeError, match=f"^Models: expected SkyModel objects, got {shown}"):
        reduced.set_models(wrong)
    assert reduced.models.names == []


def test_models_extend_those_already_set(reduced):
    reduced.set_models([crab()])
    reduced.set_models([crab("other")])
    assert reduced.models.names == ["other", "crab"]
    reduced.models = [crab("third")]
    assert reduced.models.names == ["third"]


def test_two_models_with_the_same_name_raise(reduced):
    reduced.set_models([crab()])
    with pytest.raises(ValueError, match="'crab'"):
        reduced.set_models([crab()])
    assert reduced.models.names == ["crab"]
    reduced.set_models([crab()], extend=False)


def test_models_survive_writing_and_reading(fitted, tmp_path, caplog):
    path = tmp_path / "models.yaml"
    fitted.config.general.models_file = str(path)
    fitted.write_models()
    assert f"Models written to {path}." in caplog.messages
    with pytest.raises(OutputExistsError, match="exists already"):
        fitted.write_models(overwrite=False)
    before = fitted.models.parameters["index"]
    fitted.read_models(path, extend=False)
    assert fitted.models.parameters["index"].value == before.value
    assert fitted.models.parameters["index"].error == pytest.approx(before.error, rel=1e-12)


def test_datasets_with_models_survive_writing_and_reading(fitted, tiny_release, store, tmp_path):
    general = f"general: {{datasets_file: {tmp_path}/datasets.fits.gz, models_file: {tmp_path}/models.yaml}}"
    fitted.update_config(general)
    fitted.write_datasets()
    with pytest.raises(OutputExistsError):
        fitted.write_datasets(overwrite=False)
    other = Analysis(config_of(tiny_release, store, general))
    other.read_datasets()
    assert other.models.names == ["crab"]
    xr.testing.assert_identical(other.datasets.to_xarray()[0], fitted.datasets.to_xarray()[0])
    assert other.datasets.stat_sum() == fitted.datasets.stat_sum()
    other.run_fit()
    assert other.fit_result.total_stat == pytest.approx(fitted.fit_result.total_stat, abs=1e-5)


# --- fit and flux points


def test_the_fit_uses_its_energy_range_and_logs_it(reduced, caplog):
    reduced.set_models([crab()])
    reduced.config.fit.fit_range.min = "1 TeV"
    reduced.run_fit()
    assert reduced.fit_result.success
    used = reduced.datasets[0].mask_fit
    assert np.asarray(used).sum() == 5
    said = [line for line in caplog.messages if line.startswith(("Fitting", "The fit"))]
    assert (said[0], said[2]) == ("Fitting datasets.", "The fit was computed.")
    edges = reduced.datasets[0].energy_axis.edges
    low = edges[:-1][np.squeeze(np.asarray(used))][0]
    assert said[1].startswith(f"The fit uses {low:.4g} to ")
    assert said[1].endswith("safe counts are left out.")
    assert f"It converged, statistic {reduced.fit_result.total_stat:.2f}." in caplog.messages


def test_flux_points_need_energies(fitted):
    fitted.config.flux_points.energy.min = None
    with pytest.raises(ValueError, match=r"^flux_points.energy: expected min, max and nbins, or none of them; min not"):
        fitted.get_flux_points()
    fitted.config.flux_points.energy = {"min": None, "max": None, "nbins": None}
    with pytest.raises(ValueError) as error:
        fitted.get_flux_points()
    assert str(error.value) == (
        "flux_points.energy: no energies are given; write for example {min: 1 TeV, max: 20 TeV, nbins: 8}."
    )


def test_flux_points_of_an_unknown_source_raise(fitted):
    fitted.config.models = None
    fitted.config.flux_points.source = "carb"
    with pytest.raises(ValueError) as error:
        fitted.get_flux_points()
    assert str(error.value) == "flux_points.source: no model is called 'carb'. Did you mean 'crab'?"
    assert isinstance(error.value, UnknownNameError)


def test_flux_points_around_a_given_spectrum_are_the_same(fitted):
    fitted.get_flux_points()
    free = fitted.flux_points.data.to_table(sed_type="dnde")
    fitted.models.freeze()
    fitted.get_flux_points()
    known = fitted.flux_points.data.to_table(sed_type="dnde")
    for name in ("dnde", "dnde_err", "dnde_ul", "sqrt_ts"):
        np.testing.assert_array_equal(known[name], free[name])


def test_flux_points_do_not_need_a_fit(reduced):
    reduced.set_models([crab()])
    reduced.get_flux_points()
    assert reduced.fit_result is None
    assert len(reduced.flux_points.data.to_table(sed_type="dnde")) == 4


def test_a_dataset_edited_by_hand_is_not_replaced_by_the_stored_one(fitted):
    before = fitted.fit_result.total_stat
    [data] = fitted.datasets.to_xarray()
    edited = data.assign(counts=2 * data["counts"])
    fitted.datasets = Datasets.from_xarray(edited, models=fitted.models)
    fitted.run_fit()
    assert fitted.fit_result.total_stat != before


# --- configuration


@pytest.mark.parametrize("wrong", [3, None, ["fit"]])
def test_update_config_with_a_wrong_type_raises(fresh, wrong):
    with pytest.raises(TypeError, match="update_config: expected a YAML text, a mapping or an AnalysisConfig, got a "):
        fresh.update_config(wrong)


def test_update_config_merges(fresh, store):
    fresh.update_config("fit: {fit_range: {max: 10 TeV}}")
    assert str(fresh.config.fit.fit_range.max) == "10.0 TeV"
    assert str(fresh.config.fit.fit_range.min) == "0.5 TeV"
    fresh.update_config(AnalysisConfig(general={"outdir": "there"}))
    assert str(fresh.config.general.outdir) == "there"
    assert fresh.config.general.store_location() == str(store)
    with pytest.raises(ConfigError, match="Did you mean 'fit'"):
        fresh.update_config("fitt: {}")
