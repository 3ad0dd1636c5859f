"""Selection by expression and stacks by group, from the configuration to the store."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

from releases import NIGHTS, config_of, release_of, until_datasets
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.analysis.steps.rows import RowReader
from xgamma.analysis.steps.stack import computed_stacks
from xgamma.errors import ConfigError
from xgamma.reduce import select_rows, stack
from xgamma.store import Store, dataset_digest

BY_NIGHT = "datasets: {stack_by: night}"


@pytest.fixture(scope="module")
def joint(nights_release, tmp_path_factory):
    """The rows of seven runs in two nights, and the table of the runs."""
    store = tmp_path_factory.mktemp("joint") / "store"
    analysis = until_datasets(config_of(nights_release, store, "datasets: {stack: false}"))
    [rows] = analysis.datasets.to_xarray()
    return rows, analysis.observations.table


def stacks_of(analysis):
    return {view.name: view.data for view in analysis.datasets}


def same(one, other):
    """Equal but for their names, and for how far good times are padded."""
    good = [ds["gti"].values[np.isfinite(ds["gti"].values)] for ds in (one, other)]
    np.testing.assert_array_equal(*good)
    for name in set(map(str, other.variables)) - {"dataset", "gti"}:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("night", ["2024-12-10"] * 4 + ["2024-12-11"] * 3),
        ("month", ["2024-12"] * 7),
        ("obs_id < 3", ["obs_id < 3"] * 2 + ["not obs_id < 3"] * 5),
        ("{offset: [0, 0.4, 0.6]}", ["offset 0.4-0.6"] * 7),
        ("{zenith: [0, 40, 50]}", ["zenith 40-50"] * 7),
    ],
)
def test_each_group_is_the_stack_of_its_rows(nights_release, tmp_path, joint, by, labels):
    rows, _ = joint
    analysis = until_datasets(config_of(nights_release, tmp_path / "store", f"datasets: {{stack_by: {by}}}"))
    found = stacks_of(analysis)
    assert list(found) == list(dict.fromkeys(labels))
    for label, data in found.items():
        own = [number for number, each in enumerate(labels) if each == label]
        same(data, stack(select_rows(rows, own), name=label))


def test_a_new_night_stacks_that_night_alone(nights_release, tmp_path, monkeypatch):
    first = until_datasets(
        config_of(nights_release, tmp_path / "store", BY_NIGHT, "observations: {obs_ids: [1, 2, 3, 4]}")
    )
    assert first.datasets.names == ["2024-12-10"]
    summed = []

    def computed(rows, members, workers):
        summed.append(list(members))
        return computed_stacks(rows, members, workers)

    monkeypatch.setattr("xgamma.analysis.steps.stack.computed_stacks", computed)
    second = until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT))
    assert summed == [["2024-12-11"]]
    assert second.datasets.names == ["2024-12-10", "2024-12-11"]
    at_once = until_datasets(config_of(nights_release, tmp_path / "other", BY_NIGHT))
    for name, data in stacks_of(at_once).items():
        same(stacks_of(second)[name], data)


def test_another_run_of_a_night_changes_that_stack_and_no_other(nights_release, tmp_path):
    until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT, "observations: {obs_ids: [1, 2, 5, 6]}"))
    [before] = Store(tmp_path / "store").ls("stack")
    until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT, "observations: {obs_ids: [1, 2, 5, 6, 7]}"))
    new = [record for record in Store(tmp_path / "store").ls("stack") if record.key != before.key]
    assert [len(record.texts["stacks"]) for record in new] == [1]
    assert new[0].texts["stacks"][0] not in before.texts["stacks"]


def test_the_stack_of_all_is_found_whatever_was_grouped_before(nights_release, tmp_path, caplog):
    caplog.set_level("INFO", logger="xgamma")
    until_datasets(config_of(nights_release, tmp_path / "store"))
    until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT))
    caplog.clear()
    until_datasets(config_of(nights_release, tmp_path / "store"))
    until_datasets(config_of(nights_release, tmp_path / "store", BY_NIGHT))
    assert "The stack was found in the store." in caplog.messages
    assert "Stacked 0 groups, found 2 in the store." in caplog.messages


@pytest.mark.some_long(3)
@pytest.mark.parametrize("rows_per_block", [1, 64, 10_000])
def test_a_stack_has_the_same_bytes_in_blocks_of_any_size(nights_release, tmp_path, monkeypatch, rows_per_block):
    monkeypatch.setattr("xgamma.reduce.sums.LEAF", 2)
    wanted = until_datasets(config_of(nights_release, tmp_path / "one", BY_NIGHT)).datasets.to_xarray()
    monkeypatch.setattr("xgamma.analysis.steps.stack.BLOCK_ROWS", rows_per_block)
    monkeypatch.setattr("xgamma.analysis.steps.row_reader.KEPT_BYTES", 0)
    found = until_datasets(config_of(nights_release, tmp_path / "two", BY_NIGHT)).datasets.to_xarray()
    assert [dataset_digest(ds) for ds in found] == [dataset_digest(ds) for ds in wanted]


# --- expressions


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("obs_id > 2 and obs_id != 5", [3, 4, 6, 7]),
        ("night == '2024-12-11'", [5, 6, 7]),
        ("target == 'crab' or zenith < 50", [1, 2, 3, 4, 5, 6, 7]),
        ("telescope in ('XGAMMA-SIM',) and events > 0", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_an_expression_selects_the_same_from_files_and_from_a_store(nights_release, tmp_path, expression, expected):
    text = f'observations: {{expression: "{expression}"}}'
    for datastore in (nights_release, tmp_path / "store"):
        analysis = Analysis(config_of(datastore, tmp_path / "store", text))
        analysis.get_observations()
        assert [int(number) for number in analysis.observations.ids] == expected
        dropped = {obs_id for of in analysis.observations.dropped.values() for obs_id in of}
        assert dropped == set(range(1, 8)) - set(expected)
        if datastore == nights_release:
            everything = Analysis(config_of(nights_release, tmp_path / "store"))
            everything.get_observations()


def test_runs_that_the_index_rules_out_are_not_read(nights_release, tmp_path):
    analysis = Analysis(config_of(nights_release, tmp_path / "store", 'observations: {expression: "obs_id < 3"}'))
    analysis.get_observations()
    [record] = analysis.store.ls("dl3")
    assert [run["obs_id"] for run in record.texts["runs"]] == [1, 2]


def test_dropped_runs_are_logged_with_the_values_that_decided(nights_release, tmp_path):
    text = 'observations: {expression: "events > 100000 and obs_id < 2"}'
    analysis = Analysis(config_of(nights_release, tmp_path / "store", text))
    analysis.get_observations()
    assert len(analysis.observations) == 0
    events = analysis.store.get("dl3", analysis.store.ls("dl3")[0].key)["event_size"].values
    assert analysis.observations.dropped["expression"] == {
        number: f"events is {count}" for number, count in zip(range(1, 8), events, strict=True)
    }
    with pytest.raises(ConfigError, match="the selection holds no run"):
        analysis.get_datasets()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('observations: {expression: "zenit < 30"}', "observations.expression: there is no column 'zenit'"),
        ('observations: {expression: "open(1)"}', "observations.expression: 'open.1.' is not allowed in an expression"),
        ("datasets: {stack: false, stack_by: night}", "datasets.stack_by: given, but stack is false"),
        ("datasets: {stack_by: zenith}", "datasets.stack_by: zenith has a value for each run"),
    ],
)
def test_wrong_requests_raise_before_any_work(text, said):
    with pytest.raises(ConfigError, match=said):
        AnalysisConfig.from_yaml(text)


def test_the_keys_survive_the_yaml_and_are_not_printed_where_not_set():
    assert "stack_by" not in AnalysisConfig().to_yaml()
    assert "expression" not in AnalysisConfig().to_yaml()
    text = 'datasets: {stack_by: {zenith: [0, "20 deg"]}}\nobservations: {expression: "zenith < 30"}'
    config = AnalysisConfig.from_yaml(text)
    again = AnalysisConfig.from_yaml(config.to_yaml())
    assert again == config
    assert again.datasets.stack_by.document() == {"zenith": [0.0, 20.0]}


def test_a_group_without_a_usable_run_does_not_stop_the_others(tmp_path):
    plan = dataclasses.replace(NIGHTS, name="dark", wobble=1.0)
    release = release_of(plan, tmp_path)
    config = config_of(release, tmp_path / "store", "datasets: {stack_by: obs_id}")
    config.datasets.geom.selection.offset_max = "0.5 deg"
    with pytest.raises(Exception, match="No run can be used"):
        until_datasets(config)


def test_lazy_spectra_of_an_analysis_are_those_that_it_stores(nights_release, tmp_path, joint):
    rows, table = joint
    analysis = Analysis(config_of(nights_release, tmp_path / "store"))
    analysis.get_observations()
    lazy = analysis.open_spectra()
    assert lazy["counts"].chunks is not None
    np.testing.assert_array_equal(lazy["counts"].values, rows["counts"].values)
    by_night = lazy["counts"].assign_coords(night=("dataset", table["night"].tolist())).groupby("night").sum()
    assert by_night.sizes["night"] == 2
    assert isinstance(by_night.compute(), xr.DataArray)


def test_threads_that_share_opened_products_may_release_them(monkeypatch):
    monkeypatch.setattr("xgamma.analysis.steps.row_reader.KEPT_BYTES", 100)
    reader = RowReader(Store("memory://"))
    product = xr.Dataset({"counts": ("row", np.zeros(10))})

    def keep(thread):
        for number in range(2000):
            reader.hold(str((number + thread) % 5), product)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(8)))
    assert len(reader._held) == 1


def test_a_product_that_several_threads_want_is_read_once(monkeypatch):
    reads = []

    def reading(store, kind, key, record):
        reads.append(key)
        time.sleep(0.01)
        return xr.Dataset({"counts": ("row", np.zeros(10))})

    monkeypatch.setattr(Store, "get_arrays", reading)
    reader = RowReader(Store("memory://"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(reader.product, ["one", "other"] * 8))
    assert sorted(reads) == ["one", "other"]
