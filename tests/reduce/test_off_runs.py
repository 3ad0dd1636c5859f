"""Off runs: the background of a run is what others see at the same place of the camera."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits

from releases import TINY, config_of, part_in_memory, recipe, release_of, rows_in, until_datasets
from xgamma import schema
from xgamma.errors import ConfigError
from xgamma.events import Part
from xgamma.geometry import from_field, to_field
from xgamma.grid import Circle, Grid, RegionSpace
from xgamma.masks import ExcludedShapes
from xgamma.outcome import Outcome
from xgamma.reduce import Recipe, lazy_spectra, method, reduce_block, reduce_spectra, stack
from xgamma.shapes import Ellipse

# The runs of a small release have the numbers 1, 2, 3.
OFF = {1: [2, 3]}


def wanted(runs=None, **changes):
    background = method("background", "off_runs", runs=OFF if runs is None else runs)
    return recipe(**{"background": background, "safe_masks": (), **changes})


def by_hand(part, on, off, region, energy):
    """Return the events of an off run, put on the sky of an on run, inside a region."""
    start, size = (int(part.obs[f"event_{what}"].values[off]) for what in ("start", "size"))
    lon, lat, energies = (part.events[name].values[start : start + size] for name in ("ra", "dec", "energy"))
    pointing = [[float(part.obs[name].values[run]) for name in ("ra_pnt", "dec_pnt")] for run in (on, off)]
    moved = from_field(*to_field(lon, lat, *pointing[1]), *pointing[0])
    bins = energy.index(energies[region.holds(*moved)])
    return np.bincount(bins[bins >= 0], minlength=energy.nbin)


@pytest.fixture(scope="module")
def part(tiny_release):
    return part_in_memory(tiny_release)


def test_off_counts_are_those_at_the_same_place_of_the_camera(part):
    regions = (Circle(83.633, 22.014, 0.3), Ellipse(83.9, 22.4, 0.6, 0.3, 20.0))
    grid = Grid(recipe().grid.energy, recipe().grid.energy_true, RegionSpace(regions))
    found = reduce_spectra(part, rows_in(part), wanted(grid=grid, containment=False))
    schema.validate(found)
    assert (found["counts_off"].values[0].sum(axis=-1) > 0).any()
    for number, region in enumerate(regions):
        expected = sum(by_hand(part, 0, off, region, grid.energy) for off in (1, 2))
        np.testing.assert_array_equal(found["counts_off"].values[0, number], expected)
    livetime = part.obs["livetime"].values
    np.testing.assert_allclose(found["acceptance_off"].values[0], livetime[1:].sum() / livetime[0], rtol=1e-12)
    np.testing.assert_array_equal(found["acceptance"].values, 1.0)
    np.testing.assert_array_equal(found["ledger"].sum("fate").values[0], np.repeat(part.obs["event_size"].values[0], 2))


def test_a_run_cut_in_half_has_twice_the_acceptance(part):
    middle = 0.5 * (part.obs["tstart"].values[0] + part.obs["tstop"].values[0])
    whole = reduce_spectra(part, rows_in(part, [0]), wanted())
    half = reduce_spectra(part, rows_in(part, [0], -np.inf, middle), wanted())
    ratio = (whole["ontime"] / half["ontime"]).item()
    assert ratio > 1.5
    np.testing.assert_allclose(half["acceptance_off"], whole["acceptance_off"] * ratio, rtol=1e-12)
    np.testing.assert_array_equal(half["counts_off"], whole["counts_off"])


def test_off_runs_are_no_on_runs(part):
    for runs in (OFF, [2, 3]):
        found = reduce_spectra(part, rows_in(part), wanted(runs))
        assert found["outcome"].values.tolist() == [Outcome.USED, Outcome.NO_OFF_REGION, Outcome.NO_OFF_REGION]
        assert found.attrs["outcome_details"][1] == "it is an off run, of which others take their background"
    both = reduce_spectra(part, rows_in(part), wanted({1: [2], 2: [1]}))
    assert both["outcome"].values.tolist() == [Outcome.USED, Outcome.USED, Outcome.NO_OFF_REGION]
    assert both.attrs["outcome_details"][2] == "no off run is named for it"


def test_a_run_whose_off_run_is_elsewhere_says_what_to_do(part):
    found = reduce_spectra(part, rows_in(part), wanted({1: [2, 77]}))
    assert (found["outcome"].values == Outcome.NO_OFF_REGION).all()
    assert found.attrs["outcome_details"][0].startswith("its off runs 77 are not among the runs that were ingested")
    assert found["counts_off"].values.sum() == 0


def test_an_off_run_with_excluded_sky_in_its_place_is_left_out(part):
    on, off = ([float(part.obs[name].values[run]) for name in ("ra_pnt", "dec_pnt")] for run in (0, 1))
    lon, lat = (float(one) for one in from_field(*to_field(83.633, 22.014, *on), *off))
    found = reduce_spectra(part, rows_in(part), wanted(exclusion=ExcludedShapes((Circle(lon, lat, 0.05),))))
    alone = reduce_spectra(part, rows_in(part), wanted({1: [3]}))
    np.testing.assert_array_equal(found["counts_off"].values[0], alone["counts_off"].values[0])
    np.testing.assert_array_equal(found["acceptance_off"].values[0], alone["acceptance_off"].values[0])
    assert found["outcome"].values[0] == Outcome.USED
    assert found.attrs["outcome_details"][0].endswith("are left out: 2")


def test_blocks_of_any_size_lazy_rows_and_stacks(nights_part):
    runs = {1: [5, 6], 2: [5], 3: [5, 6, 7], 4: [7]}
    rows = rows_in(nights_part)
    whole = reduce_block(nights_part, rows, wanted(runs))
    each = [reduce_block(nights_part, rows[n : n + 1], wanted(runs)) for n in range(7)]
    for name in ("counts_off", "acceptance_off", "outcome"):
        np.testing.assert_array_equal(whole[name].values, np.concatenate([one[name].values for one in each]))
    lazy = lazy_spectra([(nights_part, rows)], wanted(runs))
    np.testing.assert_array_equal(lazy["counts_off"].values, whole["counts_off"].values)
    assert stack(whole)["counts_off"].values.sum() == whole["counts_off"].values.sum()


def test_an_empty_field_far_away_measures_the_background(tmp_path_factory):
    """Off runs on another part of the sky see the background that the on runs have, within its error."""
    folder = tmp_path_factory.mktemp("off")
    source = dataclasses.replace(TINY.source, spectral={**TINY.source.spectral})
    on = part_in_memory(release_of(dataclasses.replace(TINY, name="on", source=source), folder))
    given = reduce_spectra(on, rows_in(on), recipe(background=method("background", "irf"), safe_masks=()))
    moved = on.obs.copy()
    moved["ra_pnt"] = moved["ra_pnt"].copy(
        data=np.where(np.arange(3) > 0, (moved["ra_pnt"] + 90) % 360, moved["ra_pnt"])
    )
    shifted = np.repeat(np.arange(3) > 0, on.obs["event_size"].values)
    events = on.events.assign(
        ra=on.events["ra"].copy(data=np.where(shifted, (on.events["ra"] + 90) % 360, on.events["ra"]))
    )
    away = Part({**on.groups, "": moved, "events": events})
    alone = reduce_spectra(on, rows_in(on), wanted())
    found = reduce_spectra(away, rows_in(away), wanted())
    # What the camera sees there is what it saw before, as a field is a sphere.
    np.testing.assert_array_equal(found["counts_off"].values[0], alone["counts_off"].values[0])
    assert given["background"].values[0].sum() > 0


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], r"runs: expected the ids of off runs such as \[20275, 20282\] for all runs"),
        ("20275", "runs: expected the ids of off runs"),
        ([1.5], "runs: expected the ids of off runs"),
        ({1: []}, "runs: expected the ids of off runs"),
        ({1: [1, 2]}, "runs: run 1 cannot be its own background"),
        ([2, 2], "runs: expected each run once, got 2 more than once"),
    ],
)
def test_runs_that_are_none_are_refused(runs, message):
    with pytest.raises(ConfigError, match=message):
        wanted(runs)


def test_a_point_is_refused():
    grid = Grid(recipe().grid.energy, recipe().grid.energy_true, RegionSpace((Circle(83.633, 22.014, 0.0),)))
    with pytest.raises(ConfigError, match="needs an on-region with an area, got a point; write wobble"):
        wanted(grid=grid, containment=False)


def test_a_recipe_with_off_runs_comes_back_from_json():
    for runs in (OFF, [2, 3]):
        assert Recipe.from_document(json.loads(json.dumps(wanted(runs).document()))).key == wanted(runs).key


def test_the_key_of_a_row_is_of_the_bytes_of_its_off_runs(tiny_release, own_release, tmp_path):
    text = "datasets: {background: {method: off_runs, parameters: {runs: {'1': [2, 3]}}}}"
    first = until_datasets(config_of(own_release, tmp_path / "store", text))
    [view] = first.datasets
    assert view.stat_type == "wstat"
    [reduction] = first.results.reductions.values()
    again = until_datasets(config_of(own_release, tmp_path / "store", text))
    assert [one.rows.found for one in again.results.reductions.values()] == [3]
    path = own_release / "data" / "run_000002.fits"
    change(path)
    changed = until_datasets(config_of(own_release, tmp_path / "store", text))
    [other] = changed.results.reductions.values()
    names = dict(zip(reduction.rows.names, reduction.rows.keys, strict=True))
    others = dict(zip(other.rows.names, other.rows.keys, strict=True))
    assert {name for name in names if names[name] != others[name]} == {"1", "2"}


def change(path):
    with fits.open(path) as hdus:
        energies = hdus["EVENTS"].data["ENERGY"]
        hdus["EVENTS"].data["ENERGY"] = energies * 1.01
        hdus.writeto(path, overwrite=True)
