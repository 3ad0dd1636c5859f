"""Merged parts hold what their parts held, and whatever was found before is found after."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xgamma.axes import Axis
from xgamma.events import Rows
from xgamma.formats.gadf.index import read_index
from xgamma.grid import Circle, Grid, RegionSpace
from xgamma.ingest import open_release
from xgamma.ingest.merge import merged_part
from xgamma.ingest.part import part_of, read_runs
from xgamma.ingest.stored import stored_runs
from xgamma.reduce import Recipe, joined_rows, method, reduce_spectra
from xgamma.simulate import Plan, simulate
from xgamma.store import Store
from xgamma.upkeep.parts import compact

GRID = Grid(
    Axis.from_bounds("energy", 0.5, 30, 6),
    Axis.from_bounds("energy_true", 0.2, 50, 10),
    RegionSpace((Circle(83.633, 22.014, 0.11),)),
)
RECIPE = Recipe(GRID, background=method("background", "reflected"), safe_masks=(method("safe mask", "aeff-default"),))


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    path = tmp_path_factory.mktemp("releases") / "night"
    simulate(Plan(runs=3, duration=300.0, efficiencies=(1.0, 0.8)), path)
    return path


@pytest.fixture(scope="module")
def parts(release):
    entries = read_index(release).runs.values()
    runs, failures = read_runs(entries, lambda: None)
    assert not failures
    return [part_of([run], "night") for run in runs], part_of(runs, "night")


def rows_of(part):
    size = part.obs.sizes["obs"]
    names = tuple(str(obs_id) for obs_id in part.obs["obs_id"].values)
    return Rows(np.arange(size), np.full(size, -np.inf), np.full(size, np.inf), names)


def test_a_merged_part_reduces_to_the_same_bytes(parts):
    single, together = parts
    apart = joined_rows([reduce_spectra(part, rows_of(part), RECIPE) for part in single])
    merged = merged_part(single)
    found = reduce_spectra(merged, rows_of(merged), RECIPE)
    xr.testing.assert_identical(found, apart)
    xr.testing.assert_identical(found, reduce_spectra(together, rows_of(together), RECIPE))


def test_a_store_that_was_compacted_reads_nothing_again(release, tmp_path):
    store = Store(tmp_path / "store")
    fits = open_release(release)
    obs_ids = list(fits.facts())
    for obs_id in obs_ids:
        fits.load([obs_id], store)
    before = {obs_id: run.run_key for obs_id, run in stored_runs(store).items()}
    assert len(store.ls("dl3")) == len(obs_ids)
    compact(store)
    assert len(store.ls("dl3")) == 1
    assert {obs_id: run.run_key for obs_id, run in stored_runs(store).items()} == before
    assert fits.pending(obs_ids, store) == []
    assert compact(store) == []
