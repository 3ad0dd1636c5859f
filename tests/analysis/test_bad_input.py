"""Bad input raises one clear error before any work; the result warns of each setting that it could not follow."""

import numpy as np
import pytest

from releases import MODEL, config_of, until_datasets, warnings_of, whole
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.errors import (
    ConfigError,
    DataError,
    FitError,
    InputError,
    MissingInputError,
    OutputError,
    StoreError,
    UnknownNameError,
    XgammaError,
)
from xgamma.fit import Fit
from xgamma.models import Models
from xgamma.store import Store

pytestmark = pytest.mark.draws

# Wider than the axis, whose last edge is the next number after 30 TeV.
WIDE = "fit: {fit_range: {min: 0.5 TeV, max: 31 TeV}}"
FOUR = "flux_points: {energy: {min: 0.5 TeV, max: 30 TeV, nbins: 4}}"

# What is wrong: the change of a good configuration, the class, and the whole sentence; {0} is a folder.
CASES = {
    "unknown observation": (
        "observations: {{obs_ids: [1, 99, 98]}}",
        UnknownNameError,
        "observations.obs_ids: the datastore has no run 99, 98; it has 3 runs from 1 to 3.",
    ),
    "nothing in the cone": (
        "observations: {{obs_cone: {{frame: icrs, lon: 10 deg, lat: 10 deg, radius: 1 deg}}}}",
        ConfigError,
        "observations: the selection holds no run; widen obs_cone or obs_time, or give other obs_ids.",
    ),
    "missing datastore": (
        "observations: {{datastore: {0}/nothing}}",
        MissingInputError,
        "observations.datastore: expected a file or folder, but there is no {0}/nothing.",
    ),
    "datastore without runs": (
        "observations: {{datastore: {0}/empty}}",
        MissingInputError,
        "{0}/empty holds neither hdu-index.fits[.gz] nor FITS files with an EVENTS HDU. Give the folder of a release.",
    ),
    "datastore that is text": (
        "observations: {{datastore: {0}/text}}",
        InputError,
        "{0}/text is not a FITS file: it does not begin with SIMPLE.",
    ),
    "missing exclusion file": (
        "datasets: {{background: {{exclusion: {0}/mask.fits}}}}",
        MissingInputError,
        "datasets.background.exclusion: expected a file or folder, but there is no {0}/mask.fits.",
    ),
    "exclusion file that is text": (
        "datasets: {{background: {{exclusion: {0}/text}}}}",
        InputError,
        "The exclusion mask {0}/text cannot be read as FITS: ",
    ),
    "missing file of ids": (
        "observations: {{obs_file: {0}/ids.txt}}",
        MissingInputError,
        "observations.obs_file: expected a file or folder, but there is no {0}/ids.txt.",
    ),
    "file of words": (
        "observations: {{obs_file: {0}/text}}",
        InputError,
        "observations.obs_file: line 1 of {0}/text begins with 'words'; expected an id.",
    ),
    "missing models file": (
        "models: {0}/models.yaml",
        MissingInputError,
        "models: expected a file or folder, but there is no {0}/models.yaml.",
    ),
    "models file that is text": (
        "models: {0}/text",
        ConfigError,
        "{0}/text: The model document: expected a mapping with 'components', a list of models, got 'words'.",
    ),
    "limits without room": (
        "models: {{components: [{{name: crab, type: SkyModel, spectral: {{type: PowerLawSpectralModel, parameters: "
        "[{{name: index, value: 2, min: 4, max: 1}}]}}}}]}}",
        ConfigError,
        "crab.spectral.index: expected min < max, got 4 and 1; freeze it to keep it.",
    ),
    "negative reference": (
        "models: {{components: [{{name: crab, type: SkyModel, spectral: {{type: PowerLawSpectralModel, parameters: "
        "[{{name: index, value: 2.5}}, {{name: reference, value: -1, unit: TeV}}]}}}}]}}",
        FitError,
        "The spectrum of 'crab' is not a number at the start values (index = 2.5, amplitude = 1e-12, reference = -1); ",
    ),
    "misspelt spectrum": (
        "models: {{components: [{{name: crab, type: SkyModel, spectral: {{type: PowrLawSpectralModel}}}}]}}",
        UnknownNameError,
        "models: components[0]: There is no spectral model called 'PowrLawSpectralModel'. Did you mean ",
    ),
    "no models": (
        "models: null",
        ConfigError,
        "models: the configuration asks for flux_points, and there are no models; write a section 'models', or the "
        "path of a models file as general.models_file.",
    ),
    "step without the one it needs": (
        "steps: [observations, flux_points]",
        ConfigError,
        "steps: flux_points needs datasets; add it, or leave steps out to run all.",
    ),
    "fit of maps": (
        "datasets: {{type: 3d, background: {{method: null}}}}",
        ConfigError,
        "The model 'crab' has no spatial model, which a map needs; give it one, such as a point.",
    ),
    "excess map of spectra": (
        "steps: [observations, datasets, excess_map]",
        ConfigError,
        "steps: excess_map is made of maps, and datasets have type 1d; write type: 3d, or leave excess_map out.",
    ),
    "light curve in intervals and nights": (
        "light_curve: {{time_bins: night, time_intervals: {{start: 2004-12-01, stop: 2004-12-02}}}}",
        ConfigError,
        "light_curve: both time_intervals and time_bins are given; leave one of them out.",
    ),
    "light curve without energies": (
        "steps: [observations, datasets, light_curve]\nlight_curve: {{source: crab}}",
        ConfigError,
        "light_curve.energy_edges: the steps ask for a light curve, and no energies are given. "
        "Write for example {{min: 1 TeV, max: 20 TeV, nbins: 8}}.",
    ),
    "outdir that is a file": (
        "general: {{outdir: {0}/text}}",
        OutputError,
        "general.outdir: expected a folder, but {0}/text is a file; give another folder.",
    ),
    "outdir below a file": (
        "general: {{outdir: {0}/text/deep/down}}",
        OutputError,
        "general.outdir: expected a folder, but {0}/text is a file; give another folder.",
    ),
    "outdir in a bucket": (
        "general: {{outdir: 's3://bucket/out'}}",
        OutputError,
        "general.outdir: expected a local folder, got s3://bucket/out; products can go to a URL by general.store.",
    ),
}
PLANNED_ANYWAY = [name for name in CASES if name.startswith("outdir")]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("words")
    return tmp_path


def changed(release, place, text):
    """Return a good configuration that is changed by ``text``."""
    if text == "models: null":
        config = config_of(release, place / "out" / "store")
        config.models = None
        return config
    return config_of(release, place / "out" / "store", text.format(place))


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", CASES)
def test_bad_input_raises_before_any_work(name, tiny_release, place):
    text, kind, message = CASES[name]
    config = changed(tiny_release, place, text)
    for command in (preview, plan, run):
        if command is plan and name in PLANNED_ANYWAY:
            continue
        with pytest.raises(XgammaError) as error:
            command(config)
        assert type(error.value) is kind
        assert str(error.value).startswith(message.format(place))
        assert "\n" not in str(error.value)
    assert not list((place / "out").rglob("*.zarr"))
    assert not list((place / "out").rglob("record.json"))


def test_a_region_outside_all_fields_of_view_raises_without_reading_a_run(tiny_release, place):
    text = "datasets: {on_region: {frame: icrs, lon: 60 deg, lat: 22 deg, radius: 0.11 deg}}"
    with pytest.raises(DataError) as error:
        preview(changed(tiny_release, place, text.replace("{", "{{").replace("}", "}}")))
    assert str(error.value).startswith(
        "No run can be used. Run 1 and 1 more: the region is 21.9 deg from its pointing, more than "
    )


def test_two_models_of_one_name_raise():
    components = [{**MODEL["components"][0], "name": name} for name in ("a", "b", "a")]
    with pytest.raises(ValueError, match=r"'a'") as error:
        Models.from_dict({"components": components})
    assert isinstance(error.value, ConfigError)
    with pytest.raises(ConfigError, match=r"^models.components: two models are called 'a'; give each model a name of "):
        AnalysisConfig(models={"components": components})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("flux_points: {parameters: {n_sgima: 1}}", "flux_points.parameters: estimator 'flux_points' has no parameter"),
        ("datasets: {background: {parameters: {min_distanc: 1 deg}}}", "datasets.background.parameters: "),
        ("datasets: {safe_mask: {parameters: {aeff_precent: 1}}}", "datasets.safe_mask.parameters: "),
    ],
)
def test_misspelt_parameters_raise_before_any_step(section, message, tiny_release, place):
    with pytest.raises(ConfigError) as error:
        Analysis(config_of(tiny_release, place, section))
    assert str(error.value).startswith(message)
    assert "Did you mean" in str(error.value)


def test_a_misspelt_option_of_the_fit_raises():
    with pytest.raises(ConfigError, match=r"^Fit: optimize_opts has no option 'stratgy'. Did you mean 'strategy'\?\n"):
        Fit(optimize_opts={"stratgy": 1})


def test_a_file_where_the_store_should_be_raises(tiny_release, place):
    analysis = Analysis(config_of(tiny_release, place / "text"))
    with pytest.raises(StoreError, match=r"text cannot be opened as a folder: .* Give a folder that can be written\."):
        analysis.get_observations()


def test_an_interval_without_data_is_an_empty_selection(tiny_release, place):
    text = "observations: {obs_time: {start: 2010-01-01, stop: 2010-01-02}}"
    with pytest.raises(ConfigError, match=r"^observations: the selection holds no run; widen obs_cone or obs_time"):
        until_datasets(config_of(tiny_release, place / "store", text))


# --- warnings in the result


def columns(points, *names):
    table = points.flux_points.data.to_table(sed_type="dnde")
    return [np.asarray(table[name]).squeeze() for name in names]


def the_one_warning(caplog):
    [warning] = warnings_of(caplog)
    return warning


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("bad-input") / "store"


def test_edges_that_are_used_as_given_give_no_warning(tiny_release, store, caplog):
    analysis = whole(config_of(tiny_release, store, FOUR, WIDE))
    low, high, low_fit, high_fit, left_out = columns(
        analysis, "e_min", "e_max", "e_min_fit", "e_max_fit", "counts_left_out"
    )
    np.testing.assert_allclose(low_fit, low, rtol=1e-12)
    np.testing.assert_allclose(high_fit, high, rtol=1e-12)
    assert left_out.tolist() == [0, 0, 0, 0]
    assert warnings_of(caplog) == []


def test_counts_cut_by_the_fit_range_are_in_columns_and_in_one_warning(tiny_release, store, caplog):
    analysis = whole(config_of(tiny_release, store, FOUR, "fit: {fit_range: {min: 1 TeV, max: 12 TeV}}"))
    low, high, low_fit, high_fit, left_out = columns(
        analysis, "e_min", "e_max", "e_min_fit", "e_max_fit", "counts_left_out"
    )
    edges = 0.5 * 60 ** (np.arange(9) / 8)
    np.testing.assert_allclose(low, edges[[0, 2, 4, 6]])
    np.testing.assert_allclose(high, edges[[2, 4, 6, 8]])
    data = analysis.datasets[0].data
    counts, used = data["counts"].values.squeeze(), np.asarray(analysis.datasets[0].mask_fit).squeeze()
    safe = data["mask_safe"].values.squeeze()
    assert left_out.tolist() == (counts * (safe & ~used)).reshape(4, 2).sum(axis=1).tolist()
    assert left_out.sum() > 0
    for group, bins in enumerate((used & safe).reshape(4, 2)):
        inside = 2 * group + np.flatnonzero(bins)
        expected = (edges[inside[0]], edges[inside[-1] + 1]) if inside.size else (np.nan, np.nan)
        np.testing.assert_allclose((low_fit[group], high_fit[group]), expected)
    warning = the_one_warning(caplog)
    assert warning.startswith("Flux points, TeV: cut by the fit range and the safe masks (")
    assert f"({left_out.sum():.0f} safe counts left out)" in warning


def test_edges_moved_to_bin_edges_give_a_warning(tiny_release, store, caplog):
    text = "flux_points: {energy: {min: 0.6 TeV, max: 20 TeV, nbins: 3}}"
    analysis = whole(config_of(tiny_release, store, text, WIDE))
    low, high, success = columns(analysis, "e_min", "e_max", "success")
    edges = 0.5 * 60 ** (np.arange(9) / 8)
    np.testing.assert_allclose(low, edges[[0, 3, 5]])
    np.testing.assert_allclose(high, edges[[3, 5, 7]])
    assert success.all()
    assert the_one_warning(caplog) == (
        "Flux points, TeV: moved to the edges of the datasets: "
        "0.6-1.931 -> 0.5-2.322, 1.931-6.214 -> 2.322-6.461, 6.214-20 -> 6.461-17.98."
    )


def test_points_narrower_than_a_bin_are_dropped_and_points_outside_the_range_fail(tiny_release, store, caplog):
    text = "flux_points: {energy: {min: 0.5 TeV, max: 120 TeV, nbins: 16}}"
    analysis = whole(config_of(tiny_release, store, text, WIDE))
    dnde, success, left_out = columns(analysis, "dnde", "success", "counts_left_out")
    assert success.tolist() == [True] * 8 + [False] * 4
    assert np.isnan(dnde[~success]).all()
    assert np.isfinite(dnde[success]).all()
    warning = the_one_warning(caplog)
    assert "narrower than the datasets' bins, left out: " in warning
    assert "outside the datasets' axis, left empty: 30.49-42.94, 42.94-60.49, 60.49-85.2, 85.2-120" in warning
    assert left_out.sum() == 0


def test_points_read_from_the_store_give_the_same_warning(tiny_release, store, caplog):
    config = config_of(tiny_release, store, "flux_points: {energy: {min: 0.6 TeV, max: 20 TeV, nbins: 3}}")
    whole(config)
    first = the_one_warning(caplog)
    caplog.clear()
    assert whole(config).computed == set()
    assert the_one_warning(caplog) == first


# --- a fit that does not converge


def lost():
    """Return models that stay so far below the source that the statistic tells nothing of their index."""
    models = Models.from_dict(MODEL)
    models.parameters["amplitude"].value = 1e-100
    models.parameters["amplitude"].frozen = True
    return models


def test_a_fit_that_does_not_converge_warns(tiny_release, tmp_path, caplog):
    config = config_of(tiny_release, tmp_path / "out" / "store")
    config.models = lost().to_dict()
    for state in ("computed", "found in the store"):
        caplog.clear()
        analysis = until_datasets(config)
        analysis.set_models(lost())
        analysis.run_fit()
        assert not analysis.fit_result.success
        assert f"The fit was {state}." in caplog.messages
        # A model that is not seen is told before the fit.
        assert warnings_of(caplog)[-1].startswith("The fit did not converge: Optimization failed.")
        assert "success    : False" in str(analysis.fit_result)
    report = run(config)
    assert not report.is_converged
    assert set(report.files) >= {"configuration", "datasets", "models", "fit (picture)"}
    assert all(path.exists() for path in report.files.values())
    assert len(Store(tmp_path / "out" / "store").ls("fit")) == 1
