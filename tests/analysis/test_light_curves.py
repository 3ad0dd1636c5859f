"""Light curves from the configuration: steps, keys, plans, files, and the estimator that is called as Gammapy's."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

from command_line import CommandLine
from releases import config_of, until_datasets, warnings_of
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.config.requests import models_of
from xgamma.datasets import LightCurve
from xgamma.errors import ConfigError, DataError, OrderError
from xgamma.estimate import light_curve
from xgamma.estimators import LightCurveEstimator
from xgamma.formats.yaml_documents import mixed_yaml
from xgamma.schema import PRODUCTS, Kind
from xgamma.schema.tables import product_violations


@pytest.fixture
def xgamma(capsys):
    return CommandLine(capsys)


STEPS = "steps: [observations, datasets, fit, light_curve]"
CURVE = "light_curve: {energy_edges: {min: 0.5 TeV, max: 30 TeV, nbins: 2}, source: crab}"
SINGLE = "datasets: {stack: false}"


def asked(release, folder, *texts):
    return config_of(release, folder / "store", STEPS, CURVE, SINGLE, *texts)


@pytest.fixture(scope="module")
def done(nights_release, tmp_path_factory):
    return run(asked(nights_release, tmp_path_factory.mktemp("nights")))


@pytest.fixture
def datasets(done):
    return done.analysis.datasets


def test_a_light_curve_is_a_step_and_a_product(done):
    curve = done.analysis.light_curve
    assert isinstance(curve, LightCurve)
    assert curve.data["norm"].shape == (7, 2)
    [record] = done.analysis.store.ls(Kind.LIGHT_CURVE)
    stored = done.analysis.store.get_valid(Kind.LIGHT_CURVE, record.key)
    assert stored.identical(curve.data)
    assert not product_violations({"": stored}, PRODUCTS[Kind.LIGHT_CURVE])
    assert done.files["light curve (picture)"].name == "light-curve.png"
    assert LightCurve.read(done.files["light curve"]).data.identical(curve.data)


def test_the_same_light_curve_is_found_and_another_one_is_not(nights_release, tmp_path):
    config = asked(nights_release, tmp_path)
    assert run(config).analysis.computed == {"observations", "datasets", "fit", "light_curve"}
    assert run(config).analysis.computed == set()
    planned = {step.step: step.state for step in plan(config)}
    assert planned == dict.fromkeys(("ingest", "reduce", "fit", "light curve"), "found")
    for text in (
        "light_curve: {time_bins: night}",
        "light_curve: {time_bins: {width: 1 h}}",
        "light_curve: {time_bins: {blocks: 0.01}}",
        "light_curve: {parameters: {selection_optional: [ul], n_sigma_ul: 3}}",
        "light_curve: {parameters: {stack_in_bin: true}}",
        "light_curve: {energy_edges: {nbins: 1}}",
        "light_curve: {time_intervals: {start: 2024-01-01, stop: 2040-01-01}}",
    ):
        other = config.update(text)
        [step] = [step for step in plan(other) if step.step == "light curve"]
        assert (step.state, step.reason) == ("compute", "there is no such product in the store")
    assert run(other).analysis.computed == {"light_curve"}
    assert run(other).analysis.computed == set()


def test_a_plan_of_nothing_names_the_light_curve(tiny_release, tmp_path):
    last = plan(asked(tiny_release, tmp_path))[-1]
    assert (last.step, last.state, last.reason) == ("light curve", "compute", "its key is known after the ingest")


def test_nights_are_those_of_the_site(done):
    analysis = done.analysis
    config = analysis.config.update("light_curve: {time_bins: night}")
    found = run(config).analysis.light_curve.data
    assert found.sizes["time"] == 2
    assert found.attrs["time_report"] == []
    night = [
        analysis.observations.holdings.parts[key].run_columns(rows.obs)["night"]
        for key, rows in analysis.observations.rows
    ]
    assert found["bin_of_dataset"].values.tolist() == np.unique(np.concatenate(night), return_inverse=True)[1].tolist()


def test_the_estimator_gives_what_the_step_gives(done, datasets):
    edges = np.geomspace(0.5, 30, 3) * u.TeV
    found = LightCurveEstimator(energy_edges=edges, source="crab", selection_optional="all").run(datasets)
    assert isinstance(found, LightCurve)
    assert found.data.identical(done.analysis.light_curve.data)
    direct = light_curve(datasets.fit_inputs(), datasets.models, "crab", edges, None, {"selection_optional": "all"})
    assert direct.identical(found.data)


def test_what_is_changed_on_the_estimator_counts(datasets):
    maker = LightCurveEstimator(energy_edges=[1, 10] * u.TeV, source="crab", reoptimize=False)
    assert not maker.run(datasets).has("norm_ul")
    maker.n_sigma_ul, maker.selection_optional = 3, "all"
    found = maker.run(datasets)
    assert found.has("norm_ul")
    assert found.data.attrs["n_sigma_ul"] == 3
    maker.time_intervals = [Time([found.time_min[0], found.time_max[3]])]
    assert maker.run(datasets).data["bin_of_dataset"].values.tolist() == [0, 0, 0, 0, -1, -1, -1]
    maker.stack_over_time_interval = True
    assert maker.run(datasets).data.attrs["stack_in_bin"] is True


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"time_intervals": Time(53343.5, format="mjd")},
            "LightCurveEstimator: time_intervals: expected one way to bin",
        ),
        ({"n_sigma_ul": -1}, "LightCurveEstimator: n_sigma_ul: expected a number above 0, got -1"),
        ({"selection_optional": "ulf"}, "light_curve.selection_optional: 'ulf' is not an optional result"),
        ({"energy_edges": [3, 1] * u.TeV}, "LightCurveEstimator: expected at least two ascending edges"),
        ({"stack_over_time_interval": "yes"}, "stack_over_time_interval: expected True or False, got 'yes'"),
        ({"atol": "1 TeV"}, "LightCurveEstimator: atol: expected"),
    ],
)
def test_a_wrong_estimator_is_refused_when_it_is_made(given, message):
    with pytest.raises(ConfigError, match=message):
        LightCurveEstimator(**given)


def test_models_and_their_places_are_checked_when_it_runs(datasets):
    with pytest.raises(ConfigError, match="LightCurveEstimator: there is no model number 3 among 1"):
        LightCurveEstimator(source=3).run(datasets)
    points = LightCurveEstimator(source=0, energy_edges=[0.5, 30] * u.TeV).run(datasets)
    assert points.data.attrs["source"] == "crab"


def test_methods_in_order(tiny_release, tmp_path):
    analysis = Analysis(asked(tiny_release, tmp_path))
    assert analysis.light_curve is None
    with pytest.raises(OrderError, match=r"There are no datasets to compute a light curve of; call get_datasets\(\)"):
        analysis.get_light_curve()
    analysis = until_datasets(asked(tiny_release, tmp_path))
    with pytest.raises(OrderError, match=r"There are no models to compute a light curve of; call set_models\(\)"):
        analysis.get_light_curve()
    analysis.set_models(models_of(analysis.config))
    analysis.get_light_curve()
    assert len(analysis.light_curve.to_table(format="lightcurve", sed_type="flux")) == 3


def test_a_fit_range_that_no_fit_applied_is_said(tiny_release, tmp_path, caplog):
    analysis = until_datasets(asked(tiny_release, tmp_path))
    analysis.set_models(models_of(analysis.config))
    caplog.set_level(logging.WARNING)
    logging.getLogger("xgamma").propagate = True
    analysis.get_light_curve()
    assert "fit.fit_range is not applied to the light curve, because run_fit() was not called." in warnings_of(caplog)


def test_check_says_that_a_stack_has_one_time(tiny_release, tmp_path):
    said = preview(asked(tiny_release, tmp_path, "datasets: {stack: true}")).remarks
    assert any(text.startswith("light_curve: all observations are stacked to one dataset, and so") for text in said)
    assert not any(text.startswith("light_curve") for text in preview(asked(tiny_release, tmp_path)).remarks)
    grouped = asked(tiny_release, tmp_path, "datasets: {stack: true, stack_by: night}")
    assert not any(text.startswith("light_curve") for text in preview(grouped).remarks)


@pytest.mark.long
def test_check_names_datasets_and_intervals_that_are_left_out(nights_release, tmp_path, done):
    first = done.analysis.light_curve
    start, stop = first.time_min[0].utc.isot, first.time_max[3].utc.isot
    text = f"light_curve: {{time_intervals: {{start: ['{start}', 2030-01-01], stop: ['{stop}', 2030-01-02]}}}}"
    said = [text for text in preview(asked(nights_release, tmp_path, text)).remarks if "time_intervals" in text]
    found = run(asked(nights_release, tmp_path, text)).analysis.light_curve.data
    assert said == [f"light_curve.time_intervals: {sentence}." for sentence in found.attrs["time_report"]]
    assert said[0].startswith("light_curve.time_intervals: intervals that hold no dataset, left out: 2030-01-01T00:01:")
    assert said[1] == "light_curve.time_intervals: outside of all intervals, left out: 5, 6, 7."


def test_keys_that_are_not_used_are_named(tiny_release, tmp_path):
    text = "light_curve: {parameters: {selection_optional: [ul], norm_n_values: 5}}"
    said = preview(asked(tiny_release, tmp_path, text)).remarks
    wanted = "light_curve.parameters.norm_n_values: given and not used, as selection_optional does not include scan."
    assert wanted in said


@pytest.mark.long
def test_the_command_shows_a_light_curve(nights_release, tmp_path, xgamma):
    path = tmp_path / "asked.yaml"
    path.write_text(mixed_yaml(asked(nights_release, tmp_path, "light_curve: {time_bins: night}").document()))
    shown = xgamma("run", path)
    assert shown.code == 0
    assert "Light curve of crab: " in shown.out
    document = json.loads(xgamma("run", path, "--json").out)
    assert document["light_curve"] == {"bins": 2, "energies": 2, "left_out": []}
    assert document["computed"] == []


def test_bins_of_time_survive_yaml():
    for bins in ("night", "blocks", {"blocks": 0.01}, {"width": "3600.0 s"}):
        config = AnalysisConfig(light_curve={"time_bins": bins})
        assert AnalysisConfig.from_yaml(config.to_yaml()).light_curve.time_bins.asked() == bins
    assert "time_bins" not in AnalysisConfig().to_yaml()


def test_flux_points_have_no_light_curve(done):
    analysis = done.analysis
    analysis.config = analysis.config.update("flux_points: {energy: {nbins: 2}}")
    analysis.get_flux_points()
    with pytest.raises(DataError, match="LightCurveEstimator: expected spectra, got flux points"):
        LightCurveEstimator(source="crab").run([analysis.flux_points])
