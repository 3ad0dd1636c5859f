"""``datasets`` as a list of mappings: each reduces the observations in its own way, and all are fitted together."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import xarray as xr

import faults
from releases import config_of, until_datasets, whole
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.analysis.steps.fit import FitStep
from xgamma.analysis.steps.flux_points import FluxPointsStep
from xgamma.config.requests import models_of
from xgamma.datasets import Datasets
from xgamma.errors import ConfigError, DataError
from xgamma.fit import Fit
from xgamma.store import Store

WIDE = {"on_region": {"frame": "icrs", "lon": "83.633 deg", "lat": "22.014 deg", "radius": "0.2 deg"}}


FEW = "flux_points: {energy: {nbins: 2}, parameters: {selection_optional: []}}"


def merged(document, changes):
    for key, value in changes.items():
        document[key] = merged(dict(document[key]), value) if isinstance(value, dict) else value
    return document


def several(release, folder, *changes):
    """Return a configuration whose datasets are a list, each entry with some changes."""
    document = config_of(release, folder / "store", FEW).document()
    entry = document["datasets"]
    document["datasets"] = [merged(copy.deepcopy(entry), change) for change in changes]
    return AnalysisConfig(**document)


def alone(release, folder, change):
    document = config_of(release, folder / "store").document()
    return AnalysisConfig(**merged(document, {"datasets": change}))


def keys(store):
    return {(record.kind, record.key) for record in Store(store).ls()}


def test_a_list_of_one_mapping_is_that_mapping(tiny_release, tmp_path):
    whole(several(tiny_release, tmp_path / "list", {}))
    whole(config_of(tiny_release, tmp_path / "mapping" / "store", FEW))
    assert keys(tmp_path / "list" / "store") == keys(tmp_path / "mapping" / "store")


def test_each_entry_is_what_it_is_alone_and_nothing_of_it_is_computed_again(tiny_release, tmp_path):
    config = several(tiny_release, tmp_path, {"name": "narrow", "stack": False}, {"name": "wide", **WIDE})
    narrow, wide = until_datasets(alone(tiny_release, tmp_path, {"stack": False})), None
    wide = until_datasets(alone(tiny_release, tmp_path, WIDE))
    before = keys(tmp_path / "store")
    both = until_datasets(config)
    assert (keys(tmp_path / "store"), both.computed) == (before, set())
    assert both.datasets.names == ["narrow-1", "narrow-2", "narrow-3", "wide"]
    first, second = both.datasets.to_xarray()
    for found, expected in ((first, narrow), (second, wide)):
        [data] = expected.datasets.to_xarray()
        xr.testing.assert_identical(found.assign_coords(dataset=data["dataset"]), data)


def test_all_entries_are_fitted_together(tiny_release, tmp_path):
    config = several(tiny_release, tmp_path, {"name": "narrow"}, {"name": "wide", **WIDE})
    both = whole(config)
    rows = [until_datasets(alone(tiny_release, tmp_path, change)).datasets[0] for change in ({}, WIDE)]
    by_hand = Datasets([row.copy(name=name) for row, name in zip(rows, ("narrow", "wide"), strict=True)])
    by_hand.models = models_of(config)
    for row, view in zip(by_hand, both.datasets, strict=True):
        row.mask_fit = view.mask_fit
    expected = Fit().run(by_hand)
    assert both.fit_result.total_stat == pytest.approx(expected.total_stat, rel=1e-12)
    np.testing.assert_allclose(both.models.parameters.value, by_hand.parameters.value, rtol=1e-9)
    assert both.flux_points.data.data["counts"].sizes["dataset"] == 2


@pytest.mark.long
def test_a_plan_shows_each_entry_and_finds_it_after_a_run(tiny_release, tmp_path):
    config = several(tiny_release, tmp_path, {"name": "narrow"}, {"stack": False, **WIDE})
    names = ["ingest", "reduce narrow", "reduce datasets-2", "stack narrow", "fit", "flux points"]
    assert [(step.step, step.state) for step in plan(config)] == [(name, "compute") for name in names]
    report = run(config)
    assert [(step.step, step.state) for step in plan(config)] == [(name, "found") for name in names]
    assert run(config).analysis.computed == set()
    assert report.analysis.datasets.names == ["narrow", "datasets-2-1", "datasets-2-2", "datasets-2-3"]
    assert Datasets.read(report.files["datasets"]).names == report.analysis.datasets.names


def test_the_axes_of_entries_may_differ_for_a_fit_and_not_for_flux_points(tiny_release, tmp_path):
    other = {"geom": {"axes": {"energy": {"nbins": 4}}}}
    config = several(tiny_release, tmp_path, {"name": "narrow"}, {"name": "wide", **WIDE, **other})
    for verb in (preview, plan, run):
        with pytest.raises(DataError, match="The 'energy' axes are not aligned"):
            verb(config)
    config.steps = ["observations", "datasets", "fit"]
    assert run(config).is_converged


def test_an_off_region_in_the_wrong_place_is_named_with_its_entry(tiny_release, tmp_path):
    on = {**WIDE["on_region"], "radius": "0.1 deg"}
    wrong = {"background": {"method": "fixed", "parameters": {"regions": [on]}}}
    with pytest.raises(ConfigError, match=r"datasets\[1\]\.background\.parameters\.regions\[0\]: it overlaps with"):
        preview(several(tiny_release, tmp_path, {}, wrong))


def test_rows_of_an_entry_with_the_name_of_another_are_refused_by_check_as_by_a_run(tiny_release, tmp_path):
    config = several(tiny_release, tmp_path, {"name": "a", "stack": False}, {"name": "a-1", **WIDE})
    for verb in (preview, run):
        with pytest.raises(ConfigError, match="Two datasets are called 'a-1'"):
            verb(config)


def test_models_choose_by_the_names_of_entries(tiny_release, tmp_path):
    config = several(tiny_release, tmp_path, {"name": "narrow"}, {"name": "wide", **WIDE})
    document = config.document()
    document["models"]["components"][0]["datasets_names"] = ["wyde"]
    wrong = AnalysisConfig(**document)
    for verb in (preview, run):
        with pytest.raises(ConfigError, match="no model names the datasets narrow, wide; crab is for wyde"):
            verb(wrong)
    document["models"]["components"][0]["datasets_names"] = ["narrow", "wide"]
    assert run(AnalysisConfig(**document)).is_converged


def test_a_run_that_cannot_be_used_is_named_once_and_shown_in_each_entry(own_release, tmp_path):
    faults.truncate_file(own_release, 2)
    analysis = until_datasets(several(own_release, tmp_path, {"name": "a"}, {"name": "b", "stack": False}))
    assert [run.name for run in analysis.unused_runs] == ["2"]
    assert sorted(analysis.datasets.info_table(all_rows=True)["name"]) == ["a", "a-2", "b-1", "b-2", "b-3"]


def test_stacks_by_group_have_the_name_of_their_entry(nights_release, tmp_path):
    by_night = {"stack_by": "night"}
    analysis = until_datasets(several(nights_release, tmp_path, {"name": "a", **by_night}, {"name": "b", **by_night}))
    nights = ["2024-12-10", "2024-12-11"]
    assert analysis.datasets.names == [f"{name}-{night}" for name in ("a", "b") for night in nights]


def test_check_describes_each_entry_and_names_keys_that_it_does_not_use(tiny_release, tmp_path):
    found = preview(several(tiny_release, tmp_path, {"name": "narrow"}, {"name": "wide", "map_selection": ["counts"]}))
    assert found.facts["energies of narrow"] == found.facts["energies of wide"] == "8 bins, 0.5 to 30 TeV"
    said = "datasets[1].map_selection: given and not used, as datasets[1].type 1d makes no maps."
    assert [remark for remark in found.remarks if "map_selection" in remark] == [said]


def test_a_list_survives_the_yaml(tiny_release, tmp_path):
    config = several(tiny_release, tmp_path, {"name": "narrow"}, WIDE)
    assert AnalysisConfig.from_yaml(config.to_yaml()) == config
    assert config.update("datasets: [{name: other}]").entries["datasets[0]"].name == "other"
    assert "name" not in config.document()["datasets"][1]


def test_observations_are_read_once_for_all_entries(tiny_release, tmp_path, monkeypatch):
    analysis = Analysis(several(tiny_release, tmp_path, {"name": "narrow"}, WIDE))
    analysis.get_observations()
    [record] = analysis.store.ls()
    analysis.get_datasets()
    assert [each.key for each in analysis.store.ls("dl3")] == [record.key]


@pytest.mark.some_long(2)
@pytest.mark.parametrize("joint", [True, False])
def test_stacks_of_several_entries_are_fitted_under_keys_that_a_plan_knows_without_reading_them(
    tiny_release, tmp_path, joint, monkeypatch
):
    config = several(tiny_release, tmp_path, {"name": "narrow"}, {"name": "wide", **WIDE})
    config.flux_points.joint = joint
    run(config)
    steps = plan(config)
    assert {step.state for step in steps} == {"found"}
    for step in (FitStep, FluxPointsStep):
        monkeypatch.setattr(step, "finds_unread", False)
    assert plan(config) == steps
