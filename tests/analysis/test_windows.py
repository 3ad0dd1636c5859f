"""Windows of the sky go through the store as regions do: rows under their keys, their stacks, and the check of both."""

from __future__ import annotations

import pytest
import xarray as xr

from releases import config_of, recipe, rows_in
from xgamma.analysis import Analysis
from xgamma.analysis.steps.rows import reduced, wanted_rows
from xgamma.analysis.steps.stack import Groups, computed_stacks, stacked
from xgamma.analysis.steps.sum_ahead import SumAhead
from xgamma.execute import THIS_PROCESS
from xgamma.grid import Grid, SkySpace
from xgamma.ingest import StoredRelease
from xgamma.reduce import Recipe, row_bytes, stack
from xgamma.store import dataset_digest
from xgamma.store.conformance import validate
from xgamma.upkeep.verify import verify


@pytest.fixture
def windows(nights_release, tmp_path):
    """Return a store with seven runs, what it holds of them, all rows, and a recipe of windows about the pointings."""
    analysis = Analysis(config_of(nights_release, tmp_path / "store"))
    analysis.get_observations()
    held = StoredRelease(analysis.store).load(list(StoredRelease(analysis.store).facts()), analysis.store)
    rows = [(key, rows_in(part)) for key, part in held.parts.items()]
    space = SkySpace(83.633, 22.014, "icrs", 0.1, (40, 36), (20, 18))
    grid = Grid(recipe().grid.energy, recipe().grid.energy_true, space)
    return analysis.store, held, rows, Recipe(grid, containment=False)


def test_windows_are_found_in_the_store_and_so_is_their_stack(windows, monkeypatch):
    store, held, rows, wanted = windows
    monkeypatch.setattr("xgamma.analysis.steps.rows.PRODUCT_BYTES", 3 * row_bytes(wanted.grid, wanted.held))
    first, lost = reduced(wanted_rows(store, held, rows, wanted), wanted, THIS_PROCESS, pytest.fail)
    assert (len(first), lost, first.found) == (7, [], 0)
    assert [len(record.texts["rows"]) for record in store.records("rows")].count(3) == 2
    again, _ = reduced(wanted_rows(store, held, rows, wanted), wanted, THIS_PROCESS, pytest.fail)
    assert (again.keys, again.found) == (first.keys, 7)
    product, found = stacked(store, again, Groups(again, None), THIS_PROCESS)
    image = product.data
    assert image["counts"].shape == (1, 8, 36, 40)
    same, found_again = stacked(store, again, Groups(again, None), THIS_PROCESS)
    assert (found, found_again, same.key) == (0, 1, product.key)
    direct = stack(again.read(again.canonical_order))
    xr.testing.assert_identical(image.drop_vars("dataset"), direct.drop_vars("dataset"))
    assert verify(store).faults == []
    assert validate(store.url).violations == []


def test_rows_that_were_added_while_they_were_in_memory_are_not_read_back(windows, monkeypatch):
    store, held, rows, wanted = windows
    monkeypatch.setattr("xgamma.reduce.spectra.MAX_BYTES", 2 * row_bytes(wanted.grid, wanted.held))
    monkeypatch.setattr("xgamma.analysis.steps.row_reader.KEPT_BYTES", 0)
    fresh, _ = reduced(wanted_rows(store, held, rows, wanted), wanted, THIS_PROCESS, pytest.fail, is_one_stack=True)
    assert len(store.ls("rows")) > 2
    again, _ = reduced(wanted_rows(store, held, rows, wanted), wanted, THIS_PROCESS, pytest.fail, is_one_stack=True)
    assert again.reader.ahead is None
    members = Groups(again, None).members
    read = computed_stacks(again, members, THIS_PROCESS)
    monkeypatch.setattr(store, "get_valid", pytest.fail)
    assert dataset_digest(computed_stacks(fresh, members, THIS_PROCESS)) == dataset_digest(read)
    assert fresh.reader.ahead is None


def test_what_was_added_ahead_is_used_as_far_as_the_leaf_goes_and_not_in_another_order(windows, monkeypatch):
    store, held, rows, wanted = windows
    found, _ = reduced(wanted_rows(store, held, rows, wanted), wanted, THIS_PROCESS, pytest.fail)
    order, members = found.canonical_order, Groups(found, None).members
    whole = computed_stacks(found, members, THIS_PROCESS)

    def added(numbers):
        ahead = SumAhead()
        for number in numbers:
            ahead.add([found.places[number]], [found.keys[number]], found.read([number]))
        return ahead

    for first in (1, 3, 7):
        found.reader.ahead = added(order[:first])
        assert len(found.reader.ahead.places) == first
        assert dataset_digest(computed_stacks(found, members, THIS_PROCESS)) == dataset_digest(whole)
    assert added([order[1], order[0]]).places == []
    # The second row alone is not the first of the stack.
    found.reader.ahead = added(order[1:2])
    assert dataset_digest(computed_stacks(found, members, THIS_PROCESS)) == dataset_digest(whole)
    for module in ("reduce.sums", "analysis.steps.sum_ahead"):
        monkeypatch.setattr(f"xgamma.{module}.LEAF", 3)
    found.reader.ahead = added(order)
    assert found.reader.ahead.places == [found.places[number] for number in order[:3]]
    leaves = computed_stacks(found, members, THIS_PROCESS)
    found.reader.ahead = None
    assert dataset_digest(leaves) == dataset_digest(computed_stacks(found, members, THIS_PROCESS))


def test_the_bytes_of_a_stack_of_windows_do_not_depend_on_how_they_are_read(windows, monkeypatch):
    store, held, rows, wanted = windows
    found, _ = reduced(wanted_rows(store, held, rows, wanted), wanted, THIS_PROCESS, pytest.fail)
    labels = {name: "odd" if number % 2 else "even" for number, name in enumerate(found.names)}
    members = Groups(found, labels).members
    monkeypatch.setattr("xgamma.reduce.sums.LEAF", 2)
    whole = computed_stacks(found, members, THIS_PROCESS)
    assert whole["dataset"].values.tolist() == ["even", "odd"]
    for bytes_read, rows_in_block in ((1, 1), (2 * row_bytes(wanted.grid), 100)):
        monkeypatch.setattr("xgamma.analysis.steps.stack.STEP_BYTES", bytes_read)
        monkeypatch.setattr("xgamma.analysis.steps.stack.BLOCK_ROWS", rows_in_block)
        assert dataset_digest(computed_stacks(found, members, THIS_PROCESS)) == dataset_digest(whole)
