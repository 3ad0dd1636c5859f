"""Plans: what would be found and what computed, without writing anything."""

import dataclasses
import logging
import shutil
from pathlib import Path

import pytest

from faults import run_file
from releases import TINY, config_of, release_of, until_datasets, whole
from xgamma.analysis import AnalysisConfig
from xgamma.analysis.memory import Cost
from xgamma.analysis.plan import PlannedStep, found_results, plan, validated_request
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.analysis.steps.fit import FitStep
from xgamma.analysis.steps.flux_points import FluxPointsStep
from xgamma.config.requests import models_of, recipe_of, selection_of
from xgamma.errors import ConfigError, MissingInputError
from xgamma.store import Store, digest


def states(steps):
    return {step.step: step.state for step in steps}


def tree(folder):
    """Return all files of a folder with their time of change."""
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def planned():
    """Return a function that plans, and fails if that writes anything."""

    def planned(config, folder):
        before = tree(folder)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("put", "remember", "set_name", "set_tag", "compact"):
                patch.setattr(Store, name, lambda *_, name=name, **__: pytest.fail(f"a plan called Store.{name}"))
            steps = plan(config)
        assert tree(folder) == before
        return steps

    return planned


def test_a_plan_makes_no_store(tiny_release, tmp_path, planned):
    steps = planned(config_of(tiny_release, tmp_path / "store"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert states(steps) == dict.fromkeys(["ingest", "reduce", "stack", "fit", "flux points"], "compute")


def test_a_store_that_is_to_be_made_may_be_a_file_url(tiny_release, tmp_path):
    config = config_of(tiny_release, f"file://{tmp_path}/store")
    preview(config)
    assert states(plan(config))["ingest"] == "compute"
    assert list(tmp_path.iterdir()) == []


def test_a_plan_gives_reasons_and_amounts(tiny_release, tmp_path, planned):
    ingest, reduce, stack, fit, points = planned(config_of(tiny_release, tmp_path / "store"), tmp_path)
    assert ingest.reason == "3 of 3 runs are new or have changed"
    size = sum(run_file(tiny_release, obs_id).stat().st_size for obs_id in (1, 2, 3))
    assert (ingest.runs, ingest.cost.nbytes_in, ingest.key) == (3, size, None)
    assert ingest.cost.peak > size
    for step in (reduce, stack, fit, points):
        assert step.reason == "its key is known after the ingest"
        assert step.key is None
    assert (reduce.cost.tasks, reduce.cost.peak > 0) == (1, True)


def test_after_a_run_all_is_found_under_the_keys_of_the_plan(tiny_release, tmp_path, planned):
    config = config_of(tiny_release, tmp_path / "store")
    whole(config)
    steps = planned(config, tmp_path)
    assert states(steps) == dict.fromkeys(["ingest", "reduce", "stack", "fit", "flux points"], "found")
    keys = {step.step: step.key for step in steps}
    [stack], [fit], [points], [rows] = (
        Store(tmp_path / "store").ls(kind) for kind in ("stack", "fit", "flux-points", "rows")
    )
    assert keys["stack"] == stack.key
    assert keys["fit"] == fit.key
    assert keys["flux points"] == points.key
    assert keys["reduce"] == rows.texts["recipe"] == digest(recipe_of(config).document())
    assert steps[1].reason == "all rows are in the store"
    assert steps[0].cost == steps[1].cost == Cost()


UNREAD = {
    "one stack": "{}",
    "an error of alpha": "datasets: {background: {method: reflected, alpha_systematic: 0.03}}",
    "all energies": "fit: {fit_range: {min: null, max: null}}",
    "no fit": "steps: [observations, datasets, flux_points]",
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("text", UNREAD.values(), ids=UNREAD)
def test_a_fit_of_a_stack_is_found_without_reading_the_stack(tiny_release, tmp_path, text, monkeypatch):
    config = config_of(tiny_release, tmp_path / "store", text)
    run(config)
    read = plan_by_reading(config, monkeypatch)
    monkeypatch.setattr(Store, "get_valid", lambda *_, **__: pytest.fail("something was read"))
    assert plan(config) == read
    assert set(states(read).values()) == {"found"}


def plan_by_reading(config, monkeypatch):
    with monkeypatch.context() as patch:
        for step in (FitStep, FluxPointsStep):
            patch.setattr(step, "finds_unread", False)
        return plan(config)


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    "text",
    [
        "datasets: {stack: false}",
        "datasets: {stack_by: 'obs_id < 3'}",
        "datasets: {on_region: [{name: here, frame: icrs, lon: 83.63 deg, lat: 22.01 deg, radius: 0.1 deg}]}",
    ],
)
def test_what_is_no_stack_of_one_spectrum_is_read_and_found(tiny_release, tmp_path, text, monkeypatch):
    config = config_of(tiny_release, tmp_path / "store", "flux_points: {energy: {nbins: 2}}", text)
    run(config)
    steps = plan(config)
    assert set(states(steps).values()) == {"found"}
    assert steps == plan_by_reading(config, monkeypatch)


def test_what_was_found_without_reading_it_is_what_a_run_holds(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store")
    analysis = run(config).analysis
    request = validated_request(config)
    results, missing = found_results(request, request.selected())
    assert missing == []
    assert results.datasets.names == analysis.datasets.names
    assert results.datasets.models.to_yaml(full_output=True) == analysis.models.to_yaml(full_output=True)
    assert results.fit.key == analysis.results.fit.key
    assert results.flux_points.data.data.identical(analysis.flux_points.data.data)
    assert results.unread is None


def test_a_plan_computes_nothing(tiny_release, tmp_path, planned, monkeypatch):
    config = config_of(tiny_release, tmp_path / "store")
    until_datasets(config)
    for name in ("reduce.reduce_each", "analysis.steps.stack.computed_stacks", "fit.fit", "estimate.flux_points"):
        monkeypatch.setattr(f"xgamma.{name}", lambda *_, name=name, **__: pytest.fail(f"{name} ran"))
    steps = planned(config, tmp_path)
    assert states(steps) == {
        "ingest": "found",
        "reduce": "found",
        "stack": "found",
        "fit": "compute",
        "flux points": "compute",
    }
    assert steps[3].reason == "there is no such product in the store"
    assert steps[4].reason == "its key is known after the fit"


def test_a_plan_of_rows_without_their_stack_computes_nothing(tiny_release, tmp_path, planned):
    """As a run that was killed between the two leaves them."""
    until_datasets(config_of(tiny_release, tmp_path / "store", "datasets: {stack: false}"))
    steps = planned(config_of(tiny_release, tmp_path / "store"), tmp_path)
    assert states(steps) == {
        "ingest": "found",
        "reduce": "found",
        "stack": "compute",
        "fit": "compute",
        "flux points": "compute",
    }
    assert steps[2].reason == "there is no stack of these rows"
    assert steps[3].reason == "its key is known after the reduction"


def test_a_plan_of_more_runs_counts_those_that_are_missing(tiny_release, tmp_path, planned):
    whole(config_of(tiny_release, tmp_path / "store", "observations: {obs_ids: [1, 2]}"))
    steps = planned(config_of(tiny_release, tmp_path / "store"), tmp_path)
    assert steps[0].reason == "1 of 3 runs are new or have changed"
    assert states(steps)["stack"] == "compute"


def test_a_plan_of_another_axis_finds_the_runs(tiny_release, tmp_path, planned):
    whole(config_of(tiny_release, tmp_path / "store"))
    steps = planned(
        config_of(tiny_release, tmp_path / "store", "datasets: {geom: {axes: {energy: {nbins: 4}}}}"), tmp_path
    )
    assert states(steps) == {
        "ingest": "found",
        "reduce": "compute",
        "stack": "compute",
        "fit": "compute",
        "flux points": "compute",
    }
    assert steps[1].reason == "3 of 3 rows are not in the store for this recipe"
    assert steps[3].reason == "its key is known after the reduction"


def test_a_plan_of_another_fit_finds_what_is_before_it(tiny_release, tmp_path, planned):
    whole(config_of(tiny_release, tmp_path / "store"))
    steps = planned(
        config_of(tiny_release, tmp_path / "store", "fit: {fit_range: {min: 1 TeV, max: 20 TeV}}"), tmp_path
    )
    assert list(states(steps).values()) == ["found", "found", "found", "compute", "compute"]


def test_a_plan_of_other_flux_points_finds_the_fit(tiny_release, tmp_path, planned):
    whole(config_of(tiny_release, tmp_path / "store"))
    steps = planned(config_of(tiny_release, tmp_path / "store", "flux_points: {energy: {nbins: 2}}"), tmp_path)
    assert list(states(steps).values()) == ["found", "found", "found", "found", "compute"]


def test_a_plan_of_rows_without_a_stack_finds_their_fit(tiny_release, tmp_path, planned):
    config = config_of(tiny_release, tmp_path / "store", "datasets: {stack: false}")
    whole(config)
    assert states(planned(config, tmp_path)) == dict.fromkeys(["ingest", "reduce", "fit", "flux points"], "found")


def test_a_plan_reads_models_from_their_file(tiny_release, tmp_path, planned):
    config = config_of(tiny_release, tmp_path / "store")
    whole(config)
    models_of(config).write(tmp_path / "models.yaml")
    config.models = None
    config.general.models_file = str(tmp_path / "models.yaml")
    assert states(planned(config, tmp_path))["flux points"] == "found"


def test_a_changed_file_is_in_the_plan(own_release, tmp_path, planned):
    config = config_of(own_release, tmp_path / "store")
    whole(config)
    other = release_of(dataclasses.replace(TINY, seed=5), tmp_path / "new")
    shutil.copyfile(run_file(other, 2), run_file(own_release, 2))
    steps = planned(config, tmp_path)
    assert steps[0].reason == "1 of 3 runs are new or have changed"
    assert steps[0].cost.nbytes_in == run_file(own_release, 2).stat().st_size


def test_a_plan_without_models_ends_with_the_datasets(tiny_release, tmp_path, planned):
    config = config_of(tiny_release, tmp_path / "store")
    config.models = None
    config.flux_points = type(config.flux_points)()
    assert list(states(planned(config, tmp_path))) == ["ingest", "reduce", "stack"]


def test_a_store_as_datastore_has_nothing_to_ingest(tiny_release, tmp_path, planned):
    whole(config_of(tiny_release, tmp_path / "store"))
    steps = planned(config_of(tmp_path / "store", tmp_path / "other"), tmp_path)
    assert states(steps)["ingest"] == "found"
    assert states(steps)["reduce"] == "compute"
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("computed", [False, True])
def test_a_plan_survives_the_yaml(tiny_release, tmp_path, planned, computed):
    config = config_of(tiny_release, tmp_path / "store", "datasets: {safe_mask: {parameters: {aeff_percent: 7}}}")
    if computed:
        whole(config)
    again = AnalysisConfig.from_yaml(config.to_yaml())
    steps = planned(config, tmp_path)
    assert planned(again, tmp_path) == steps
    assert all(isinstance(step, PlannedStep) for step in steps)
    config.write(tmp_path / "config.yaml")
    assert planned(AnalysisConfig.read(tmp_path / "config.yaml"), tmp_path) == steps
    assert recipe_of(again).document() == recipe_of(config).document()
    assert selection_of(again.observations) == selection_of(config.observations)


def test_units_make_no_other_recipe(tiny_release, tmp_path):
    plain = config_of(tiny_release, tmp_path / "store", "datasets: {geom: {axes: {energy: {min: 1 TeV, max: 10 TeV}}}}")
    other = config_of(
        tiny_release, tmp_path / "store", "datasets: {geom: {axes: {energy: {min: 1000 GeV, max: 1e13 eV}}}}"
    )
    assert digest(recipe_of(plain).document()) == digest(recipe_of(other).document())


def test_parameters_of_methods_that_are_not_used_make_no_other_recipe(tiny_release, tmp_path):
    methods = "datasets: {{safe_mask: {{methods: [aeff-default], parameters: {{aeff_percent: {}}}}}}}"
    one, other = (recipe_of(config_of(tiny_release, tmp_path, methods.format(percent))) for percent in (1, 50))
    assert one.document() == other.document()
    used = methods.replace("aeff-default", "aeff-max")
    one, other = (recipe_of(config_of(tiny_release, tmp_path, used.format(percent))) for percent in (1, 50))
    assert one.document() != other.document()


def test_a_plan_of_a_wrong_configuration_raises_first(tiny_release, tmp_path, caplog):
    with caplog.at_level(logging.INFO), pytest.raises(MissingInputError, match="datastore"):
        plan(config_of(tmp_path / "nowhere", tmp_path / "store"))
    cone = "observations: {obs_cone: {frame: icrs, lon: 1 deg, lat: 2 deg, radius: 1 deg}}"
    with pytest.raises(ConfigError, match="the selection holds no run"):
        plan(config_of(tiny_release, tmp_path / "store", cone))


def test_a_plan_of_files_with_a_new_date_writes_nothing(own_release, tmp_path, planned):
    config = config_of(own_release, tmp_path / "store")
    whole(config)
    for path in own_release.rglob("*.fits"):
        path.touch()
    assert set(states(planned(config, tmp_path)).values()) == {"found"}


def test_a_memory_limit_applies_to_the_steps_that_are_run(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", "general: {memory_limit: 275 MB}")
    with pytest.raises(ConfigError, match="reduce would need"):
        run(config, until="datasets")
    assert run(config, until="observations").analysis.datasets is None
    config.general.memory_limit = "9 GB"
    config.models = None
    assert run(config, until="datasets").analysis.datasets is not None


def test_a_linked_prior_is_refused_before_any_work(tiny_release, tmp_path):
    index = (
        "{name: index, value: 2, link: index@1, prior: {type: GaussianPrior, parameters: "
        "[{name: mu, value: 2}, {name: sigma, value: 1}]}}"
    )
    components = ", ".join(
        f"{{name: {name}, type: SkyModel, spectral: {{type: pl, parameters: [{index}]}}}}" for name in "ab"
    )
    config = config_of(tiny_release, tmp_path / "store", "flux_points: {source: a}")
    config.models = None
    config = config.update(f"models: {{components: [{components}]}}")
    with pytest.raises(ConfigError, match=r"a.spectral.index = b.spectral.index is linked and has a prior"):
        preview(config)
