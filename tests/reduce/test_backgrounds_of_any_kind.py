"""Backgrounds say what variables they give: off regions, off counts alone, or a background that is expected."""

from __future__ import annotations

import numpy as np
import pytest

from registries import own_registry
from releases import recipe, rows_in
from xgamma import schema
from xgamma.errors import ConfigError
from xgamma.grid import Cells
from xgamma.outcome import Outcome
from xgamma.reduce import (
    Background,
    OffRegions,
    joined_rows,
    lazy_spectra,
    masked_rows,
    method,
    reduce_spectra,
    register,
    stack,
)
from xgamma.reduce.background.names import KIND, SPACES
from xgamma.registry import NoParameters, built_in, lookup

NONE = np.empty(0, dtype=np.int64)


class WithoutCircles(Background):
    """A background that looks at no other place of the sky."""

    def __init__(self, parameters: NoParameters) -> None:
        """Take no parameters."""

    def place(self, given):
        return OffRegions.none(len(given.rows), len(given.grid.regions))

    def split(self, given, off, events, on):
        return on, Cells(NONE, NONE)

    def bound(self, given):
        raise AssertionError("it has no off regions")


class Flat(WithoutCircles):
    """One event a minute in each bin."""

    variables = ("background",)

    def estimate(self, given, off, counts_off):
        return {"background": np.ones(counts_off.shape) * given.ontime[:, None, None] / 60}


class Alternating(WithoutCircles):
    """Every second event of the on-region is off."""

    variables = ("counts_off", "acceptance", "acceptance_off")

    def split(self, given, off, events, on):
        return Cells(on.event[::2], on.cell[::2]), Cells(on.event[1::2], on.cell[1::2])

    def estimate(self, given, off, counts_off):
        ones = np.ones(counts_off.shape)
        return {"counts_off": counts_off, "acceptance": ones, "acceptance_off": ones}


class Forgetful(Flat):
    """Returns other variables than it says."""

    variables = ("background", "counts_off")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    own_registry(monkeypatch)
    for kind in (Flat, Alternating, Forgetful):
        register("background", kind.__name__.lower())(kind)


def recipe_with(name, **changes):
    return recipe(background=method("background", name), **changes)


@pytest.mark.parametrize("name", ["flat", "alternating"])
def test_rows_hold_what_the_background_gives_and_no_more(nights_part, name):
    wanted = recipe_with(name)
    rows = reduce_spectra(nights_part, rows_in(nights_part), wanted)
    of_background = {"background", *Background.variables}
    assert of_background & set(rows.variables) == set(wanted.background_variables)
    schema.validate(rows)
    lazy = lazy_spectra([(nights_part, rows_in(nights_part))], wanted)
    assert set(lazy.variables) == set(rows.variables)
    for variable in (*wanted.background_variables, "counts", "mask_safe"):
        np.testing.assert_array_equal(lazy[variable].values, rows[variable].values)
    total = stack(rows)
    assert of_background & set(total.variables) == set(wanted.background_variables)


def test_a_background_that_is_expected_is_summed_where_bins_are_safe(nights_part):
    rows = reduce_spectra(nights_part, rows_in(nights_part), recipe_with("flat"))
    np.testing.assert_array_equal(rows["background"].values, np.ones(rows["counts"].shape) * 2.0)
    safe = rows["mask_safe"].values
    np.testing.assert_array_equal(
        stack(rows)["background"].values, (rows["background"].values * safe).sum(axis=(0,))[None]
    )


def test_the_ledger_adds_up_where_events_of_the_on_region_are_off(nights_part):
    rows = reduce_spectra(nights_part, rows_in(nights_part), recipe_with("alternating"))
    alone = reduce_spectra(nights_part, rows_in(nights_part), recipe(background=None))
    np.testing.assert_array_equal(rows["ledger"].sum("fate").values[:, 0], nights_part.obs["event_size"].values)
    np.testing.assert_array_equal((rows["counts"] + rows["counts_off"]).values, alone["counts"].values)


def test_a_run_without_data_joins_rows_of_any_background(nights_part):
    wanted = recipe_with("flat")
    rows = reduce_spectra(nights_part, rows_in(nights_part), wanted)
    masked = masked_rows(wanted.grid, rows, np.array([99]), [Outcome.NO_EVENTS], ["the event list is empty"])
    joined = joined_rows([rows, masked])
    assert set(joined.variables) == set(rows.variables)
    np.testing.assert_array_equal(stack(joined)["background"].values, stack(rows)["background"].values)


def test_the_safe_mask_of_the_peak_looks_at_the_background_that_is_expected(nights_part, monkeypatch):
    def peaked(self, given, off, counts_off):
        background = np.ones(counts_off.shape)
        background[..., 3] = 2.0
        return {"background": background}

    monkeypatch.setattr(Flat, "estimate", peaked)
    rows = reduce_spectra(nights_part, rows_in(nights_part), recipe_with("flat", safe_masks=("bkg-peak",)))
    np.testing.assert_array_equal(rows["mask_safe"].values[0, 0], np.arange(8) >= 3)


def test_other_variables_than_those_declared_raise(nights_part):
    with pytest.raises(ConfigError, match=r"Forgetful returns background; expected its variables, background, counts_"):
        reduce_spectra(nights_part, rows_in(nights_part), recipe_with("forgetful"))


def test_a_bin_whose_background_is_not_above_0_is_not_safe(nights_part, monkeypatch):
    def patchy(self, given, off, counts_off):
        background = np.ones(counts_off.shape)
        background[..., 2:4] = 0.0, np.nan
        return {"background": background}

    monkeypatch.setattr(Flat, "estimate", patchy)
    rows = reduce_spectra(nights_part, rows_in(nights_part), recipe_with("flat", safe_masks=()))
    np.testing.assert_array_equal(rows["mask_safe"].values[:, 0], np.tile([1, 1, 0, 0, 1, 1, 1, 1], (7, 1)))
    assert np.isfinite(stack(rows)["background"].values).all()


def test_what_is_known_of_backgrounds_before_they_are_loaded_is_what_they_are():
    made_for = {name: lookup(KIND, name).function.dataset_type for name in built_in(KIND)}
    assert made_for == dict(SPACES)
