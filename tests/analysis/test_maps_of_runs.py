"""Maps of simulated runs from a configuration: the same steps, store, groups and plan as spectra."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.coordinates import SkyCoord

from releases import COARSE, TINY, config_of, map_config_of, release_of, until_datasets
from xgamma.analysis import Analysis
from xgamma.analysis.plan import plan
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.config.requests import recipe_of
from xgamma.datasets import Datasets
from xgamma.outcome import Fate
from xgamma.reduce.grids import image_of_row
from xgamma.schema import Kind
from xgamma.store import dataset_digest
from xgamma.store.conformance import validate


@pytest.fixture(scope="module")
def nightly(nights_release, tmp_path_factory):
    """Return an analysis of seven runs in two nights, stacked into one, and its store."""
    store = tmp_path_factory.mktemp("maps") / "store"
    return until_datasets(map_config_of(nights_release, store)), store


def maps_of(analysis: Analysis, number: int = 0) -> xr.Dataset:
    """Return the maps of an entry of datasets."""
    product = analysis.results.reductions[number].product
    assert product is not None
    return product.data


def planes(ds: xr.Dataset, name: str) -> np.ndarray:
    """Return a variable with the dims (dataset, energy, v, u)."""
    [axis] = {"energy", "energy_true"}.intersection(ds[name].dims)
    return ds[name].transpose("dataset", axis, "v", "u").values


def test_a_stack_of_maps_holds_the_events_of_all_runs(nightly):
    analysis, _ = nightly
    ds = maps_of(analysis)
    assert {name: ds.sizes[name] for name in ("dataset", "energy", "v", "u")} == {
        "dataset": 1,
        "energy": 3,
        "v": 16,
        "u": 20,
    }
    rows = analysis.results.reductions[0].rows.read()
    assert rows.sizes["dataset"] == 7
    assert (rows.sizes["v"], rows.sizes["u"]) == (14, 14)
    safe = planes(rows, "mask_safe")
    assert planes(ds, "counts").sum() == (planes(rows, "counts") * safe).sum() > 1000
    np.testing.assert_array_equal(ds["ledger"][0], rows["ledger"].sum("dataset"))
    assert int(rows["ledger"].sel(fate=Fate.ON).sum()) == planes(rows, "counts").sum()
    assert planes(ds, "exposure").min() >= 0
    assert planes(ds, "background")[planes(ds, "mask_safe")].min() > 0


def test_maps_that_were_made_are_found(nightly, nights_release):
    _, store = nightly
    config = map_config_of(nights_release, store)
    assert [(step.step, step.state) for step in plan(config)] == [
        ("ingest", "found"),
        ("reduce", "found"),
        ("stack", "found"),
    ]
    assert until_datasets(config).computed == set()


def test_another_projection_is_another_product(nightly, nights_release):
    analysis, store = nightly
    config = map_config_of(nights_release, store, "datasets: {geom: {wcs: {proj: TAN}}}")
    assert [step.state for step in plan(config)] == ["found", "compute", "compute"]
    assert recipe_of(config).grid.space.projection == "TAN"
    found = maps_of(until_datasets(config))
    # Within 2 deg the projections differ by less than a pixel of 0.2 deg.
    assert planes(found, "counts").sum() == pytest.approx(planes(maps_of(analysis), "counts").sum(), rel=0.02)


def test_a_stored_stack_has_the_positions_of_its_pixels_and_views_of_it_follow_cuts(nightly):
    analysis, store = nightly
    [path] = (store / Kind.STACK / analysis.results.reductions[0].product.key).glob("*/zarr.json")
    opened = xr.open_zarr(path.parent)
    view = Datasets.from_xarray(opened.load())[0]
    lon, lat = image_of_row(maps_of(analysis)).positions()
    for name, expected in (("lon", lon), ("lat", lat)):
        assert opened[name].dims == ("v", "u")
        assert opened[name].attrs["units"] == "deg"
        np.testing.assert_array_equal(opened[name].values.ravel(), expected)
        assert name in opened["counts"].coords
    assert "lon" not in maps_of(analysis).coords
    # They follow from the image, which a cut changes.
    assert "lon" not in view.data.coords
    assert view.cutout(SkyCoord(83.633, 22.014, unit="deg"), "1 deg").counts.array.lon.shape == (5, 5)


def test_nights_are_stacked_from_the_rows_that_the_store_holds(nightly, nights_release):
    analysis, store = nightly
    config = map_config_of(nights_release, store, "datasets: {stack_by: night}")
    assert [step.state for step in plan(config)] == ["found", "found", "compute"]
    nights = maps_of(until_datasets(config))
    whole = maps_of(analysis)
    assert nights.sizes["dataset"] == 2
    for name in ("counts", "exposure", "background"):
        np.testing.assert_allclose(planes(nights, name).sum(axis=0), planes(whole, name)[0], rtol=1e-12, err_msg=name)
    np.testing.assert_array_equal(planes(nights, "mask_safe").any(axis=0), planes(whole, "mask_safe")[0])
    # One after the other the runs of a night, in time.
    assert [len(rows) for rows in nights.attrs["rows"]] == [4, 3]


def test_bands_of_zenith_are_stacked_without_reducing_again(nightly, nights_release):
    _, store = nightly
    config = map_config_of(nights_release, store, "datasets: {stack_by: {zenith: [0, 90]}}")
    assert [step.state for step in plan(config)] == ["found", "found", "found"]


def test_maps_have_the_same_bytes_however_the_work_is_cut(nightly, nights_release, tmp_path, monkeypatch):
    analysis, _ = nightly
    for name in ("reduce.spectra.MAX_BYTES", "reduce.sums.STEP_BYTES"):
        monkeypatch.setattr(f"xgamma.{name}", 1)
    monkeypatch.setattr("xgamma.analysis.steps.rows.PRODUCT_BYTES", 1)
    monkeypatch.setattr("xgamma.analysis.steps.stack.STEP_BYTES", 1)
    monkeypatch.setattr("xgamma.analysis.steps.stack.BLOCK_ROWS", 1)
    one_by_one = until_datasets(map_config_of(nights_release, tmp_path / "store"))
    assert len(one_by_one.store.ls(Kind.ROWS)) == 7
    assert dataset_digest(maps_of(one_by_one)) == dataset_digest(maps_of(analysis))


def test_runs_that_are_not_stacked_are_rows(nightly, nights_release):
    analysis, store = nightly
    config = map_config_of(nights_release, store, "datasets: {stack: false}")
    rows = maps_of(until_datasets(config))
    held = analysis.results.reductions[0].rows.read()
    assert rows["dataset"].values.tolist() == held["dataset"].values.tolist()
    np.testing.assert_array_equal(rows["counts"], held["counts"])


def test_spectra_beside_maps_are_those_of_spectra_alone(nightly, nights_release, tmp_path):
    _, store = nightly
    steps = "steps: [observations, datasets]"
    alone, maps = config_of(nights_release, tmp_path / "store", steps), map_config_of(nights_release, store)
    together = config_of(nights_release, store, steps)
    together.datasets = [alone.datasets, maps.datasets]
    analysis = until_datasets(together)
    assert [step.state for step in plan(together)] == ["found"] * 5
    one, both = until_datasets(alone).results.reductions[0].product, analysis.results.reductions[0].product
    assert one.key == both.key
    assert maps_of(analysis, 1)["counts"].sum() == maps_of(nightly[0])["counts"].sum()


def test_the_products_of_maps_are_of_the_format(nightly):
    _, store = nightly
    for kind in (Kind.ROWS, Kind.STACK):
        for folder in (store / kind).iterdir():
            assert validate(folder).violations == []


def test_planes_of_stacks_and_rows_of_runs_are_read_alone(nightly):
    _, store = nightly

    def chunks(kind: str) -> dict[str, list[int]]:
        for path in sorted((store / kind).glob("*/*/zarr.json")):
            nodes = json.loads(Path(path).read_text())["consolidated_metadata"]["metadata"]
            if "u" not in nodes["counts"]["dimension_names"]:
                continue
            names = ("counts", "mask_safe", "background")
            yield {
                (name, dim): size
                for name in names
                for dim, size in zip(
                    nodes[name]["dimension_names"],
                    nodes[name]["chunk_grid"]["configuration"]["chunk_shape"],
                    strict=True,
                )
            }

    for found in chunks(Kind.ROWS):
        assert {size for (_, dim), size in found.items() if dim == "dataset"} == {1}
        assert {size for (_, dim), size in found.items() if dim == "energy"} == {3}
    for found in chunks(Kind.STACK):
        assert {size for (_, dim), size in found.items() if dim in ("dataset", "energy")} == {1}
        assert {size for (_, dim), size in found.items() if dim in ("v", "u")} == {16, 20}


@pytest.mark.parametrize("make", [config_of, map_config_of], ids=["spectra", "maps"])
def test_safe_energies_at_a_position_are_those_at_its_offset(tiny_release, tmp_path, make):
    masks = "{{methods: [edisp-bias], parameters: {{bias_percent: 2, {}}}}}"
    axes = "{energy: {min: 0.1 TeV, max: 30 TeV, nbins: 24}, energy_true: {min: 0.05 TeV, max: 60 TeV, nbins: 30}}"

    def safe(where: str) -> np.ndarray:
        text = f"datasets: {{stack: false, geom: {{axes: {axes}}}, safe_mask: {masks.format(where)}}}"
        config = make(
            tiny_release, tmp_path / "store", text, "observations: {obs_ids: [1]}\nsteps: [observations, datasets]"
        )
        return maps_of(until_datasets(config))["mask_safe"].values

    # The run points to 83.633, 22.514.
    at_position = safe("position: {frame: icrs, lon: 83.633 deg, lat: 21.014 deg}")
    np.testing.assert_array_equal(at_position, safe("fixed_offset: 1.5 deg"))
    assert at_position.any()
    assert (at_position != safe("fixed_offset: 0.1 deg")).any()


def test_true_energies_that_cost_counts_are_said_of_maps_too(tiny_release, tmp_path, caplog):
    narrow = "datasets: {geom: {axes: {energy_true: {min: 0.9 TeV, max: 20 TeV, nbins: 60}}}}"
    config = map_config_of(tiny_release, tmp_path / "store", narrow)
    [said] = [remark for remark in preview(config).remarks if "energy_true" in remark]
    assert said.startswith("datasets.geom.axes.energy_true: 60 bins from 0.9 to 20 TeV change the predicted counts of ")
    run(config)
    assert said in [record.getMessage() for record in caplog.records]
    wide = "datasets: {geom: {axes: {energy_true: {min: 0.1 TeV, max: 100 TeV, nbins: 60}}}}"
    assert preview(map_config_of(tiny_release, tmp_path / "store", wide)).remarks == []


def test_point_like_responses_in_maps_are_said(tmp_path, caplog):
    release = release_of(replace(TINY, response=replace(COARSE, enclosure="point-like")), tmp_path)
    wide = "datasets: {geom: {axes: {energy_true: {min: 0.1 TeV, max: 100 TeV, nbins: 60}}}}"
    some = "datasets: {map_selection: [counts, exposure, edisp]}\nobservations: {required_irf: point-like}"
    config = map_config_of(release, tmp_path / "store", wide, some)
    [said] = preview(config).remarks
    assert said.startswith(
        "datasets.type: there are runs with point-like responses, whose exposure counts events within"
    )
    run(config)
    assert said in [record.getMessage() for record in caplog.records]


def test_what_is_done_is_logged_in_the_words_of_gammapy(tiny_release, caplog):
    until_datasets(map_config_of(tiny_release, "memory://"))
    said = [record.getMessage() for record in caplog.records]
    start = said.index("Creating reference dataset and makers.")
    assert said[start + 1] == "Start the data reduction loop."


def test_a_run_off_the_map_is_an_outcome(tiny_release, tmp_path):
    # One of the runs points 0.5 deg to the south of the source, 1.8 deg from this map.
    geom = "{wcs: {skydir: {lat: 23.4 deg}, width: {height: 0.4 deg}}}"
    config = map_config_of(tiny_release, tmp_path / "store", f"datasets: {{geom: {geom}}}")
    expected = "the nearest pixel of the map is 1.8 deg from its pointing, more than 1.4 deg (datasets.geom.selection."
    assert [(run, why[: len(expected)]) for run, why in preview(config).unusable.items()] == [(2, expected)]
    assert [(each.name, each.message) for each in run(config).unused] == [
        ("2", "the map lies outside the field of view")
    ]
