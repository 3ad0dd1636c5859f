"""Entries of ``datasets`` with observations, files and fit ranges of their own, analysed together."""

from __future__ import annotations

import copy
import dataclasses
import shutil

import numpy as np
import pytest
import xarray as xr

import faults
from releases import MODEL, TINY, config_of, release_of, until_datasets, whole
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.config.requests import models_of
from xgamma.datasets import Datasets
from xgamma.errors import ConfigError, DataError, InputError, MissingInputError
from xgamma.estimate import flux_points
from xgamma.fit import Fit

OTHER = dataclasses.replace(TINY, name="other", telescope="OTHER", seed=8, runs=2, first_obs_id=1)


@pytest.fixture(scope="module")
def other_release(tmp_path_factory):
    """Two runs of another release, whose numbers are those of the first."""
    return release_of(OTHER, tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="module")
def files(tiny_release, other_release, tmp_path_factory):
    """A folder with spectra of both releases: OGIP files of each run of the one, one FITS file of the other's stack."""
    folder = tmp_path_factory.mktemp("files")
    rows = until_datasets(config_of(tiny_release, folder / "store", "datasets: {stack: false}")).datasets
    rows.write(folder / "index.yaml")
    other = whole(config_of(other_release, folder / "store"))
    other.datasets.write(folder / "stacked.fits")
    other.flux_points.write(folder / "points.fits")
    return folder


def entries(release, folder, *entries, **sections):
    """Return a configuration whose ``datasets`` are a list; what is not read is reduced as ``config_of`` says."""
    document = config_of(release, folder / "store", "flux_points: {parameters: {selection_optional: []}}").document()
    made = document["datasets"]
    document["datasets"] = [entry if "read" in entry else {**copy.deepcopy(made), **entry} for entry in entries]
    return AnalysisConfig(**{**document, **sections})


def until_fit(config):
    config.steps = ["observations", "datasets", "fit"] if config.are_observed else ["datasets", "fit"]
    return config


def values(analysis):
    return {parameter.name: parameter.value for parameter in analysis.models.parameters}


def fitted(config):
    """Return the analysis of files, without pictures."""
    analysis = Analysis(config)
    analysis.get_datasets()
    analysis.set_models(models_of(config))
    analysis.run_fit()
    return analysis


def test_an_entry_with_observations_of_its_own_is_what_it_is_alone(tiny_release, other_release, tmp_path):
    own = {"name": "second", "observations": {"datastore": str(other_release)}}
    both = until_datasets(entries(tiny_release, tmp_path, {"name": "first"}, own))
    assert both.datasets.names == ["first", "second"]
    alone = [until_datasets(config_of(release, "memory://")) for release in (tiny_release, other_release)]
    for found, expected in zip(both.datasets.to_xarray(), alone, strict=True):
        [data] = expected.datasets.to_xarray()
        xr.testing.assert_identical(found.assign_coords(dataset=data["dataset"]), data)
    assert {name: len(each) for name, each in both.observed.items()} == {"": 3, "second": 2}
    assert [release.name for release in both.releases] == ["tiny", "other"]
    with pytest.raises(ConfigError, match=r"There are several observations, '', 'second'; take analysis.observed"):
        _ = both.observations


def test_observations_that_no_entry_uses_are_not_read_and_named(tiny_release, other_release, tmp_path):
    own = {"name": "second", "observations": {"datastore": str(other_release)}}
    analysis = until_datasets(entries(tmp_path / "nowhere", tmp_path, own))
    assert (list(analysis.observed), len(analysis.observations)) == (["second"], 2)
    remarks = preview(entries(tmp_path / "nowhere", tmp_path, own)).remarks
    assert "observations: given and not used, as all entries of datasets have their own, or read files." in remarks


@pytest.mark.some_long(2)
@pytest.mark.parametrize("name", ["index.yaml", "pha_obs[0-9].fits"])
def test_spectra_that_are_read_are_those_that_were_written(tiny_release, files, tmp_path, name):
    config = entries(tiny_release, tmp_path, {"name": "read", "read": str(files / name), "stack": False})
    datasets = until_datasets(config).datasets
    assert datasets.names == ["read-1", "read-2", "read-3"]
    rows = Datasets.read(files / "index.yaml")
    for found, expected in zip(datasets, rows, strict=True):
        np.testing.assert_array_equal(found.counts, expected.counts)
        np.testing.assert_array_equal(found.exposure, expected.exposure)


def test_spectra_that_are_read_are_stacked_as_those_that_are_reduced(tiny_release, files, tmp_path):
    [found] = until_datasets(entries(tiny_release, tmp_path, {"name": "a", "read": str(files / "index.yaml")})).datasets
    [made] = until_datasets(config_of(tiny_release, tmp_path / "store")).datasets
    assert found.name == "a"
    for name in ("counts", "counts_off", "mask_safe"):
        np.testing.assert_array_equal(found.data[name], made.data[name])
    np.testing.assert_allclose(found.exposure, made.exposure, rtol=1e-12)


def test_reduced_and_read_entries_are_fitted_together_each_in_its_range(tiny_release, files, tmp_path):
    read = {"name": "read", "read": str(files / "stacked.fits"), "fit_range": {"min": "2 TeV"}}
    config = until_fit(entries(tiny_release, tmp_path, read, {"name": "made"}))
    report = run(config)
    assert report.analysis.datasets.names == ["read", "made"]
    edges = [view.energy_axis.edges[:-1][view.mask.values[0]][0] for view in report.analysis.datasets]
    assert edges[0] >= 2.0 > edges[1]
    by_hand = Datasets([view.copy() for view in report.analysis.datasets])
    by_hand.models = models_of(config)
    result = Fit().run(by_hand)
    assert report.analysis.fit_result.total_stat == pytest.approx(result.total_stat, rel=1e-12)
    assert values(report.analysis)["index"] == pytest.approx(by_hand.parameters["index"].value, rel=1e-9)


@pytest.mark.long
def test_a_plan_finds_what_is_read_and_a_second_run_computes_nothing(tiny_release, files, tmp_path):
    read = {"name": "read", "read": str(files / "pha_obs[0-9].fits")}
    config = until_fit(entries(tiny_release, tmp_path, read, {"name": "made"}))
    names = ["ingest", "reduce made", "stack made", "read read", "fit"]
    before = plan(config)
    assert [step.step for step in before] == names
    assert (before[3].state, before[3].reason, before[3].runs) == ("found", "3 files of spectra", 1)
    assert run(config).analysis.computed == {"observations", "datasets", "fit"}
    assert [(step.step, step.state) for step in plan(config)] == [(name, "found") for name in names]
    assert run(config).analysis.computed == set()


def test_files_that_change_make_another_fit(tiny_release, files, tmp_path):
    folder = shutil.copytree(files, tmp_path / "own")
    config = until_fit(entries(tiny_release, tmp_path, {"name": "a", "read": str(folder / "pha_obs[12].fits")}))
    assert fitted(config).computed == {"fit"}
    assert fitted(config).computed == set()
    shutil.copy(folder / "pha_obs3_bkg.fits", folder / "pha_obs2_bkg.fits")
    assert fitted(config).computed == {"fit"}


def test_an_analysis_of_files_alone_needs_no_observations(files, tmp_path):
    config = until_fit(entries(tmp_path / "nowhere", tmp_path, {"read": str(files / "stacked.fits")}))
    for verb in (preview, plan):
        verb(config)
    report = run(config)
    assert report.is_converged and report.analysis.observed == {}
    one = AnalysisConfig(general={"store": "memory://"}, datasets={"read": str(files / "stacked.fits")}, models=MODEL)
    analysis = fitted(one)
    assert analysis.fit_result.success and analysis.datasets.names == ["stacked"]


def test_check_tells_of_each_entry_and_of_keys_that_do_not_matter(tiny_release, other_release, files, tmp_path):
    own = {"name": "second", "observations": {"datastore": str(other_release), "obs_ids": [2]}}
    read = {"name": "read", "read": str(files / "pha_obs[12].fits"), "containment_correction": False}
    found = preview(until_fit(entries(tiny_release, tmp_path, {"name": "first"}, own, read)))
    facts = found.facts
    assert (facts["datastore"], facts["datastore of second"]) == ("tiny: 3 runs", "other: 2 runs")
    assert (facts["selected runs of second"], facts["spectra of read"]) == ("1", "1 of 2 files")
    assert found.obs_ids == [1, 2, 3, 2]
    said = "datasets[2].containment_correction: given and not used, as datasets[2].read takes spectra as they are."
    assert said in found.remarks


def test_runs_of_two_releases_with_one_number_keep_their_reasons(own_release, other_release, tmp_path):
    other = shutil.copytree(other_release, tmp_path / "other")
    faults.truncate_file(own_release, 2)
    faults.truncate_file(other, 2)
    own = {"name": "second", "observations": {"datastore": str(other), "expression": "livetime > 1"}}
    config = until_fit(entries(own_release, tmp_path, {"name": "first"}, own))
    first, second = preview(config).unusable[2].split("; second: ")
    assert "2" in first and str(other) in second
    config.datasets[1].observations.expression = "zenith < 0.1"
    config.datasets[1].observations.obs_ids = []
    with pytest.raises(ConfigError, match="second: observations: the selection holds no run"):
        preview(config)


REFUSED = {
    "a variable that is not set": (
        {"read": "$NOT_SET_HERE/a.fits"},
        MissingInputError,
        r"datasets\[1\]\.read: the environment variable \$NOT_SET_HERE",
    ),
    "flux points": ({"read": "{files}/points.fits"}, DataError, "points.fits holds something else than spectra: The D"),
    "no file": (
        {"read": "{files}/nothing_*.fits"},
        MissingInputError,
        r"datasets\[1\]\.read: expected files of spectra",
    ),
    "a url": (
        {"read": "s3://bucket/a.fits"},
        MissingInputError,
        r"datasets\[1\]\.read: expected files on this machine",
    ),
    "observations too": (
        {"read": "{files}/stacked.fits", "observations": {"obs_ids": [1]}},
        ConfigError,
        r"datasets\[1\]\.observations: given beside read",
    ),
    "groups": ({"read": "{files}/stacked.fits", "stack_by": "night"}, ConfigError, r"datasets\[1\]\.stack_by: given"),
    "no spectrum": ({"read": "{files}/pha_obs1_rmf.fits"}, InputError, "pha_obs1_rmf.fits"),
    "two of one name": (
        {"name": "a", "read": ["{files}/pha_obs1.fits", "{files}/pha_obs1.fits"]},
        DataError,
        "Two spectra are called '1'",
    ),
    "a range outside": (
        {"name": "a", "read": "{files}/stacked.fits", "fit_range": {"min": "50 TeV"}},
        ConfigError,
        "the fit_range of a: it lies outside of the energies of the datasets, 0.5 to 30 TeV",
    ),
    "a range backward": (
        {"read": "{files}/stacked.fits", "fit_range": {"min": "5 TeV", "max": "1 TeV"}},
        ConfigError,
        r"datasets\[1\]\.fit_range: expected min < max",
    ),
    "an unknown run": (
        {"name": "a", "observations": {"datastore": "{other}", "obs_ids": [77]}},
        ConfigError,
        "a: .*77",
    ),
    "a datastore that is not there": (
        {"observations": {"datastore": "{files}/nowhere"}},
        MissingInputError,
        r"datasets\[1\]\.observations\.datastore: expected a file or folder",
    ),
    "an observation twice": (
        {"observations": {"datastore": "{other}", "obs_ids": [1, 1]}},
        ConfigError,
        r"datasets\[1\]\.observations\.obs_ids: expected each observation once",
    ),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_with_an_entry_is_said_before_any_work(tiny_release, other_release, files, tmp_path, case):
    entry, error, sentence = REFUSED[case]
    entry = {key: value.format(files=files) if isinstance(value, str) else value for key, value in entry.items()}
    if isinstance(entry.get("read"), list):
        entry["read"] = [each.format(files=files) for each in entry["read"]]
    if "observations" in entry:
        own = entry["observations"]
        places = {"datastore": own["datastore"].format(files=files, other=other_release)} if "datastore" in own else {}
        entry["observations"] = {**own, **places}
    for verb in (preview, plan, run):
        with pytest.raises(error, match=sentence):
            verb(until_fit(entries(tiny_release, tmp_path, {}, entry)))
    assert not (tmp_path / "store").exists()


def test_entries_of_their_own_survive_the_yaml(tiny_release, other_release, files, tmp_path):
    own = {"name": "b", "observations": {"datastore": str(other_release), "obs_cone": {"frame": "galactic"}}}
    read = {"name": "c", "read": [str(files / "a"), str(files / "b")], "fit_range": {"max": "3 TeV"}}
    config = entries(tiny_release, tmp_path, {"name": "a"}, own, read)
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config
    assert not {"read", "observations", "fit_range"} & set(config.document()["datasets"][0])


def points_of(release, folder, other, *more, **flux_points):
    """Return a configuration with flux points of two entries, which are of two telescopes."""
    own = {"name": "b", "observations": {"datastore": str(other)}}
    asked = {"energy": {"min": "1 TeV", "max": "10 TeV", "nbins": 3}, "source": "crab"}
    asked["parameters"] = {"selection_optional": [], **flux_points.pop("parameters", {})}
    return entries(release, folder, {"name": "a"}, own, *more, flux_points={**asked, **flux_points})


@pytest.mark.long
def test_flux_points_of_each_entry_are_those_of_it_alone(tiny_release, other_release, tmp_path):
    report = run(points_of(tiny_release, tmp_path, other_release, joint=False))
    found = report.analysis.flux_points_of
    assert (list(found), report.analysis.flux_points) == (["a", "b"], None)
    datasets, models = report.analysis.datasets, report.analysis.models
    for name, points in found.items():
        edges = np.geomspace(1, 10, 4)
        expected = flux_points([datasets[name].data], models, "crab", edges, {})
        # In the range of the fit, in which all of these bins are.
        np.testing.assert_allclose(points.data.data["norm"], expected["norm"], rtol=1e-12)
    paths = [report.files[f"flux points of {name}"].name for name in "ab"]
    assert paths == ["flux-points-of-a.fits", "flux-points-of-b.fits"]
    assert report.files["flux points (picture)"].exists()
    assert run(points_of(tiny_release, tmp_path, other_release, joint=False)).analysis.computed == set()


@pytest.mark.long
def test_a_model_of_one_entry_is_left_out_of_the_points_of_another(tiny_release, other_release, tmp_path):
    config = points_of(tiny_release, tmp_path, other_release, joint=False)
    document = config.document()
    crab = document["models"]["components"][0]
    faint = copy.deepcopy(crab) | {"name": "faint", "datasets_names": ["b*"]}
    faint["spectral"]["parameters"] = [
        {"name": "index", "value": 3.0, "frozen": True},
        {"name": "amplitude", "value": 1e-12, "unit": "cm-2 s-1 TeV-1", "frozen": True},
        {"name": "reference", "value": 1.0, "unit": "TeV", "frozen": True},
    ]
    document["models"]["components"].append(faint)
    report = run(AnalysisConfig(**document))
    assert report.is_converged
    datasets = report.analysis.datasets
    without, with_it = (float(datasets[name].npred_signal().sum()) for name in "ab")
    datasets.models = [model for model in report.analysis.models if model.name == "crab"]
    assert float(datasets["a"].npred_signal().sum()) == without
    assert float(datasets["b"].npred_signal().sum()) < with_it


def test_norms_of_instruments_are_models_whose_other_parameters_are_linked(tiny_release, other_release, tmp_path):
    config = points_of(tiny_release, tmp_path, other_release, joint=False, source="crab-a")
    document = config.document()
    [crab] = document["models"]["components"]
    names = ["crab-a", "crab-b"]
    components = []
    for name in names:
        one = copy.deepcopy(crab) | {"name": name, "datasets_names": [name[-1]]}
        one["spectral"]["parameters"][0]["link"] = "index@shared"
        components.append(one)
    document["models"]["components"] = components
    document["steps"] = ["observations", "datasets", "fit"]
    report = run(AnalysisConfig(**document))
    first, second = (report.analysis.models[name].spectral_model for name in names)
    assert report.is_converged and first.index is second.index
    assert first.amplitude.value != second.amplitude.value
    assert len(report.analysis.models.parameters.free_parameters) == 3


def test_one_flux_of_several_telescopes_has_to_be_asked_for(tiny_release, other_release, tmp_path):
    config = points_of(tiny_release, tmp_path, other_release)
    for verb in (preview, run):
        with pytest.raises(DataError, match="expected datasets of one telescope, got 'OTHER', 'XGAMMA-SIM'"):
            verb(config)
    asked = points_of(tiny_release, tmp_path, other_release, parameters={"allow_multiple_telescopes": True})
    preview(asked)
    points = run(asked).analysis.flux_points
    assert points.data.data.sizes["dataset"] == 2
    assert points.data.data.attrs["telescope"] == "OTHER, XGAMMA-SIM"
