"""Excess maps from a configuration: planned, found again, of each stack, written; and what is wrong is said before."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import xarray as xr
import zarr

from releases import config_of, map_config_of, until_datasets
from xgamma.analysis import Analysis
from xgamma.analysis.plan import plan, validated_request
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.analysis.steps.excess_map import ExcessMapStep
from xgamma.datasets import Datasets, ExcessMap
from xgamma.errors import ConfigError, DataError
from xgamma.estimate import excess_map
from xgamma.schema import PRODUCTS, Kind, product_violations
from xgamma.store import Store
from xgamma.store.conformance import validate
from xgamma.upkeep.verify import verify

pytestmark = pytest.mark.draws

STEPS = "steps: [observations, datasets, excess_map]"
ASKED = "excess_map: {correlation_radius: 0.25 deg, parameters: {selection_optional: [errn-errp, ul]}}"


@pytest.fixture(scope="module")
def done(nights_release, tmp_path_factory):
    """Return a run with an excess map of all seven runs, and its configuration."""
    config = map_config_of(nights_release, tmp_path_factory.mktemp("excess") / "store", STEPS, ASKED)
    return run(config), config


def test_a_run_makes_an_excess_map_of_the_stack(done):
    report, _ = done
    found = report.analysis.excess_map
    assert isinstance(found, ExcessMap)
    assert found.name == "stacked"
    stack = report.analysis.results.reductions[0].product.data
    expected = excess_map(stack, 0.25, parameters={"selection_optional": ["errn-errp", "ul"]})
    xr.testing.assert_identical(found.data, expected)
    [peak] = found.hottest(1)
    assert np.hypot((peak["lon"] - 83.633) * np.cos(np.deg2rad(22)), peak["lat"] - 22.014) < 0.3
    assert peak["sqrt_ts"] > 20


def test_its_product_is_valid_and_found_again(done):
    report, config = done
    store = Store(config.general.store_location(), read_only=True)
    [record] = store.ls(Kind.EXCESS_MAP)
    assert product_violations({"": store.get(Kind.EXCESS_MAP, record.key)}, PRODUCTS[Kind.EXCESS_MAP]) == []
    assert [(step.step, step.state) for step in plan(config)][-1] == ("excess map", "found")
    again = run(config)
    assert again.analysis.computed == set()
    xr.testing.assert_identical(again.analysis.excess_map.data, report.analysis.excess_map.data)


@pytest.mark.parametrize(
    "text",
    [
        "excess_map: {correlation_radius: 0.3 deg}",
        "excess_map: {energy_edges: {min: 0.5 TeV, max: 30 TeV, nbins: 3}}",
        "excess_map: {parameters: {n_sigma: 2}}",
    ],
)
def test_another_request_is_another_product_of_the_same_stack(done, text):
    _, config = done
    states = {step.step: step.state for step in plan(config.update(text))}
    assert states == {"ingest": "found", "reduce": "found", "stack": "found", "excess map": "compute"}


def test_a_store_reads_one_plane_without_the_others(done):
    _, config = done
    changed = config.update("excess_map: {energy_edges: {min: 0.5 TeV, max: 30 TeV, nbins: 3}}")
    analysis = until_datasets(changed)
    analysis.get_excess_map()
    paths = [analysis.store.path(Kind.EXCESS_MAP, record.key) for record in analysis.store.ls(Kind.EXCESS_MAP)]
    shapes = {path: zarr.open_group(path, mode="r")["sqrt_ts"] for path in paths}
    assert {array.shape: array.chunks for array in shapes.values()}[3, 16, 20] == (1, 16, 20)


def test_a_run_writes_maps_and_pictures(done):
    report, _ = done
    names = {name: path.name for name, path in report.files.items()}
    assert names["excess map"] == "excess-map.fits.gz"
    assert names["distribution of significance (picture)"] == "distribution-of-significance.png"
    read = ExcessMap.read(report.files["excess map"])
    xr.testing.assert_identical(read.data, report.analysis.excess_map.data)
    with pytest.raises(DataError, match=r"^Expected the counts of datasets, got an excess map\. Read it with FluxMaps"):
        Datasets.read(report.files["excess map"])


def test_titles_name_what_was_pointed_at_and_not_the_stack(done):
    report, _ = done
    found = report.analysis.excess_map
    targets = set(report.analysis.observations.table["target"])
    largest = np.nanmax(found.sqrt_ts.data)
    assert (*found.facts()[:2], found.facts()[-1]) == (*targets, "XGAMMA-SIM", rf"up to {largest:.1f} $\sigma$")


def test_all_planes_of_energy_are_drawn(tiny_release, tmp_path):
    planes = "excess_map: {energy_edges: {min: 0.5 TeV, max: 30 TeV, nbins: 3}, correlation_radius: 0.4 deg}"
    report = run(map_config_of(tiny_release, tmp_path / "store", STEPS, planes))
    assert report.files["significance (picture)"].stat().st_size > 1000


def test_tables_and_document_say_where_it_is_hot(done):
    report, _ = done
    [table] = ExcessMapStep().tables(report.analysis.results)
    largest = np.nanmax(report.analysis.excess_map.sqrt_ts.data)
    assert table.rows[0]["sqrt_ts"] == f"{largest:.1f}"
    [facts] = ExcessMapStep().document(report.analysis.results)["excess_maps"]
    assert facts["dataset"] == "stacked"
    assert facts["largest_sqrt_ts"] == pytest.approx(largest)


def test_each_night_has_a_map_of_its_own(done):
    _, config = done
    nightly = config.update("datasets: {stack_by: night}")
    analysis = until_datasets(nightly)
    analysis.get_excess_map()
    assert len(analysis.excess_maps) == 2
    total = sum(view.data["counts"] for view in analysis.excess_maps.values()).values
    whole = until_datasets(config)
    whole.get_excess_map()
    in_both = np.isfinite(total)
    assert in_both.mean() > 0.5
    np.testing.assert_array_equal(total[in_both], whole.excess_map.counts.data[in_both])
    with pytest.raises(ConfigError, match=r"There are 2 excess maps; take analysis.excess_maps\["):
        assert analysis.excess_map
    assert [step.state for step in plan(nightly)] == ["found"] * 4


def test_the_cost_of_a_map_is_planned_before_there_are_rows(nights_release, tmp_path):
    steps = plan(map_config_of(nights_release, tmp_path / "store", STEPS))
    assert [step.step for step in steps] == ["ingest", "reduce", "stack", "excess map"]
    assert steps[-1].state == "compute"
    assert steps[-1].cost.peak > 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "excess_map: {correlation_radius: 0.05 deg}",
            "excess_map.correlation_radius: a circle of 0.05 deg is smaller than a pixel of 0.2 deg",
        ),
        (
            "excess_map: {correlation_radius: 2.5 deg}",
            "excess_map.correlation_radius: a circle of 2.5 deg is wider than the map, which is 4 deg wide",
        ),
        (
            "excess_map: {energy_edges: {min: 50 TeV, max: 100 TeV, nbins: 2}}",
            "excess_map.energy_edges: 2 of 2 planes lie outside of the energies of the datasets, 0.5 to 30 TeV",
        ),
        (
            "datasets: {stack: false}",
            "excess_map: datasets must be stacked to make the excess map; write datasets.stack: true",
        ),
        (
            "datasets: {map_selection: [counts, exposure]}",
            "datasets.map_selection: excess_map needs the map of the background, and the maps are counts, exposure",
        ),
        (
            "excess_map: {parameters: {correlate_of: true}}",
            "excess_map.parameters",
        ),
    ],
)
def test_what_fits_no_map_is_said_before_any_work(nights_release, tmp_path, text, sentence):
    def asked():
        return map_config_of(nights_release, tmp_path / "store", STEPS, text)

    for attempt in (
        lambda: validated_request(asked()),
        lambda: plan(asked()),
        lambda: preview(asked()),
        lambda: run(asked()),
    ):
        with pytest.raises(ConfigError) as error:
            attempt()
        assert str(error.value).startswith(sentence)
    assert not (tmp_path / "store").exists()


def test_maps_without_a_background_have_no_excess(nights_release, tmp_path):
    config = map_config_of(nights_release, tmp_path / "store", "datasets: {map_selection: [counts, exposure]}")
    analysis = until_datasets(config)
    with pytest.raises(DataError, match="the dataset 'stacked' has no background"):
        analysis.get_excess_map()


def test_an_excess_map_of_spectra_is_refused(tiny_release):
    analysis = Analysis(config_of(tiny_release, "memory://"))
    with pytest.raises(RuntimeError, match="There are no datasets to make an excess map of"):
        analysis.get_excess_map()
    analysis.get_observations()
    analysis.get_datasets()
    with pytest.raises(ConfigError, match=r"excess_map: cannot make an excess map of 1D datasets"):
        analysis.get_excess_map()
    assert analysis.excess_map is None


def test_datasets_of_a_file_have_an_excess_map(done, tmp_path):
    report, config = done
    report.analysis.datasets.write(tmp_path / "maps.zarr")
    analysis = Analysis(
        config.update({"general": {"datasets_file": str(tmp_path / "maps.zarr"), "store": "memory://"}})
    )
    analysis.read_datasets()
    analysis.get_excess_map()
    xr.testing.assert_identical(analysis.excess_map.data, report.analysis.excess_map.data)
    assert analysis.computed == {"excess_map"}


def test_a_mask_of_the_user_is_part_of_the_key(done):
    report, config = done
    analysis = until_datasets(config)
    analysis.get_excess_map()
    assert analysis.computed == set()
    mask = np.ones((3, 16, 20), dtype=bool)
    mask[:, :3] = False
    analysis.datasets[0].mask_fit = mask
    analysis.get_excess_map()
    assert analysis.computed == {"excess_map"}
    assert np.isnan(analysis.excess_map.counts.data[0, :3]).all()
    assert not np.isnan(report.analysis.excess_map.counts.data[0, :3]).all()


def test_a_map_without_any_pixel_is_written_and_said(done, tmp_path, caplog):
    report, _ = done
    results = report.analysis.results
    view = results.excess_maps["stacked"]
    empty = view.data.copy(deep=True)
    for name in ("counts", "background", "npred_excess", "ts", "sqrt_ts", "norm", "norm_err"):
        empty[name][:] = np.nan
    alone = dataclasses.replace(results, excess_maps={"stacked": ExcessMap(empty)})
    files = ExcessMapStep().write(alone, tmp_path)
    assert set(files) == {"excess map", "significance (picture)"}
    [facts] = ExcessMapStep().document(alone)["excess_maps"]
    assert (facts["largest_sqrt_ts"], facts["mean_sqrt_ts"]) == (None, None)
    assert "expected at least two pixels with a significance" in caplog.text.lower()
    [table] = ExcessMapStep().tables(alone)
    assert table.rows == []
    assert "none" in str(alone.excess_maps["stacked"])


def test_the_store_is_sound(done):
    _, config = done
    store = Store(config.general.store_location(), read_only=True)
    assert validate(store.url).violations == []
    assert verify(store).faults == []
