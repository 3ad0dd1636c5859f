"""Laws of stacking: a commutative, associative sum that ignores rows that cannot be used."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from releases import recipe, rows_in
from xgamma import schema
from xgamma.errors import DataError
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import joined_rows, masked_rows, reduce_block, select_rows, stack, with_names
from xgamma.store import dataset_digest

EXACT = ("counts", "counts_off", "ledger", "mask_safe")
SUMS = ("exposure", "exposure_edisp", "edisp", "acceptance_off", "livetime", "ontime", "gti")


def ragged(rows):
    """Return rows whose safe masks differ, as at different zenith angles; the last row is safe nowhere."""
    rows = rows.copy(deep=True)
    number = np.arange(rows.sizes["dataset"])
    low = np.arange(rows.sizes["energy"]) < (number % 3)[:, None]
    rows["mask_safe"].values[:, 0] &= ~low
    rows["mask_safe"].values[-1] = False
    return rows


@pytest.fixture(scope="module")
def rows(nights_part):
    """Seven rows of two efficiencies, with other masks and numbers of off regions."""
    rows = ragged(reduce_block(nights_part, rows_in(nights_part), recipe()))
    rows["acceptance_off"] = rows["acceptance_off"] - (np.arange(7) % 4)[:, None, None]
    return rows


def agree(one, other, names=(*EXACT, *SUMS), rtol=1e-12):
    for name in names:
        if name in EXACT:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
        else:
            np.testing.assert_allclose(one[name], other[name], rtol=rtol, atol=0, err_msg=name)


def test_a_stack_is_the_sums_of_its_safe_bins(rows):
    found = stack(rows).isel(dataset=0, region=0)
    n_energy, n_true = rows.sizes["energy"], rows.sizes["energy_true"]
    used = [row for row in range(7) if rows["mask_safe"].values[row].any()]
    assert used == [0, 1, 2, 3, 4, 5]
    one = {
        name: rows[name].values[:, 0]
        for name in ("counts", "counts_off", "exposure", "exposure_edisp", "edisp", "mask_safe")
    }
    alpha = 1 / rows["acceptance_off"].values[:, 0]
    for energy in range(n_energy):
        safe = [row for row in used if one["mask_safe"][row, energy]]
        assert found["counts"].values[energy] == sum(one["counts"][row, energy] for row in safe)
        off = sum(one["counts_off"][row, energy] for row in safe)
        assert found["counts_off"].values[energy] == off
        background = math.fsum(alpha[row, energy] * one["counts_off"][row, energy] for row in safe)
        if off > 0:
            assert off / found["acceptance_off"].values[energy] == pytest.approx(background, rel=1e-12)
        for true in range(n_true):
            weights = math.fsum(one["exposure_edisp"][row, true] for row in used)
            share = math.fsum(one["exposure_edisp"][row, true] * one["edisp"][row, true, energy] for row in safe)
            assert found["edisp"].values[true, energy] == pytest.approx(share / weights, rel=1e-12)
    wanted = [math.fsum(one["exposure"][row, true] for row in used) for true in range(n_true)]
    np.testing.assert_allclose(found["exposure"], wanted, rtol=1e-12)
    assert float(found["livetime"]) == pytest.approx(math.fsum(rows["livetime"].values[used]), rel=1e-12)


def test_a_stack_follows_the_schema(rows):
    found = stack(rows)
    schema.validate(found)
    assert found["dataset"].values.tolist() == ["stacked"]
    assert found["outcome"].values.tolist() == [Outcome.USED]
    assert found.attrs["rows"] == [rows["dataset"].values.tolist()]
    assert not {"off_lon", "off_number", "offset", "pointing_lon"} & set(found.variables)
    assert np.all(found["edisp"].sum("energy") <= 1 + 1e-12)
    np.testing.assert_array_equal(found["acceptance"], 1.0)


def test_the_stack_of_one_row_is_its_safe_part(rows):
    row = select_rows(rows, [2])
    found = stack(row)
    safe = row["mask_safe"].values
    assert not safe.all()
    np.testing.assert_array_equal(found["counts"], row["counts"].values * safe)
    np.testing.assert_array_equal(found["exposure"], row["exposure"])
    np.testing.assert_allclose(found["edisp"], row["edisp"].values * safe[:, :, None, :], rtol=1e-14)
    has_off = found["counts_off"].values > 0
    np.testing.assert_allclose(
        found["acceptance_off"].values[has_off], row["acceptance_off"].values[has_off], rtol=1e-14
    )


@given(order=st.permutations(range(7)))
def test_a_stack_does_not_depend_on_the_order(rows, order):
    agree(stack(select_rows(rows, order)), stack(rows))


@given(labels=st.lists(st.sampled_from("abc"), min_size=7, max_size=7))
def test_a_stack_of_stacks_is_the_stack(rows, labels):
    """Also where masks differ: a row masked in a bin adds zero to all sums of that bin."""
    groups = stack(rows, labels)
    assert groups["dataset"].values.tolist() == list(dict.fromkeys(labels))
    agree(stack(groups), stack(rows))


def test_a_bin_in_which_no_row_has_off_counts_is_associative_but_for_its_acceptance(rows):
    """Without any off count the acceptance is a mean over rows, which has no weights to combine it with others."""
    empty = rows.copy(deep=True)
    empty["counts_off"].values[:] = 0
    once, twice = stack(empty), stack(stack(empty, list("aaabbcc")))
    agree(once, twice, [name for name in (*EXACT, *SUMS) if name != "acceptance_off"])
    for found in (once, twice):
        between = empty["acceptance_off"].values
        assert np.all((found["acceptance_off"] >= between.min()) & (found["acceptance_off"] <= between.max()))


@given(labels=st.lists(st.sampled_from(["north", "south", "west"]), min_size=7, max_size=7))
def test_each_group_is_the_stack_of_its_rows(rows, labels):
    found = stack(rows, labels)
    for number, name in enumerate(dict.fromkeys(labels)):
        mine = [row for row in range(7) if labels[row] == name]
        if mine != [6]:
            agree(found.isel(dataset=[number]), stack(select_rows(rows, mine)), [*EXACT, *SUMS[:-1]])


def test_a_group_of_rows_that_cannot_be_used_is_masked(rows):
    found = stack(rows, ["a"] * 6 + ["b"])
    assert found["outcome"].values.tolist()[0] == Outcome.USED
    assert found["outcome"].values.tolist()[1] != Outcome.USED
    assert not found["mask_safe"].values[1].any()
    assert found["livetime"].values[1] == 0


def test_a_row_that_could_not_be_read_is_the_neutral_element(rows):
    lost = masked_rows(
        recipe().grid, rows, np.array([901, 902]), [Outcome.UNREADABLE_FILE, Outcome.MISSING_HDU], ["cut", "no GTI"]
    )
    schema.validate(lost)
    for joined in (joined_rows([rows, lost]), joined_rows([lost, rows])):
        found, wanted = stack(joined), stack(rows)
        assert sorted(*found.attrs.pop("rows")) == sorted([*wanted.attrs.pop("rows")[0], "901", "902"])
        xr.testing.assert_identical(found, wanted)
        assert dataset_digest(found) == dataset_digest(wanted)


def test_a_row_that_cannot_be_used_adds_only_its_events_to_the_ledger(rows, nights_part):
    obs = nights_part.obs.copy()
    obs["aeff_table"] = ("obs", np.array([0, 0, -1, 0, 0, 0, 0]), obs["aeff_table"].attrs)
    failed = type(nights_part)({**nights_part.groups, "": obs})
    reduced = reduce_block(failed, rows_in(failed), recipe())
    assert reduced["outcome"].values.tolist() == [0, 0, Outcome.MISSING_IRF, 0, 0, 0, 0]
    with_failed, without = stack(reduced), stack(select_rows(reduced, [0, 1, 3, 4, 5, 6]))
    agree(with_failed, without, [name for name in (*EXACT, *SUMS) if name != "ledger"], rtol=0)
    np.testing.assert_array_equal(with_failed["ledger"] - without["ledger"], reduced["ledger"].isel(dataset=[2]))


def test_the_ledger_of_a_stack_adds_up_to_the_events_of_all_runs(rows, nights_part):
    assert stack(rows)["ledger"].values.sum() == nights_part.events.sizes["event"]
    assert stack(rows)["ledger"].values[0, 0, Fate.ON] >= stack(rows)["counts"].sum()


def test_an_empty_stack_raises(rows):
    nothing = select_rows(rows, [6])
    with pytest.raises(DataError, match="There is nothing to stack: no run can be used"):
        stack(nothing)


def test_many_rows_are_summed_to_the_last_digits(rows):
    """More rows than a leaf holds."""
    many = select_rows(rows, list(range(6)) * 40)
    many = with_names(many, [str(number) for number in range(240)])
    found = stack(many)
    agree(found, stack(select_rows(many, np.random.default_rng(1).permutation(240).tolist())))
    wanted = [40 * math.fsum(rows["exposure"].values[:6, 0, true]) for true in range(rows.sizes["energy_true"])]
    np.testing.assert_allclose(found["exposure"].values[0, 0], wanted, rtol=1e-14)
    np.testing.assert_array_equal(found["counts"], 40 * stack(rows)["counts"])


def test_good_times_are_merged(rows):
    found = stack(rows)["gti"].values[0]
    assert found.shape == (12, 2)
    assert np.all(np.diff(found.ravel()) > 0)
    twice = stack(select_rows(rows, [0, 0]))["gti"].values[0]
    np.testing.assert_array_equal(twice, rows["gti"].values[0])


def test_a_stack_does_not_change_its_rows(rows):
    before = dataset_digest(rows)
    stack(rows)
    assert dataset_digest(rows) == before


# --- joined rows


def test_joined_rows_can_be_split_again(rows):
    parts = [select_rows(rows, [0, 1]), select_rows(rows, [2]), select_rows(rows, [3, 4, 5, 6])]
    joined = joined_rows(parts)
    assert dataset_digest(joined) == dataset_digest(select_rows(rows, range(7)))
    xr.testing.assert_identical(select_rows(joined, [2]), parts[1])


def test_rows_of_other_axes_are_not_joined(rows, nights_part):
    coarse = recipe().grid.energy.edges[::2]
    other = rows.isel(energy=slice(0, 4)).copy()
    other = other.assign_coords(energy_bounds=(("energy", "bound"), np.stack([coarse[:-1], coarse[1:]], axis=1)))
    with pytest.raises(DataError, match="axes are not aligned"):
        joined_rows([rows, other])


def test_padding_is_no_wider_than_it_needs(rows):
    one = select_rows(rows, [0])
    assert one.sizes["off"] == int(one["off_number"].values.max())
    padded = one.pad(off=(0, 9), gti=(0, 3), constant_values=np.nan)
    assert select_rows(padded, [0]).sizes == one.sizes
