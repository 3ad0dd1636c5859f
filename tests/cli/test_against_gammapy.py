"""Rows compared with Gammapy's reduction of the same files; skipped without Gammapy."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import numpy as np
import pytest

from releases import config_of, part_in_memory, recipe, rows_in, until_datasets
from xgamma.analysis import AnalysisConfig
from xgamma.reduce import reduce_block, select_rows
from xgamma.schema import Kind
from xgamma.store import Store, digest
from xgamma.times import time_from_seconds
from xgamma.upkeep.against_gammapy import deviations
from xgamma.upkeep.parts import compact

ALL = 10


installed = pytest.mark.skipif(find_spec("gammapy") is None, reason="gammapy is not installed")


@pytest.fixture
def reduced_store(own_release, tmp_path):
    """Reduce a release that a test may change; return the place of the store."""
    place = tmp_path / "store"
    until_datasets(config_of(own_release, place))
    return place


@pytest.fixture
def two_rows(tiny_release):
    rows = reduce_block(part_in_memory(tiny_release), rows_in(part_in_memory(tiny_release)), recipe())
    return select_rows(rows, [0]), select_rows(rows, [1])


def test_a_row_does_not_deviate_from_itself(two_rows):
    assert set(deviations(two_rows[0], two_rows[0]).values()) == {0.0}


def test_deviations_are_the_largest_and_in_the_unit_of_the_quantity(two_rows):
    row = two_rows[0]
    other = row.copy(deep=True)
    other["counts"][0, 0, 2] += 3
    other["mask_safe"][0, 0, :2] = ~other["mask_safe"][0, 0, :2]
    other["exposure"][0, 0, 5] *= 1 + 1e-5
    other["off_lat"][0, 0, 0] += 1e-3
    found = deviations(row, other)
    assert (found["counts"], found["mask_safe"], found["counts_off"]) == (3.0, 2.0, 0.0)
    assert found["exposure"] == pytest.approx(1e-5, rel=1e-4)
    assert found["off regions"] == pytest.approx(1e-3, rel=1e-6)


def test_a_value_that_one_side_lacks_deviates_infinitely(two_rows):
    row = two_rows[0]
    assert deviations(row, row.drop_vars("counts_off"))["counts_off"] == np.inf
    one_less = row.assign(off_lon=row["off_lon"].where(np.arange(row.sizes["off"]) > 0))
    assert deviations(row, one_less)["off regions"] == np.inf


def test_verify_takes_a_datastore_with_against_gammapy_only(xgamma, tiny_release, tmp_path):
    Store(str(tmp_path / "store")).put("x", "y", {}, {})
    ran = xgamma("verify", tmp_path / "store", "--datastore", tiny_release)
    assert (ran.code, ran.err) == (
        2, "Error: --datastore is read with --against gammapy only; add that, or leave it out.\n",
    )  # fmt: skip


def test_merged_parts_record_where_their_files_are(own_release, tmp_path):
    store = Store(str(tmp_path / "store"))
    for run in ("[1]", "[2]"):
        until_datasets(config_of(own_release, tmp_path / "store", f"observations: {{obs_ids: {run}}}"))
    compact(store)
    assert {record.provenance["datastore"] for record in store.ls(Kind.DL3)} == {str(own_release)}


@installed
def test_gammapy_reduces_every_run_to_the_same_row(xgamma, reduced_store):
    ran = xgamma("verify", reduced_store, "--against", "gammapy", "--sample", ALL, "--json")
    assert ran.code == 0
    found = ran.document
    assert (found["agrees"], found["compared"], found["refused"], found["not_possible"]) == (
        True,
        ["1", "2", "3"],
        [],
        {},
    )
    largest = {one["name"]: one["largest"] for one in found["deviations"]}
    assert all(largest[name] == 0 for name in ("counts", "counts_off", "acceptance_off", "mask_safe"))
    assert all(largest[name] < 1e-12 for name in ("exposure", "exposure_edisp", "livetime", "ontime", "off regions"))
    assert largest["edisp"] <= 1e-8


@installed
def test_wobble_off_regions_are_compared_too(xgamma, own_release, tmp_path):
    wobble = "datasets: {background: {method: wobble, parameters: {n_off_regions: 3}}}"
    until_datasets(config_of(own_release, tmp_path / "wobble", wobble))
    found = xgamma("verify", tmp_path / "wobble", "--against", "gammapy", "--sample", ALL, "--json").document
    assert (found["agrees"], found["compared"], found["not_possible"]) == (True, ["1", "2", "3"], {})
    largest = {one["name"]: one["largest"] for one in found["deviations"]}
    assert all(largest[name] == 0 for name in ("counts", "counts_off", "acceptance_off"))


@installed
def test_a_wrong_count_is_found_and_printed(xgamma, reduced_store):
    store = Store(str(reduced_store))
    (record,) = store.ls("rows")
    wrong = store.get("rows", record.key)
    wrong["counts"][1, 0, 3] += 1
    document = {"recipe": record.provenance["recipe"]}
    store.put("rows", digest("wrong"), {"": wrong}, document, inputs=record.inputs, texts=record.texts)
    ran = xgamma("verify", reduced_store, "--against", "gammapy", "--sample", ALL)
    assert ran.code == 6
    (line,) = [line for line in ran.out.splitlines() if "differs" in line]
    assert line.split() == ["counts", "1", "0", "difference", "2", "differs"]
    assert "They differ. Where xgamma departs from Gammapy on purpose" in ran.out


@installed
def test_changed_and_missing_files_are_listed_as_not_compared(xgamma, own_release, reduced_store, tmp_path):
    elsewhere = shutil.move(own_release, tmp_path / "elsewhere")
    ran = xgamma("verify", reduced_store, "--against", "gammapy")
    assert ran.code == 3
    assert "3 rows cannot be compared: their FITS files are not where they were; give the datastore." in ran.out
    ran = xgamma("verify", reduced_store, "--against", "gammapy", "--sample", 1, "--datastore", elsewhere)
    assert (ran.code, "1 row of 3 compared" in ran.out) == (0, True)
    for path in elsewhere.rglob("*.fits"):
        if "index" not in path.name:
            path.write_bytes(path.read_bytes() + bytes(2880))
    ran = xgamma("verify", reduced_store, "--against", "gammapy", "--datastore", elsewhere)
    assert (ran.code, "not those that were ingested" in ran.out) == (3, True)


@installed
def test_a_datastore_that_is_not_there_is_refused(xgamma, reduced_store):
    ran = xgamma("verify", reduced_store, "--against", "gammapy", "--datastore", reduced_store / "nowhere")
    assert (ran.code, "Expected a release of FITS files." in ran.err) == (3, True)


@installed
def test_gammapy_selects_the_same_events_of_a_time_interval(xgamma, tiny_release, tmp_path):
    run = part_in_memory(tiny_release).gti
    start, stop = (time_from_seconds(run["start"].values[0] + at, run.attrs["mjdref"]).isot for at in (10.5, 70.25))
    cut = f"observations: {{obs_time: {{start: '{start}', stop: '{stop}'}}}}"
    until_datasets(config_of(tiny_release, tmp_path / "store", cut))
    ran = xgamma("verify", tmp_path / "store", "--against", "gammapy", "--json")
    largest = {one["name"]: one["largest"] for one in ran.document["deviations"]}
    assert (ran.code, ran.document["compared"], largest["counts"], largest["counts_off"]) == (0, ["1"], 0, 0)
    # Seconds since an epoch twenty years ago are known to some 1e-8.
    assert largest["exposure"] < 1e-8


@installed
def test_the_four_runs_on_the_crab_are_those_of_gammapy(xgamma, gammapy_data, repository, tmp_path):
    config = AnalysisConfig.read(repository / "examples" / "crab-1d.yaml")
    config.general.store = str(tmp_path / "store")
    until_datasets(config)
    ran = xgamma("verify", tmp_path / "store", "--against", "gammapy")
    assert (ran.code, "give its file" in ran.out) == (3, True)
    mask = "$GAMMAPY_DATA/joint-crab/exclusion/exclusion_mask_crab.fits.gz"
    ran = xgamma("verify", tmp_path / "store", "--against", "gammapy", "--exclusion", mask, "--json")
    assert (ran.code, ran.document["compared"]) == (0, ["23523", "23526", "23559", "23592"])
