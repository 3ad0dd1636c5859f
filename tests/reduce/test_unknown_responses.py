"""Unknown response values: neutral where nothing is lost, a warning where little is; else the run is masked."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases import COARSE, TINY, config_of, part_in_memory, recipe, release_of, rows_in, until_datasets
from xgamma import schema
from xgamma.errors import ConfigError
from xgamma.events import Part
from xgamma.outcome import Fate, Outcome
from xgamma.reduce import reduce_block, reduce_spectra, stack
from xgamma.reduce.losses import NEGLIGIBLE_LOSS, TOLERATED_LOSS, loss

# Rows of tests/releases.py lie at offsets of 0.5 deg; its grid goes from 0.5 to 30 TeV.
ROLES = {"aeff": "aeff_2d", "edisp": "edisp_2d", "psf": "psf_table"}
ODD = [np.nan, np.inf, -np.inf]


def with_response(part, role, change):
    """Return a part in which the values of a response are changed by a function of the values and their table."""
    name = next(name for name in part.obs.attrs["irf_tables"] if ROLES.get(role, role) in name)
    table = part.groups[name].copy(deep=True)
    for variable in table.data_vars:
        table[variable].values[:] = change(table[variable].values.copy(), table)
    return Part({**part.groups, name: table})


def at_energies(low, high, value, offsets=slice(None)):
    """Return a change that puts a value at true energies between two in TeV."""

    def change(values, table):
        energy = table["energy_true"].values
        where = np.flatnonzero((energy >= low) & (energy <= high))
        values[:, offsets, ..., where] = value
        return values

    return change


def at_one_run(part, role):
    """Return a part in which the first run has the responses of a role for itself."""
    places = part.obs[f"{role}_row"].values
    name = next(name for name in part.obs.attrs["irf_tables"] if ROLES[role] in name)
    table = part.groups[name]
    table = table.isel(irf=[*range(table.sizes["irf"]), int(places[0])])
    obs = part.obs.copy()
    obs[f"{role}_row"] = (("obs",), np.append(table.sizes["irf"] - 1, places[1:]), part.obs[f"{role}_row"].attrs)
    return Part({**part.groups, "": obs, name: table})


def reduced(part, **changes):
    return reduce_block(part, rows_in(part), recipe(**changes))


@pytest.fixture(scope="module")
def whole(nights_part):
    return reduced(nights_part)


def same(found, wanted, names=("counts", "counts_off", "exposure", "edisp", "mask_safe", "outcome")):
    for name in names:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("role", ROLES)
def test_offsets_that_no_run_has_may_hold_any_value(nights_part, whole, role, value):
    same(reduced(with_response(nights_part, role, at_energies(0, 1e3, value, slice(4, None)))), whole)


@pytest.mark.parametrize("value", ODD)
def test_rings_beyond_the_region_may_hold_any_value(nights_part, whole, value):
    def change(values, table):
        values[:, :, table["rad"].values > 0.13] = value
        return values

    same(reduced(with_response(nights_part, "psf", change)), whole)


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("role", ROLES)
def test_energies_outside_the_axis_may_hold_any_value(nights_part, whole, role, value):
    found = reduced(with_response(nights_part, role, at_energies(90, 1e3, value)))
    same(found, whole, ("counts", "mask_safe", "outcome"))
    np.testing.assert_allclose(found["exposure"], whole["exposure"], rtol=1e-12)


@pytest.mark.parametrize("role", ROLES)
def test_where_the_area_is_zero_other_responses_may_be_unknown(nights_part, role):
    blind = with_response(nights_part, "aeff", at_energies(20, 1e3, 0.0))
    wanted = reduced(blind)
    if role != "aeff":
        energies = next(t for n, t in blind.groups.items() if ROLES[role] in n)["energy_true"].values
        found = reduced(with_response(blind, role, at_energies(energies[energies > 40][0], 1e3, np.nan)))
        same(found, wanted, ("counts", "exposure", "mask_safe", "outcome"))
        assert found.attrs["outcome_details"] == ["used"] * 7


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("role", ROLES)
def test_a_used_value_that_is_not_finite_masks_only_its_run(nights_part, whole, role, value):
    own = at_one_run(nights_part, role)

    def change(values, table):
        return np.concatenate([values[:-1], at_energies(1.5, 4.0, value)(values[-1:], table)])

    found = reduced(with_response(own, role, change), safe_masks=("aeff-default",))
    schema.validate(found)
    assert found["outcome"].values.tolist() == [Outcome.UNKNOWN_RESPONSE, *[Outcome.USED] * 6]
    assert f": {role} not known at true energies of " in found.attrs["outcome_details"][0]
    assert not found["mask_safe"].values[0].any()
    for name in ("exposure", "exposure_edisp", "edisp"):
        assert np.isfinite(found[name].values).all()
    others = reduce_block(nights_part, rows_in(nights_part, range(1, 7)), recipe(safe_masks=("aeff-default",)))
    same(stack(found), stack(others), ("counts", "exposure", "edisp"))


@pytest.mark.parametrize("role", ["edisp", "psf"])
def test_offsets_that_only_the_effective_area_has_mask_the_run(nights_part, role):
    name = next(name for name in nights_part.obs.attrs["irf_tables"] if ROLES[role] in name)
    near = Part({**nights_part.groups, name: nights_part.groups[name].isel(offset=[0])})
    found = reduced(near)
    assert set(found["outcome"].values) == {Outcome.UNKNOWN_RESPONSE}
    assert f"{role} not known" in found.attrs["outcome_details"][0]


def test_a_dispersion_without_any_entry_is_unknown(nights_part):
    found = reduced(with_response(nights_part, "edisp", at_energies(1.5, 4.0, 0.0)))
    assert set(found["outcome"].values) == {Outcome.UNKNOWN_RESPONSE}
    assert "edisp not known" in found.attrs["outcome_details"][0]


@pytest.mark.parametrize("factor", [(np.pi / 180) ** -2, 1e9])
def test_a_point_spread_function_that_integrates_to_more_than_one_is_unknown(nights_part, factor):
    found = reduced(with_response(nights_part, "psf", lambda values, _: values * np.float32(factor)))
    assert set(found["outcome"].values) == {Outcome.UNKNOWN_RESPONSE}


def test_one_unknown_value_makes_its_row_of_the_dispersion_unknown(nights_part):
    def change(values, table):
        values[:, :, 80, np.abs(table["energy_true"].values - 2).argmin()] = np.nan
        return values

    assert set(reduced(with_response(nights_part, "edisp", change))["outcome"].values) == {Outcome.UNKNOWN_RESPONSE}


@pytest.mark.parametrize("role", ROLES)
def test_a_response_without_any_known_value_masks_the_run(nights_part, role):
    found = reduced(with_response(nights_part, role, at_energies(0, 1e3, np.nan)))
    assert set(found["outcome"].values) == {Outcome.UNKNOWN_RESPONSE}
    assert "100 % of the expected counts" in found.attrs["outcome_details"][0]


def test_a_small_loss_gives_a_warning_and_the_run_is_used(nights_part, whole):
    found = reduced(with_response(nights_part, "psf", at_energies(0, 0.5, np.nan)), safe_masks=())
    assert set(found["outcome"].values) == {Outcome.USED}
    assert found.attrs["outcome_details"][0].startswith("used: psf not known at true energies of ")
    assert (found["exposure"].values <= whole["exposure"].values * (1 + 1e-12)).all()
    assert (found["exposure"].values[..., 0] == 0).all()


def test_the_loss_is_the_share_of_the_expected_counts():
    grid = recipe().grid
    energy = grid.energy_true.center
    shape = (2, 1, len(energy))
    edisp = np.zeros((*shape, grid.energy.nbin))
    inside = grid.energy.index(energy)
    edisp[:, 0, np.flatnonzero(inside >= 0), inside[inside >= 0]] = 1.0
    safe = np.ones((2, 1, grid.energy.nbin), bool)
    where = np.zeros(shape, bool)
    where[1, 0, 5] = True
    for role in ("aeff", "psf", "edisp"):
        area = np.where(where, 0.0, 2e5) if role != "edisp" else np.full(shape, 2e5)
        kernel = np.where(where[..., None], 0.0, edisp) if role == "edisp" else edisp
        found = loss(grid, area, kernel, safe, {role: where})
        weight = np.where(inside >= 0, grid.energy_true.width / energy**2, 0.0)
        np.testing.assert_allclose(found.share, [0.0, weight[5] / weight.sum()], rtol=1e-12)
        np.testing.assert_array_equal(found.bounds[1], grid.energy_true.edges[5:7])
        assert found.roles == ((), (role,))
        assert found.is_too_large.tolist() == [False, True]
        assert list(found.sentences(np.array([3, 8]))) == [8]
    assert 0 < NEGLIGIBLE_LOSS < TOLERATED_LOSS < 0.05


# --- the law of stacks

NOT_NUMBERS = st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -0.0])
FLOATS = (
    "counts",
    "counts_off",
    "acceptance",
    "acceptance_off",
    "exposure",
    "exposure_edisp",
    "edisp",
    "livetime",
    "ontime",
)


@given(row=st.integers(0, 6), values=st.lists(NOT_NUMBERS, min_size=len(FLOATS), max_size=len(FLOATS)))
def test_a_masked_row_is_neutral_for_any_values(whole, row, values):
    masked = whole.copy(deep=True)
    masked["mask_safe"].values[row] = False
    wanted = stack(masked)
    spoiled = masked.copy(deep=True)
    for name, value in zip(FLOATS, values, strict=True):
        spoiled[name].values[row] = value
    spoiled["gti"].values[row] = values[0]
    found = stack(spoiled)
    same(found, wanted, [name for name in wanted.data_vars if name not in ("outcome",)])


@given(values=st.lists(NOT_NUMBERS, min_size=3, max_size=3), bins=st.integers(1, 7))
def test_a_masked_bin_is_neutral_for_any_values(whole, values, bins):
    masked = whole.copy(deep=True)
    masked["mask_safe"].values[..., :bins] = False
    masked["mask_safe"].values[..., -1] = True
    spoiled = masked.copy(deep=True)
    for name, value in zip(("counts", "counts_off", "edisp"), values, strict=True):
        spoiled[name].values[2:5, ..., :bins] = value
    same(stack(spoiled), stack(masked), ("counts", "counts_off", "exposure", "edisp", "acceptance_off", "ledger"))


@given(value=st.sampled_from(ODD), role=st.sampled_from(list(ROLES)), low=st.floats(0.05, 50), width=st.floats(1.1, 30))
def test_a_reduction_and_its_stack_are_finite_for_any_response(nights_part, value, role, low, width):
    found = reduced(with_response(nights_part, role, at_energies(low, low * width, value)))
    for name in ("counts", "counts_off", "exposure", "exposure_edisp", "edisp", "livetime"):
        assert np.isfinite(found[name].values).all(), name
    assert (found["ledger"].values.sum(axis=2)[:, 0] == nights_part.obs["event_size"].values).all()
    assert not found["ledger"].values[..., Fate.INVALID].any()
    lost = found["outcome"].values != Outcome.USED
    assert not found["mask_safe"].values[lost].any()
    if not lost.all():
        total = stack(found)
        for name in ("counts", "exposure", "edisp", "acceptance_off", "livetime"):
            assert np.isfinite(total[name].values).all(), name


# --- point-like responses


@pytest.fixture(scope="module")
def point_like(tmp_path_factory):
    """Three runs whose responses hold for 0.11 deg, by keyword."""
    plan = dataclasses.replace(TINY, response=dataclasses.replace(COARSE, enclosure="point-like", rad_max=0.11))
    return part_in_memory(release_of(plan, tmp_path_factory.mktemp("point-like")))


def with_radii(part, radii):
    obs = part.obs.copy()
    obs["rad_max"] = (("obs",), np.array(radii), part.obs["rad_max"].attrs)
    return Part({**part.groups, "": obs})


@pytest.mark.parametrize(("radius", "words"), [(np.nan, "no RAD_MAX"), (0.2, "for a radius of 0.2 deg")])
def test_one_run_of_another_radius_is_left_out(point_like, radius, words):
    part = with_radii(point_like, [0.11, radius, 0.11])
    found = reduce_spectra(part, rows_in(part), recipe(containment=False))
    assert found["outcome"].values.tolist() == [Outcome.USED, Outcome.OTHER_ENCLOSURE, Outcome.USED]
    assert words in found.attrs["outcome_details"][1]
    wanted = reduce_spectra(point_like, rows_in(point_like, [0, 2]), recipe(containment=False))
    same(stack(found), stack(wanted), ("counts", "exposure", "edisp"))


@pytest.mark.parametrize(("radius", "words"), [(np.nan, "no RAD_MAX"), (0.2, "for a radius of 0.2 deg")])
def test_a_request_that_fits_no_run_raises(point_like, radius, words):
    part = with_radii(point_like, [radius] * 3)
    with pytest.raises(ConfigError, match=words):
        reduce_spectra(part, rows_in(part), recipe(containment=False))


@pytest.mark.parametrize(("index", "outcomes"), [(0.0, [Outcome.USED] * 3), (-0.1, None)])
def test_a_table_of_radii_is_accepted_where_all_are_equal(tmp_path, monkeypatch, index, outcomes):
    monkeypatch.setattr("xgamma.simulate.responses.RAD_MAX_INDEX", index)
    response = dataclasses.replace(COARSE, enclosure="point-like", rad_max=0.11, rad_max_2d=True)
    part = part_in_memory(release_of(dataclasses.replace(TINY, response=response), tmp_path))
    assert (part.obs["rad_max_table"].values >= 0).all()
    if outcomes is None:
        with pytest.raises(ConfigError, match=r"depends on energy .* write a point, radius: 0 deg"):
            reduce_spectra(part, rows_in(part), recipe(containment=False))
    else:
        found = reduce_spectra(part, rows_in(part), recipe(containment=False))
        assert found["outcome"].values.tolist() == outcomes


def test_a_wrong_radius_for_point_like_responses_raises_with_what_to_write(tmp_path):
    plan = dataclasses.replace(TINY, response=dataclasses.replace(COARSE, enclosure="point-like", rad_max=0.2))
    release = release_of(plan, tmp_path)
    config = config_of(
        release,
        tmp_path / "store",
        "datasets: {containment_correction: false}",
        "observations: {required_irf: [aeff, edisp]}",
    )
    with pytest.raises(ConfigError, match=r"on_region.radius: .* write 0.2 deg"):
        until_datasets(config)
    fitting = config.update("datasets: {on_region: {frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.2 deg}}")
    assert len(until_datasets(fitting).datasets) == 1
