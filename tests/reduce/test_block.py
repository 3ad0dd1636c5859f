"""Laws of the reduction of a block: the same bytes however it is cut, and every event accounted for."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from releases import NIGHTS, TINY, part_in_memory, recipe, release_of, rows_in
from xgamma import schema
from xgamma.axes import Axis
from xgamma.errors import ConfigError, DataError
from xgamma.events import Part, read_events
from xgamma.geometry import separation
from xgamma.grid import Circle, RegionSpace
from xgamma.masks import ExcludedShapes
from xgamma.outcome import Fate, Outcome, validate_ledger
from xgamma.reduce import SafeMaskParameters, blocks_of, reduce_block, reduce_spectra
from xgamma.simulate import AnalyticResponse
from xgamma.simulate.responses import analytic_area, containment, psf_width
from xgamma.store import dataset_digest

COUNTED = ("counts", "counts_off", "ledger")


def with_columns(part, **columns):
    """Return a part in which event columns are replaced."""
    events = part.events.copy()
    for name, values in columns.items():
        events[name] = (events[name].dims, values, events[name].attrs)
    return Part({**part.groups, "events": events})


def with_runs(part, **columns):
    """Return a part in which columns of the run table are replaced."""
    obs = part.obs.copy()
    for name, values in columns.items():
        obs[name] = (obs[name].dims, np.asarray(values), obs[name].attrs)
    return Part({**part.groups, "": obs})


@pytest.fixture(scope="module")
def reduced(nights_part):
    return reduce_block(nights_part, rows_in(nights_part), recipe())


def grid_of(**changes):
    return dataclasses.replace(recipe().grid, **changes)


# --- the numbers


def test_a_reduction_follows_the_schema(reduced):
    schema.validate(reduced)
    assert reduced.attrs["outcome_details"] == ["used"] * 7
    assert reduced["outcome"].values.tolist() == [Outcome.USED] * 7
    assert reduced["counts"].dtype == reduced["exposure"].dtype == reduced["edisp"].dtype == np.float64


def test_counts_are_the_events_in_the_region_and_the_bin(nights_part, reduced):
    obs, events = nights_part.obs, nights_part.events
    edges = recipe().grid.energy.edges
    for row in range(7):
        one = slice(*(int(obs["event_start"][row]) + np.array([0, int(obs["event_size"][row])])))
        near = separation(events["ra"].values[one], events["dec"].values[one], 83.633, 22.014) < 0.11
        wanted, _ = np.histogram(events["energy"].values[one][near].astype(float), edges)
        np.testing.assert_array_equal(reduced["counts"].values[row, 0], wanted)


def test_off_counts_are_the_events_in_the_union_of_the_off_regions(nights_part, reduced):
    obs, events = nights_part.obs, nights_part.events
    edges = recipe().grid.energy.edges
    for row in (0, 3):
        one = slice(*(int(obs["event_start"][row]) + np.array([0, int(obs["event_size"][row])])))
        lon, lat = events["ra"].values[one], events["dec"].values[one]
        number = int(reduced["off_number"][row, 0])
        places = [reduced[name].values[row, 0, :number] for name in ("off_lon", "off_lat", "off_radius")]
        inside = [separation(lon, lat, x, y) < radius for x, y, radius in zip(*places, strict=True)]
        wanted, _ = np.histogram(events["energy"].values[one][np.any(inside, axis=0)].astype(float), edges)
        np.testing.assert_array_equal(reduced["counts_off"].values[row, 0], wanted)
        np.testing.assert_array_equal(reduced["acceptance_off"].values[row, 0], number)


def test_exposure_is_that_of_the_instrument(nights_part, reduced):
    energy = recipe().grid.energy_true.center
    factor = np.array(NIGHTS.efficiencies)[np.arange(7) % 2] * 120.0 * 0.94
    area = analytic_area(NIGHTS.response, energy, 0.5)
    # The table has few nodes, so that only where the area is flat it is the formula.
    flat = energy > 2
    wanted = (factor[:, None] * area)[:, flat]
    np.testing.assert_allclose(reduced["exposure_edisp"].values[:, 0, flat], wanted, rtol=2e-2)
    share = containment(NIGHTS.response, psf_width(NIGHTS.response, energy, 0.5), 0.11)
    found = reduced["exposure"].values[:, 0] / reduced["exposure_edisp"].values[:, 0]
    np.testing.assert_allclose(found, np.broadcast_to(share, found.shape), rtol=3e-3)
    np.testing.assert_allclose(reduced["offset"], 0.5, atol=1e-9)


def test_rows_of_the_dispersion_sum_to_at_most_one(reduced):
    total = reduced["edisp"].sum("energy").values
    assert np.all(total <= 1 + 1e-12)
    assert np.all(total >= 0)
    inside = (recipe().grid.energy_true.center > 2) & (recipe().grid.energy_true.center < 8)
    np.testing.assert_allclose(total[..., inside], 1.0, rtol=1e-9)


# --- the same bytes for any blocks


def cut(monkeypatch, rows, events):
    monkeypatch.setattr("xgamma.reduce.spectra.MAX_ROWS", rows)
    for place in ("xgamma.reduce.spectra", "xgamma.reduce.block"):
        monkeypatch.setattr(f"{place}.MAX_EVENTS", events)


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("rows", "events"), [(1, 10**6), (2, 10**6), (5, 10**6), (200, 700), (200, 97), (3, 250), (1, 1)]
)
def test_the_size_of_blocks_does_not_change_a_byte(nights_part, reduced, monkeypatch, rows, events):
    some = rows_in(nights_part, np.arange(7) if events > 1 else [0])
    wanted = reduced if events > 1 else reduce_block(nights_part, some, recipe())
    cut(monkeypatch, rows, events)
    found = reduce_spectra(nights_part, some, recipe())
    assert dataset_digest(found) == dataset_digest(wanted)
    xr.testing.assert_identical(found, wanted)


def test_blocks_hold_all_rows_in_their_order(nights_part, monkeypatch):
    cut(monkeypatch, 3, 1500)
    rows = rows_in(nights_part, [6, 0, 1, 5, 2, 4, 3])
    blocks = list(blocks_of(nights_part, rows, recipe()))
    assert [name for block in blocks for name in block.names] == list(rows.names)
    sizes = nights_part.obs["event_size"].values
    assert all(1 <= len(block) <= 3 for block in blocks)
    assert all(len(block) == 1 or sizes[block.obs].sum() <= 1500 for block in blocks)


def test_a_row_does_not_depend_on_its_neighbours(nights_part, reduced):
    order = [4, 0, 6]
    found = reduce_block(nights_part, rows_in(nights_part, order), recipe())
    for name in ("counts", "counts_off", "exposure", "edisp", "mask_safe", "ledger", "livetime", "acceptance_off"):
        np.testing.assert_array_equal(found[name], reduced[name].isel(dataset=order))


def test_a_run_may_have_several_rows(nights_part, reduced):
    found = reduce_block(nights_part, rows_in(nights_part, [2, 2, 5, 2]), recipe())
    for name in COUNTED:
        np.testing.assert_array_equal(found[name], reduced[name].isel(dataset=[2, 2, 5, 2]))


@given(limit=st.integers(40, 900), rows=st.lists(st.integers(0, 6), min_size=1, max_size=9))
def test_pieces_of_events_hold_each_event_once_and_in_order(nights_part, limit, rows):
    chosen = rows_in(nights_part, rows)
    pieces = list(read_events(nights_part, chosen, limit))
    assert all(len(piece.row) <= limit for piece in pieces)
    obs = nights_part.obs
    starts, sizes = obs["event_start"].values[rows], obs["event_size"].values[rows]
    wanted = np.concatenate([nights_part.events["ra"].values[s : s + n] for s, n in zip(starts, sizes, strict=True)])
    np.testing.assert_array_equal(np.concatenate([piece.lon for piece in pieces]), wanted)
    np.testing.assert_array_equal(
        np.concatenate([piece.row for piece in pieces]), np.repeat(np.arange(len(rows)), sizes)
    )


# --- what counts do not depend on


def test_counts_do_not_depend_on_the_true_energies(nights_part, reduced):
    other = grid_of(energy_true=Axis.from_bounds("energy_true", 0.3, 40.0, 5))
    found = reduce_block(nights_part, rows_in(nights_part), recipe(grid=other))
    for name in (*COUNTED, "acceptance", "acceptance_off"):
        np.testing.assert_array_equal(found[name], reduced[name])


def test_counts_do_not_depend_on_the_containment(nights_part, reduced):
    found = reduce_block(nights_part, rows_in(nights_part), recipe(containment=False))
    for name in (*COUNTED, "acceptance_off", "exposure_edisp", "edisp"):
        np.testing.assert_array_equal(found[name], reduced[name])
    np.testing.assert_array_equal(found["exposure"], found["exposure_edisp"])
    assert np.all(found["exposure"] > reduced["exposure"])


def test_counts_do_not_depend_on_the_safe_masks(nights_part, reduced):
    bare = reduce_block(nights_part, rows_in(nights_part), recipe(safe_masks=()))
    assert bare["mask_safe"].all()
    assert not reduced["mask_safe"].all()
    for name in (*COUNTED, "exposure", "edisp"):
        np.testing.assert_array_equal(bare[name], reduced[name])


def test_coarser_bins_hold_the_sums_of_finer_ones(nights_part, reduced):
    coarse = grid_of(energy=Axis("energy", recipe().grid.energy.edges[::4]))
    found = reduce_block(nights_part, rows_in(nights_part), recipe(grid=coarse))
    np.testing.assert_array_equal(found["counts"], reduced["counts"].values.reshape(7, 1, 2, 4).sum(axis=-1))


# --- the ledger


def test_the_ledger_adds_up_on_every_run(nights_part, reduced):
    np.testing.assert_array_equal(reduced["ledger"].sum("fate").values[:, 0], nights_part.obs["event_size"])
    np.testing.assert_array_equal(reduced["ledger"][..., Fate.ON], reduced["counts"].sum("energy"))
    np.testing.assert_array_equal(reduced["ledger"][..., Fate.OFF], reduced["counts_off"].sum("energy"))
    assert not reduced["ledger"][..., [Fate.INVALID, Fate.OUTSIDE_TIME]].any()
    assert np.all(reduced["ledger"][..., Fate.OUTSIDE_REGIONS] > 0)


def test_the_ledger_counts_events_outside_the_axis(nights_part, reduced):
    narrow = grid_of(energy=Axis("energy", recipe().grid.energy.edges[2:5]))
    found = reduce_block(nights_part, rows_in(nights_part), recipe(grid=narrow))
    np.testing.assert_array_equal(found["ledger"].sum("fate"), reduced["ledger"].sum("fate"))
    moved = (
        reduced["counts"].values[..., [0, 1, 4, 5, 6, 7]].sum()
        + reduced["counts_off"].values[..., [0, 1, 4, 5, 6, 7]].sum()
    )
    fewer = (found["ledger"] - reduced["ledger"]).sum(["dataset", "region"]).values
    assert fewer[Fate.OUTSIDE_ENERGY] == moved > 0
    assert fewer[Fate.OUTSIDE_REGIONS] == 0


@given(data=st.data())
def test_the_ledger_counts_damaged_events(nights_part, data):
    size = nights_part.events.sizes["event"]
    columns = {name: nights_part.events[name].values.copy() for name in ("ra", "dec", "energy")}
    damaged = data.draw(st.sets(st.integers(0, size - 1), max_size=8))
    for event in damaged:
        name = data.draw(st.sampled_from(sorted(columns)))
        worthless = [np.nan, np.inf] + ([-1.0, 0.0] if name == "energy" else [])
        columns[name][event] = data.draw(st.sampled_from(worthless))
    found = reduce_block(with_columns(nights_part, **columns), rows_in(nights_part), recipe())
    ends = np.cumsum(nights_part.obs["event_size"].values)
    per_run = np.bincount(np.searchsorted(ends, sorted(damaged), side="right"), minlength=7)
    np.testing.assert_array_equal(found["ledger"].values[:, 0, Fate.INVALID], per_run)
    np.testing.assert_array_equal(found["ledger"].sum("fate").values[:, 0], nights_part.obs["event_size"])
    outcome = np.where(per_run > 0, Outcome.INVALID_EVENTS, Outcome.USED)
    np.testing.assert_array_equal(found["outcome"], outcome)
    assert not found["mask_safe"].values[per_run > 0].any()


def test_the_ledger_counts_events_outside_the_interval(nights_part, reduced):
    gti = np.stack([nights_part.gti[side].values.reshape(7, 2) for side in ("start", "stop")], axis=2)
    middle = gti[:, 0].mean(axis=1)
    before = reduce_block(nights_part, rows_in(nights_part, np.arange(7), stop=middle), recipe())
    after = reduce_block(nights_part, rows_in(nights_part, np.arange(7), start=middle), recipe())
    for name in ("counts", "counts_off"):
        np.testing.assert_array_equal(before[name] + after[name], reduced[name])
    np.testing.assert_allclose(before["ontime"], 30.0, rtol=1e-9)
    np.testing.assert_allclose(before["livetime"] + after["livetime"], reduced["livetime"], rtol=1e-12)
    np.testing.assert_allclose(before["exposure"] + after["exposure"], reduced["exposure"], rtol=1e-12)
    events = nights_part.events["time"].values
    ends = np.cumsum(nights_part.obs["event_size"].values)
    late = np.bincount(
        np.searchsorted(ends, np.flatnonzero(events >= np.repeat(middle, nights_part.obs["event_size"])), side="right")
    )
    np.testing.assert_array_equal(before["ledger"].values[:, 0, Fate.OUTSIDE_TIME], late)
    np.testing.assert_array_equal(before["ledger"].sum("fate"), after["ledger"].sum("fate"))


def test_an_event_belongs_to_one_of_two_adjacent_intervals(nights_part):
    first = float(nights_part.events["time"][5])
    sides = [{"stop": first}, {"start": first}]
    found = [
        reduce_block(nights_part, rows_in(nights_part, [0], **side), recipe())["ledger"].values[0, 0] for side in sides
    ]
    size = int(nights_part.obs["event_size"][0])
    assert found[0][Fate.OUTSIDE_TIME] == size - 5
    assert found[1][Fate.OUTSIDE_TIME] == 5


def test_a_ledger_that_does_not_add_up_raises():
    ledger = np.ones((2, 1, len(Fate)), int)
    validate_ledger(ledger, np.array([6, 6]))
    with pytest.raises(DataError, match="ledger of row 1 adds up to"):
        validate_ledger(ledger, np.array([6, 7]))


def test_two_regions_have_two_ledgers(nights_part):
    regions = (Circle(83.633, 22.014, 0.11), Circle(83.4, 22.3, 0.2))
    both = reduce_block(nights_part, rows_in(nights_part), recipe(grid=grid_of(space=RegionSpace(regions))))
    # Each is left out of the off regions of the other.
    alone = [
        reduce_block(
            nights_part,
            rows_in(nights_part),
            recipe(grid=grid_of(space=RegionSpace((region,))), exclusion=ExcludedShapes((other,))),
        )
        for region, other in (regions, regions[::-1])
    ]
    for number, one in enumerate(alone):
        for name in ("counts", "counts_off", "ledger", "exposure", "edisp", "mask_safe", "off_number"):
            np.testing.assert_array_equal(both[name].values[:, number], one[name].values[:, 0], err_msg=name)
    assert both.sizes["region"] == 2


# --- rows that cannot be used


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        ({"aeff_table": -1}, Outcome.MISSING_IRF),
        ({"edisp_table": -1}, Outcome.MISSING_IRF),
        ({"psf_table": -1}, Outcome.MISSING_IRF),
        ({"dec_pnt": 22.014 - 3.0}, Outcome.OUTSIDE_FIELD_OF_VIEW),
        ({"ra_pnt": 83.633, "dec_pnt": 22.014}, Outcome.NO_OFF_REGION),
        ({"event_size": 0}, Outcome.NO_EVENTS),
        ({"gti_size": 0}, Outcome.NO_GOOD_TIME),
    ],
)
def test_a_row_that_cannot_be_used_is_masked_with_a_reason(nights_part, reduced, columns, outcome):
    values = {name: nights_part.obs[name].values.copy() for name in columns}
    for name, value in columns.items():
        values[name][3] = value
    found = reduce_block(with_runs(nights_part, **values), rows_in(nights_part), recipe())
    codes = found["outcome"].values
    assert codes[3] == outcome
    assert found.attrs["outcome_details"][3].startswith(outcome.sentence)
    assert not found["mask_safe"].values[3].any()
    assert not found["exposure"].values[3].any()
    others = [0, 1, 2, 4, 5, 6]
    for name in (*COUNTED, "exposure", "edisp", "mask_safe"):
        np.testing.assert_array_equal(found[name].values[others], reduced[name].values[others])


def test_a_psf_is_needed_only_for_the_containment(nights_part):
    without = with_runs(nights_part, psf_table=np.full(7, -1))
    assert reduce_block(without, rows_in(without), recipe(containment=False))["outcome"].values.tolist() == [0] * 7
    reduced = reduce_block(without, rows_in(without), recipe())
    assert reduced["outcome"].values.tolist() == [Outcome.MISSING_IRF] * 7
    assert reduced.attrs["outcome_details"] == ["a required instrument response is missing; it has no psf"] * 7


def test_a_block_without_a_usable_row_is_a_block(nights_part):
    without = with_runs(nights_part, aeff_table=np.full(7, -1))
    found = reduce_block(without, rows_in(without), recipe())
    schema.validate(found)
    assert not found["mask_safe"].any()
    np.testing.assert_array_equal(found["ledger"].sum("fate").values[:, 0], nights_part.obs["event_size"])


def test_an_interval_without_good_time_gives_a_reason(nights_part):
    gap = float(nights_part.gti["stop"][0]) + 1.0
    found = reduce_block(nights_part, rows_in(nights_part, [0], gap, gap + 5.0), recipe())
    assert found["outcome"].values.tolist() == [Outcome.NO_GOOD_TIME]
    assert found["livetime"].values.tolist() == [0.0]
    assert found["ledger"].values[0, 0].sum() == int(nights_part.obs["event_size"][0])


def test_counts_without_a_background_have_no_off_counts(nights_part, reduced):
    found = reduce_block(nights_part, rows_in(nights_part), recipe(background=None))
    np.testing.assert_array_equal(found["counts"], reduced["counts"])
    assert not {"counts_off", "acceptance", "acceptance_off", "off_number"} & set(found)
    assert not found["ledger"][..., Fate.OFF].any()
    schema.validate(found)


def test_a_containment_of_point_like_responses_raises(tmp_path):
    plan = dataclasses.replace(TINY, response=AnalyticResponse(energy_bins=16, enclosure="point-like"))
    part = part_in_memory(release_of(plan, tmp_path))
    found = reduce_block(part, rows_in(part), recipe(containment=False))
    assert found["outcome"].values.tolist() == [0, 0, 0]
    given_psf = with_runs(part, psf_table=[0, 0, 0])
    with pytest.raises(ConfigError, match="the responses are point-like"):
        reduce_spectra(given_psf, rows_in(part), recipe())


# --- safe masks


def test_safe_masks_are_joined_by_and(nights_part):
    names = ("aeff-default", "aeff-max", "edisp-bias", "offset-max", "bkg-peak")
    alone = [reduce_block(nights_part, rows_in(nights_part), recipe(safe_masks=(name,)))["mask_safe"] for name in names]
    together = reduce_block(nights_part, rows_in(nights_part), recipe(safe_masks=names))["mask_safe"]
    np.testing.assert_array_equal(together, np.logical_and.reduce([mask.values for mask in alone]))


def test_the_default_threshold_is_that_of_the_header(nights_part):
    low = with_runs(nights_part, energy_min=np.full(7, 1.0), energy_max=np.full(7, 10.0))
    mask = reduce_block(low, rows_in(low), recipe(safe_masks=("aeff-default",)))["mask_safe"].values[0, 0]
    edges = recipe().grid.energy.edges
    np.testing.assert_array_equal(mask, (edges[:-1] >= 1.0) & (edges[1:] <= 10.0))


def test_the_offset_mask_is_all_or_nothing(nights_part):
    masks = [
        reduce_block(
            nights_part,
            rows_in(nights_part),
            recipe(safe_masks=("offset-max",), safe_mask=SafeMaskParameters(offset_max=degrees)),
        )["mask_safe"].values
        for degrees in (0.4, 0.6)
    ]
    assert not masks[0].any()
    assert masks[1].all()


def test_a_fixed_offset_masks_as_a_region_there(nights_part):
    there = recipe(safe_masks=("aeff-max", "edisp-bias"), safe_mask=SafeMaskParameters(fixed_offset=0.5))
    here = recipe(safe_masks=("aeff-max", "edisp-bias"))
    one, other = (reduce_block(nights_part, rows_in(nights_part), wanted) for wanted in (there, here))
    np.testing.assert_array_equal(one["mask_safe"], other["mask_safe"])


# --- the recipe


def test_the_document_of_a_recipe_drops_parameters_of_methods_that_are_not_used():
    plain = recipe(safe_masks=("aeff-default",)).document()
    other = recipe(safe_masks=("aeff-default",), safe_mask=SafeMaskParameters(aeff_percent=33.0)).document()
    assert plain == other
    used = [
        recipe(safe_masks=("aeff-max",), safe_mask=SafeMaskParameters(aeff_percent=value)).document()
        for value in (1, 2)
    ]
    assert used[0] != used[1]
    biased = recipe(safe_masks=("aeff-max",), safe_mask=SafeMaskParameters(aeff_percent=1, bias_percent=5.0)).document()
    assert biased == used[0]


def test_the_order_of_safe_masks_does_not_change_the_recipe():
    one, other = (recipe(safe_masks=names).document() for names in (("bkg-peak", "aeff-max"), ("aeff-max", "bkg-peak")))
    assert one == other


@pytest.mark.parametrize(
    "changes",
    [
        {"containment": False},
        {"background": None},
        {"offset_max": 2.0},
        {"safe_masks": ()},
        {"grid": grid_of(energy=Axis.from_bounds("energy", 0.5, 30.0, 9))},
        {"grid": grid_of(energy_true=Axis.from_bounds("energy_true", 0.2, 60.0, 15))},
        {"grid": grid_of(space=RegionSpace((Circle(83.633, 22.014, 0.12),)))},
    ],
)
def test_what_changes_the_numbers_changes_the_document(changes):
    assert recipe(**changes).document() != recipe().document()


def test_a_recipe_reduces_to_the_same_bytes_twice(nights_part, reduced):
    assert dataset_digest(reduce_block(nights_part, rows_in(nights_part), recipe())) == dataset_digest(reduced)
