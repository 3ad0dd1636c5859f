"""Laws of an analysis over its store: exactly the missing products are computed."""

import collections
import dataclasses
import logging
import shutil

import numpy as np
import pytest
import xarray as xr
from astropy.time import Time

from faults import run_file
from releases import (
    MODEL,
    NIGHTS,
    TINY,
    config_of,
    part_in_memory,
    recipe,
    release_of,
    rows_in,
    until_datasets,
    whole,
)
from xgamma.analysis import Analysis
from xgamma.errors import ConfigError
from xgamma.events import Part
from xgamma.ingest import FitsRelease
from xgamma.ingest.stored import StoredGroups
from xgamma.reduce import reduce_spectra
from xgamma.simulate.plan import MJDREFF, MJDREFI
from xgamma.store import Store, dataset_digest
from xgamma.times import time_from_seconds

COMPUTING = [
    "xgamma.ingest.release.read_runs",
    "xgamma.reduce.spectra.reduce_block",
    "xgamma.reduce.reduce_each",
    "xgamma.analysis.steps.stack.computed_stacks",
    "xgamma.fit.fit",
    "xgamma.estimate.flux_points",
]


@pytest.fixture
def forbid(monkeypatch):
    """Return a function that makes every computation fail, except for the kinds it allows."""

    def forbid(*allowed):
        for place in COMPUTING:
            if place.rpartition(".")[2] not in allowed:
                monkeypatch.setattr(place, lambda *_, place=place, **__: pytest.fail(f"{place} was called"))

    return forbid


@pytest.fixture
def logged(caplog):
    """Return a function that returns the messages logged since its last call."""
    caplog.set_level(logging.INFO, logger="xgamma")

    def logged():
        messages = list(caplog.messages)
        caplog.clear()
        return messages

    return logged


def digests(url):
    return {(record.kind, record.key): dict(record.digests) for record in Store(url).ls()}


def kinds(products):
    return dict(collections.Counter(kind for kind, _ in products))


def new_rows(store, before):
    records = [record for record in Store(store).ls("rows") if ("rows", record.key) not in before]
    return [len(record.texts["rows"]) for record in records]


def rows_of(analysis):
    [rows] = analysis.datasets.to_xarray()
    return rows


# --- found again


def test_the_same_config_a_second_time_computes_nothing_and_logs_it(tiny_release, tmp_path, forbid, logged):
    config = config_of(tiny_release, tmp_path / "store")
    first = whole(config)
    assert {"Reduced 3 rows, found 0 in the store.", "The stack was computed.", "The fit was computed."} <= set(
        logged()
    )
    products = digests(tmp_path / "store")
    assert kinds(products) == {"dl3": 1, "rows": 1, "stack": 1, "fit": 1, "flux-points": 1}

    forbid()
    second = whole(config)
    messages = logged()
    assert "Reduced 0 rows, found 3 in the store." in messages
    for product in ("stack was", "fit was", "flux points were"):
        assert f"The {product} found in the store." in messages
    assert not [message for message in messages if message.startswith("Ingested")]
    assert digests(tmp_path / "store") == products
    xr.testing.assert_identical(rows_of(first), rows_of(second))
    xr.testing.assert_identical(first.flux_points.data.data, second.flux_points.data.data)
    for one, other in zip(first.models.parameters, second.models.parameters, strict=True):
        assert (one.value, one.error) == (other.value, other.error)
    np.testing.assert_array_equal(first.models.covariance.data, second.models.covariance.data)
    assert str(first.fit_result) == str(second.fit_result)


def test_a_stored_fit_by_migrad_is_found_where_the_method_is_not_chosen(tiny_release, tmp_path, forbid, monkeypatch):
    config = config_of(tiny_release, tmp_path / "store")
    analysis = whole(config)
    products, counts = digests(tmp_path / "store"), (analysis.fit_result.nfev, analysis.fit_result.total_stat)
    assert analysis.fit_result.optimize_result.method == "migrad"
    # As if these were many parameters, which are fitted in another way now.
    monkeypatch.setattr("xgamma.fit.settings.FEW", 0)
    forbid()
    again = whole(config)
    assert (again.fit_result.nfev, again.fit_result.total_stat) == counts
    assert again.fit_result.optimize_result.method == "migrad"
    assert digests(tmp_path / "store") == products


def test_a_store_in_memory_finds_what_it_holds(tiny_release, forbid, logged):
    store = Store("memory://laws")
    config = config_of(tiny_release, store.url)
    first = whole(config)
    forbid()
    assert logged()
    second = whole(config)
    assert "Reduced 0 rows, found 3 in the store." in logged()
    xr.testing.assert_identical(rows_of(first), rows_of(second))


def test_a_change_of_the_fit_computes_only_fit_and_flux_points(tiny_release, tmp_path, forbid, logged):
    whole(config_of(tiny_release, tmp_path / "store"))
    before = digests(tmp_path / "store")
    forbid("fit", "flux_points")
    logged()
    whole(config_of(tiny_release, tmp_path / "store", "fit: {fit_range: {min: 1 TeV, max: 20 TeV}}"))
    messages = logged()
    assert {"The fit was computed.", "The flux points were computed."} <= set(messages)
    assert "The stack was found in the store." in messages
    after = digests(tmp_path / "store")
    assert kinds(after.keys() - before.keys()) == {"fit": 1, "flux-points": 1}
    assert before.items() <= after.items()


def test_other_start_values_are_another_fit(tiny_release, tmp_path, forbid, logged):
    config = config_of(tiny_release, tmp_path / "store")
    whole(config)
    forbid("fit", "flux_points")
    logged()
    other = config.update(f"models: {MODEL}".replace("'value': 2.4", "'value': 2.0"))
    assert "'value': 2.0" in f"models: {MODEL}".replace("'value': 2.4", "'value': 2.0")
    whole(other)
    assert "The fit was computed." in logged()


def test_a_change_of_the_flux_point_energies_computes_only_flux_points(tiny_release, tmp_path, forbid):
    whole(config_of(tiny_release, tmp_path / "store"))
    before = digests(tmp_path / "store")
    forbid("flux_points")
    whole(config_of(tiny_release, tmp_path / "store", "flux_points: {energy: {nbins: 2}}"))
    assert kinds(digests(tmp_path / "store").keys() - before.keys()) == {"flux-points": 1}


def test_one_more_run_computes_one_row_and_a_stack(tiny_release, tmp_path, logged):
    whole(config_of(tiny_release, tmp_path / "store", "observations: {obs_ids: [1, 3]}"))
    before = digests(tmp_path / "store")
    logged()
    more = whole(config_of(tiny_release, tmp_path / "store"))
    messages = logged()
    assert any(message.startswith("Ingested 1 runs into") for message in messages)
    assert "Reduced 1 rows, found 2 in the store." in messages
    assert "The stack was computed." in messages
    after = digests(tmp_path / "store")
    assert kinds(after.keys() - before.keys()) == {"dl3": 1, "rows": 1, "stack": 1, "fit": 1, "flux-points": 1}
    assert before.items() <= after.items()
    assert new_rows(tmp_path / "store", before) == [1]
    at_once = whole(config_of(tiny_release, tmp_path / "other"))
    for name in ("counts", "counts_off", "exposure", "edisp", "mask_safe", "gti", "ledger"):
        np.testing.assert_array_equal(rows_of(more)[name], rows_of(at_once)[name])


def test_a_wider_cone_computes_only_the_runs_that_it_adds(tiny_release, tmp_path, logged):
    cone = "observations: {{obs_cone: {{frame: icrs, lon: 83.633 deg, lat: 22.514 deg, radius: {} deg}}}}"
    narrow = until_datasets(config_of(tiny_release, tmp_path / "store", cone.format(0.1)))
    assert narrow.observations.ids == ["1"]
    before = digests(tmp_path / "store")
    logged()
    wide = until_datasets(config_of(tiny_release, tmp_path / "store", cone.format(5)))
    assert wide.observations.ids == ["1", "2", "3"]
    assert "Reduced 2 rows, found 1 in the store." in logged()
    assert new_rows(tmp_path / "store", before) == [2]


def test_a_change_of_the_energy_axis_reduces_again_and_ingests_nothing(tiny_release, tmp_path, forbid, logged):
    whole(config_of(tiny_release, tmp_path / "store"))
    before = digests(tmp_path / "store")
    forbid("reduce_each", "reduce_block", "computed_stacks", "fit", "flux_points")
    logged()
    whole(config_of(tiny_release, tmp_path / "store", "datasets: {geom: {axes: {energy: {nbins: 4}}}}"))
    assert "Reduced 3 rows, found 0 in the store." in logged()
    assert kinds(digests(tmp_path / "store").keys() - before.keys()) == {
        "rows": 1,
        "stack": 1,
        "fit": 1,
        "flux-points": 1,
    }


def test_rows_that_were_found_are_the_rows_that_are_computed(nights_release, tmp_path):
    """Runs with few off regions and good times, from a product with many, have the padding of their own."""
    # North of the source: near some pointings, far from others.
    shown = "datasets: {stack: false, on_region: {lat: 22.25 deg}}"
    everything = until_datasets(config_of(nights_release, tmp_path / "store", shown))
    assert np.ptp(rows_of(everything)["off_number"].values) > 5
    number = rows_of(everything)["off_number"].values.ravel()
    few = shown, f"observations: {{obs_ids: [{int(np.argmin(number)) + 1}]}}"
    found = until_datasets(config_of(nights_release, tmp_path / "store", *few))
    computed = until_datasets(config_of(nights_release, tmp_path / "other", *few))
    assert dataset_digest(rows_of(found)) == dataset_digest(rows_of(computed))


def test_rows_come_in_the_order_of_the_selection_from_any_products(tiny_release, tmp_path):
    until_datasets(config_of(tiny_release, tmp_path / "store", "observations: {obs_ids: [3]}"))
    until_datasets(config_of(tiny_release, tmp_path / "store", "observations: {obs_ids: [1]}"))
    order = "observations: {obs_ids: [2, 3, 1]}", "datasets: {stack: false}"
    mixed = until_datasets(config_of(tiny_release, tmp_path / "store", *order))
    at_once = until_datasets(config_of(tiny_release, tmp_path / "other", *order))
    assert rows_of(mixed)["dataset"].values.tolist() == ["2", "3", "1"]
    assert dataset_digest(rows_of(mixed)) == dataset_digest(rows_of(at_once))


# --- time


def interval_text(*intervals):
    """Return obs_time for intervals in seconds since the epoch of the release."""
    starts, stops = zip(*intervals, strict=True)
    texts = [
        ", ".join(f"'{time_from_seconds(seconds, MJDREFI + MJDREFF).utc.isot}'" for seconds in side)
        for side in (starts, stops)
    ]
    return f"observations: {{obs_time: {{start: [{texts[0]}], stop: [{texts[1]}]}}}}"


def test_intervals_give_a_row_for_each_run_in_each_and_cut_events_and_time(nights_release, tmp_path):
    first, second = NIGHTS.run(1), NIGHTS.run(2)
    middle = first.gti[0].mean()
    intervals = [
        (first.gti[0, 0] - 100, middle),
        (first.gti[1, 0] - 5, second.gti[-1, 1] + 1),
        (middle, first.gti[1, 0] - 5),
    ]
    text = interval_text(*intervals), "datasets: {stack: false}"
    analysis = until_datasets(config_of(nights_release, tmp_path / "store", *text))
    rows = rows_of(analysis)
    # Interval by interval; run 3 lies in one of them and keeps its name.
    assert rows["dataset"].values.tolist() == ["2-1", "2-2", "3", "2-3"]
    assert rows["obs_id"].values.tolist() == [2, 2, 3, 2]
    np.testing.assert_allclose(rows["ontime"], [30.0, 60.0, 120.0, 30.0], atol=1e-2)
    np.testing.assert_allclose(rows["livetime"], 0.94 * rows["ontime"], rtol=1e-12)
    finite = np.isfinite(rows["gti"].values[..., 0]).sum(axis=1)
    assert finite.tolist() == [1, 1, 2, 1]
    whole_runs = rows_of(until_datasets(config_of(nights_release, tmp_path / "store", "datasets: {stack: false}")))
    of_run = whole_runs.isel(dataset=1)
    for name in ("counts", "counts_off", "ontime", "livetime"):
        np.testing.assert_allclose(rows[name].values[[0, 1, 3]].sum(axis=0), of_run[name], rtol=1e-9)
    np.testing.assert_allclose(rows["exposure"].values[[0, 1, 3]].sum(axis=0), of_run["exposure"], rtol=1e-9)
    assert rows["counts"].values[0].sum() < of_run["counts"].sum()


def test_the_ledger_of_a_cut_run_counts_events_outside_the_interval(nights_release, tmp_path):
    run = NIGHTS.run(0)
    text = interval_text((run.gti[0, 0] - 1, run.gti[0, 1])), "datasets: {stack: false}"
    rows = rows_of(until_datasets(config_of(nights_release, tmp_path / "store", *text)))
    part = part_in_memory(nights_release)
    size = int(part.obs["event_size"][0])
    times = part.events["time"].values[:size]
    outside = int((times >= run.gti[0, 1] - 1e-3).sum())
    ledger = rows["ledger"].values[0, 0]
    assert ledger.sum() == size
    assert ledger[rows["fate"].attrs["flag_meanings"].split().index("outside_time")] == outside > 100


def test_a_new_interval_reduces_its_own_rows_only(nights_release, tmp_path, logged):
    first, second = NIGHTS.run(0), NIGHTS.run(5)
    night = (first.gti[0, 0] - 1, first.gti[0, 0] + 40000)
    until_datasets(config_of(nights_release, tmp_path / "store", interval_text(night)))
    logged()
    next_night = (second.gti[0, 0] - 20000, second.gti[0, 0] + 20000)
    until_datasets(config_of(nights_release, tmp_path / "store", interval_text(night, next_night)))
    assert "Reduced 3 rows, found 4 in the store." in logged()


# --- versions of a run


def replace_run(release, obs_id, folder, **changes):
    """Replace the file of a run by that of another simulation."""
    other = release_of(dataclasses.replace(TINY, **changes), folder)
    shutil.copyfile(run_file(other, obs_id), run_file(release, obs_id))


def test_a_changed_file_is_logged_and_becomes_a_new_version_of_its_run(own_release, tmp_path, logged):
    config = config_of(own_release, tmp_path / "store", "datasets: {stack: false}")
    first = until_datasets(config)
    [old] = Store(tmp_path / "store").ls("dl3")
    before = digests(tmp_path / "store")
    replace_run(own_release, 2, tmp_path / "new", seed=77)
    logged()
    second = until_datasets(config)
    messages = logged()
    assert "Run 2 has changed since it was ingested: it becomes a new version." in messages
    assert any(message.startswith("Ingested 1 runs into") for message in messages)
    assert "Reduced 1 rows, found 2 in the store." in messages
    one, other = rows_of(first), rows_of(second)
    assert one["dataset"].values.tolist() == other["dataset"].values.tolist() == ["1", "2", "3"]
    same = [np.array_equal(one["counts_off"][row], other["counts_off"][row]) for row in range(3)]
    assert same == [True, False, True]
    assert before.items() <= digests(tmp_path / "store").items()
    events = Store(tmp_path / "store").get("dl3", old.key, "events")
    assert events.sizes["event"] == sum(part_in_memory(release_of(TINY, tmp_path / "again")).obs["event_size"].values)


def test_a_run_that_changes_back_is_found(own_release, tmp_path, forbid, logged):
    config = config_of(own_release, tmp_path / "store", "datasets: {stack: false}")
    first = until_datasets(config)
    for seed in (77, TINY.seed, 77):
        replace_run(own_release, 2, tmp_path / "new", seed=seed)
        shutil.rmtree(tmp_path / "new")
        if seed == TINY.seed:
            forbid()
            logged()
        again = until_datasets(config)
        if seed == TINY.seed:
            assert "Reduced 0 rows, found 3 in the store." in logged()
            assert dataset_digest(rows_of(again)) == dataset_digest(rows_of(first))


def test_a_file_with_a_new_date_and_the_same_bytes_is_found(own_release, tmp_path, forbid):
    config = config_of(own_release, tmp_path / "store")
    until_datasets(config)
    for path in own_release.rglob("*.fits*"):
        path.touch()
    forbid()
    until_datasets(config)


def test_a_release_that_moved_is_found(own_release, tmp_path, forbid):
    until_datasets(config_of(own_release, tmp_path / "store"))
    (tmp_path / "elsewhere").mkdir()
    moved = own_release.rename(tmp_path / "elsewhere" / own_release.name)
    forbid()
    until_datasets(config_of(moved, tmp_path / "store"))


# --- a store as a datastore


def test_a_datastore_that_is_a_store_gives_identical_rows(nights_release, tmp_path, forbid):
    shown = "datasets: {stack: false}"
    from_files = until_datasets(config_of(nights_release, tmp_path / "store", shown))
    forbid("reduce_each", "reduce_block")
    from_store = until_datasets(config_of(tmp_path / "store", tmp_path / "other", shown))
    assert from_store.observations.ids == from_files.observations.ids
    xr.testing.assert_identical(rows_of(from_files), rows_of(from_store))
    assert kinds(digests(tmp_path / "other")) == {"rows": 1}
    [one], [other] = (Store(tmp_path / name).ls("rows") for name in ("store", "other"))
    assert (one.key, one.digests, one.texts) == (other.key, other.digests, other.texts)


def test_a_store_may_be_datastore_and_product_store_at_once(tiny_release, tmp_path, forbid):
    first = whole(config_of(tiny_release, tmp_path / "store"))
    forbid()
    second = whole(config_of(tmp_path / "store", tmp_path / "store"))
    xr.testing.assert_identical(first.flux_points.data.data, second.flux_points.data.data)


def test_runs_reduced_from_the_store_equal_those_from_memory_bit_by_bit(nights_release, nights_part):
    store = Store("memory://bits")
    FitsRelease("nights", nights_release).load(range(1, 8), store)
    [record] = store.ls("dl3")
    stored = Part(StoredGroups(store, record))
    from_memory = reduce_spectra(nights_part, rows_in(nights_part), recipe())
    from_store = reduce_spectra(stored, rows_in(stored), recipe())
    xr.testing.assert_identical(from_memory, from_store)
    assert dataset_digest(from_memory) == dataset_digest(from_store)


def test_a_product_read_back_is_what_was_put(tiny_release, tmp_path):
    analysis = whole(config_of(tiny_release, tmp_path / "store"))
    store = Store(tmp_path / "store")
    for record in store.ls():
        assert record.digests == {
            group: dataset_digest(store.get(record.kind, record.key, group)) for group in record.digests
        }
    [stack] = store.ls("stack")
    xr.testing.assert_identical(store.get("stack", stack.key), rows_of(analysis))


# --- products opened with xarray alone


@pytest.fixture(scope="module")
def opened(tiny_release, tmp_path_factory):
    """The products of a whole analysis as xarray alone opens them, by (kind, group)."""
    folder = tmp_path_factory.mktemp("stranger")
    whole(config_of(tiny_release, folder / "store"))
    store = Store(folder / "store")
    return {
        (record.kind, group): xr.open_zarr(store.path(record.kind, record.key), group=group or None)
        for record in store.ls()
        for group in record.digests
    }


def data_products(opened):
    return {place: ds for place, ds in opened.items() if place[0] in ("dl3", "rows", "stack", "flux-points")}


def test_every_variable_of_a_product_has_a_unit_or_is_a_name(opened):
    for place, ds in data_products(opened).items():
        for name, variable in ds.variables.items():
            assert "units" in variable.attrs or "names_in" in variable.attrs, (place, name)
            assert variable.dtype.kind in "biuf", (place, name)


def test_every_binned_axis_of_a_product_has_its_bounds(opened):
    axes = set()
    for place, ds in data_products(opened).items():
        for name in {"energy", "energy_true", "migra", "offset", "rad", "fov_lon", "fov_lat"} & set(ds.dims):
            bounds = ds[ds[name].attrs["bounds"]]
            assert bounds.dims == (name, "bound"), place
            assert bounds.attrs["units"] == ds[name].attrs["units"]
            assert np.all((bounds[:, 0] <= ds[name]) & (ds[name] <= bounds[:, 1]))
            np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])
            assert name in ds.xindexes
            axes.add((place[0], str(name)))
    assert {("rows", "energy"), ("stack", "energy_true"), ("flux-points", "energy"), ("dl3", "migra")} <= axes


def test_dims_and_units_are_those_of_the_data_model(opened):
    rows = opened["rows", ""]
    assert rows["counts"].dims == ("dataset", "region", "energy")
    assert rows["edisp"].dims == ("dataset", "region", "energy_true", "energy")
    assert rows["exposure"].attrs["units"] == "m2 s"
    assert rows["livetime"].attrs["units"] == "s"
    assert rows["livetime"].dtype == "f8"
    assert rows.attrs["dataset_names"] == ["1", "2", "3"]
    assert rows["outcome"].attrs["flag_meanings"].split()[0] == "used"
    assert rows["ledger"].sizes["fate"] == len(rows["fate"].attrs["flag_meanings"].split())
    assert opened["stack", ""].attrs["dataset_names"] == ["stacked"]
    assert opened["flux-points", ""]["norm"].dims == ("energy",)
    assert opened["flux-points", ""]["ref_dnde"].attrs["units"] == "cm-2 s-1 TeV-1"
    assert opened["dl3", "events"]["energy"].attrs["units"] == "TeV"


def test_events_of_a_run_can_be_found_with_xarray_alone(opened):
    obs, events = opened["dl3", ""], opened["dl3", "events"]
    assert obs["obs_id"].values.tolist() == [1, 2, 3]
    start, size = int(obs["event_start"][1]), int(obs["event_size"][1])
    inside = events.isel(event=slice(start, start + size))
    assert float(inside["time"].min()) >= float(obs["tstart"][1])
    assert float(inside["time"].max()) <= float(obs["tstop"][1])
    table = obs.attrs["irf_tables"][int(obs["aeff_table"][1])]
    assert opened["dl3", table]["aeff"].isel(irf=int(obs["aeff_row"][1])).max() > 1e5


# --- nothing to do


def test_an_interval_without_runs_is_logged(tiny_release, tmp_path):
    analysis = Analysis(config_of(tiny_release, tmp_path / "store", interval_text((1e8, 1.1e8))))
    analysis.get_observations()
    assert len(analysis.observations) == 0
    with pytest.raises(ConfigError, match="the selection holds no run; widen obs_cone or obs_time"):
        analysis.get_datasets()


def test_times_of_the_observations_are_those_of_the_plan(nights_release, tmp_path):
    analysis = until_datasets(config_of(nights_release, tmp_path / "store"))
    first = analysis.observations[0].tstart
    wanted = Time(NIGHTS.start, scale="tt")
    assert abs((first - wanted).sec) < 1e-3
