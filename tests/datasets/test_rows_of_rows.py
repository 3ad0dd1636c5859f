"""Rows made of rows: fewer and wider bins, stacks in place, empty rows and drawn counts."""

import logging

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from builders import cash_dataset, energy_axis, energy_true_axis, on_off_dataset
from xgamma.axes import Axis
from xgamma.datasets import Datasets, RegionGeom, SpectrumDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.grid import Grid, RegionSpace
from xgamma.maps import MapAxis
from xgamma.modeling.models import Models, PowerLawSpectralModel, SkyModel
from xgamma.reduce.energy_bins import merge_bins
from xgamma.shapes import Circle

EDGES = energy_axis().edges


def source():
    return SkyModel(PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1"), name="crab")


@pytest.fixture
def row():
    return SpectrumDatasetOnOff(on_off_dataset(seed=3), source(), mask_fit=[[True, True, True, True, False, False]])


# --- bins


def test_a_slice_holds_the_bins_between_the_nearest_edges(row):
    few = row.slice_by_energy(EDGES[1] * 1.01 * u.TeV, f"{EDGES[4] * 0.99} TeV")
    assert few.name == row.name
    assert few.models is row.models
    for name in ("counts", "counts_off", "acceptance_off", "mask_safe", "mask_fit", "edisp"):
        np.testing.assert_array_equal(getattr(few, name), getattr(row, name)[..., 1:4])
    np.testing.assert_array_equal(few.npred_signal(), row.npred_signal()[:, 1:4])
    np.testing.assert_allclose(few.energy_axis.edges, EDGES[1:5], rtol=1e-15)
    assert row.slice_by_energy(name="all").name == "all"
    assert row.slice_by_energy().data.equals(row.data)


def test_a_slice_without_a_bin_raises(row):
    with pytest.raises(DataError, match=r"23523: there is no bin between 1 and 1.001 TeV; its bins go from 0.5 to 30"):
        row.slice_by_energy("1 TeV", "1.001 TeV")
    with pytest.raises(ConfigError, match="two ascending energies"):
        row.slice_by_energy("2 TeV", "1 TeV")
    with pytest.raises(ConfigError, match=r"expected \{'energy': slice"):
        row.slice_by_idx({"energy": 3})
    with pytest.raises(DataError, match="a slice that holds bins, got 3 to 3"):
        row.slice_by_idx({"energy": slice(3, 3)})


def test_wider_bins_are_sums_of_the_safe_bins(row):
    wide = row.resample_energy_axis(EDGES[[0, 2, 6]])
    safe = row.mask_safe.values[0]
    assert not safe[0]
    for name in ("counts", "counts_off", "acceptance"):
        values = np.where(safe, getattr(row, name).values[0], 0)
        np.testing.assert_array_equal(getattr(wide, name).values[0], [values[:2].sum(), values[2:].sum()])
    np.testing.assert_allclose(wide.background.values[0].sum(), row.background.where(row.mask_safe).sum(), rtol=1e-14)
    np.testing.assert_allclose(wide.npred_signal().sum(), row.npred_signal().where(row.mask_safe).sum(), rtol=1e-14)
    assert wide.mask_safe.values.tolist() == [[True, True]]
    assert wide.mask_fit.values.tolist() == [[True, True]]
    np.testing.assert_allclose(wide.energy_axis.edges, EDGES[[0, 2, 6]], rtol=1e-15)
    axis = Axis("energy", EDGES[[0, 2, 6]])
    for edges in (axis, MapAxis.of(axis), u.Quantity(axis.edges, "TeV").to("GeV")):
        assert row.resample_energy_axis(edges).data.equals(wide.data)


def test_an_image_is_one_bin_and_slices_stay_in_its_facts(row):
    image = row.to_image()
    assert image.counts.shape == (1, 1)
    assert image.info_dict()["excess"] == pytest.approx(row.info_dict()["excess"], rel=1e-14)
    assert image.info_dict()["sqrt_ts"] == pytest.approx(row.info_dict()["sqrt_ts"], rel=1e-12)


def test_a_wide_bin_without_off_counts_keeps_the_ratio_of_the_acceptances():
    ds = on_off_dataset(seed=3)
    ds["counts_off"][...] = 0
    row = SpectrumDatasetOnOff(ds)
    assert row.to_image().alpha.values[0, 0] == pytest.approx(1 / float(ds["off_number"].item()), rel=1e-15)


@given(st.sets(st.integers(1, 5)), st.sets(st.integers(1, 5)), st.booleans())
def test_bins_may_be_merged_in_two_steps_or_in_one(first, second, on_off):
    ds = (on_off_dataset if on_off else cash_dataset)(n_rows=2, seed=5)
    fine = np.array(sorted({0, 6, *first, *second}))
    coarse = np.array(sorted({0, 6, *first}))
    twice = merge_bins(merge_bins(ds, fine), np.searchsorted(fine, coarse))
    once = merge_bins(ds, coarse)
    for name in once.data_vars:
        np.testing.assert_allclose(twice[name], once[name], rtol=1e-12, err_msg=str(name))


def test_bad_edges_raise(row):
    for edges, sentence in (
        ([1.0], "at least two ascending"),
        ([2.0, 1.0], "at least two ascending"),
        ([0.0, 1.0], "energies above 0, got 0 TeV"),
        ("1 TeV", "at least two ascending"),
        (u.Quantity([1, 2], "m"), "as a Quantity or as numbers in TeV"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            row.resample_energy_axis(edges)
    with pytest.raises(DataError, match="there is no bin between 100 and 200 TeV"):
        row.resample_energy_axis([100, 200])


def test_energy_ranges_are_those_of_the_masks(row):
    for name, edges in (("energy_range_safe", (1, 6)), ("energy_range_fit", (0, 4)), ("energy_range", (1, 4))):
        low, high = getattr(row, name)
        assert (low.dims, low.attrs["units"]) == (("region",), "TeV")
        assert [float(low[0]), float(high[0])] == pytest.approx(EDGES[list(edges)], rel=1e-15)
    assert u.Quantity(row.energy_range_total).to_value("TeV") == pytest.approx(EDGES[[1, 4]], rel=1e-15)
    row.mask_fit = None
    assert float(row.energy_range_fit[1][0]) == pytest.approx(30.0)
    row.mask_fit = np.zeros(6, bool)
    assert np.isnan(u.Quantity(row.energy_range_total)).all()


# --- stacks


@pytest.mark.parametrize("make", [on_off_dataset, cash_dataset])
def test_stacking_in_place_gives_the_stack_of_all_in_any_order(make):
    datasets = Datasets.from_xarray(make(n_rows=3, seed=9))
    expected = datasets.stack_reduce().data
    for order in ([0, 1, 2], [2, 0, 1]):
        total = datasets[order[0]].to_masked(name="total")
        for number in order[1:]:
            total.stack(datasets[number])
        assert total.name == "total"
        for name in ("counts", "exposure", "edisp", "mask_safe", "livetime", "ledger"):
            np.testing.assert_allclose(total.data[name], expected[name], rtol=1e-13)
        np.testing.assert_allclose(total.background.where(total.mask_safe).sum(), _background(expected), rtol=1e-13)
    assert datasets[0].data.equals(make(n_rows=3, seed=9).isel(dataset=[0]))


def _background(ds):
    [view] = Datasets.from_xarray(ds)
    return view.background.where(view.mask_safe).sum()


def test_rows_are_stacked_on_an_empty_one(row):
    axes = [energy_axis(), energy_true_axis()]
    total = SpectrumDatasetOnOff.create(RegionGeom.create(None, axes=axes[:1]), energy_axis_true=axes[1], name="total")
    assert total.stat_sum() == 0
    assert "region_lon" not in total.data.coords
    total.stack(row)
    assert total.counts.sum() == row.counts.where(row.mask_safe).sum()
    assert total.livetime == row.livetime
    assert np.array_equal(total.mask_fit, row.mask_fit)
    assert total.name == "total"


def test_a_fit_mask_of_all_bins_stays_one(row):
    other = SpectrumDatasetOnOff(on_off_dataset(seed=4))
    row.stack(other)
    assert row.mask_fit is None


def test_stacking_what_does_not_fit_raises(row, caplog):
    with pytest.raises(ConfigTypeError, match="expected a SpectrumDatasetOnOff to stack, got SpectrumDataset"):
        row.stack(SpectrumDataset(cash_dataset()))
    with pytest.raises(DataError, match="not aligned"):
        row.stack(SpectrumDatasetOnOff(on_off_dataset(n_energy=4)))
    grid = Grid(energy_axis(), energy_true_axis(), RegionSpace((Circle(83.6, 22.0, 0.1),)))
    empty = SpectrumDatasetOnOff.create(grid)
    with caplog.at_level(logging.WARNING):
        empty.stack(SpectrumDatasetOnOff.create(grid, name="b"))
    assert "empty and b have no safe bin: nothing is stacked" in caplog.text


def test_a_geometry_without_energies_raises():
    with pytest.raises(ConfigError, match="a RegionGeom with an axis called 'energy', or a Grid"):
        SpectrumDataset.create(RegionGeom.create())
    with pytest.raises(
        ConfigTypeError, match="Expected a region, such as CircleSkyRegion of the package regions, got a int"
    ):
        RegionGeom.create(5, axes=[energy_axis()])
    with pytest.raises(ConfigError, match="Expected one region, got 2"):
        RegionGeom.create("icrs; circle(1, 2, 3); circle(2, 3, 4)")


# --- drawn counts


def test_drawn_counts_follow_the_prediction_and_leave_the_dataset_alone():
    row = SpectrumDataset(cash_dataset(seed=2), Models([source()]))
    before, expected = row.data, row.npred()
    copy = before.copy(deep=True)
    row.fake(random_state=42)
    drawn = row.counts.values
    np.testing.assert_array_equal(drawn, np.random.RandomState(42).poisson(expected))
    row.fake(42)
    np.testing.assert_array_equal(row.counts, drawn)
    assert before.equals(copy)
    assert row.models.names == ["crab"]
    assert not row.data["ledger"].any()
    row.fake(np.random.default_rng(1))
    row.fake()


def test_drawn_off_counts_follow_the_expected_background(row):
    expected = row.npred_background()
    row.fake(npred_background=expected, random_state=7)
    random = np.random.RandomState(7)
    signal, background = random.poisson(row.npred_signal()), random.poisson(expected)
    np.testing.assert_array_equal(row.counts, signal + background)
    np.testing.assert_array_equal(row.counts_off, random.poisson(expected / row.alpha))
    assert row.mask_fit is not None


def test_bad_arguments_of_fakes_raise(row):
    with pytest.raises(ConfigError, match="expected a seed, a generator of numpy or 'random-seed'"):
        row.fake(1.0, random_state="any")
    with pytest.raises(
        ConfigError, match=r"npred_background: expected numbers that fit the shape \(1, 6\), got \(3,\)"
    ):
        row.fake([1, 2, 3])
    with pytest.raises(ConfigError, match="finite numbers of at least 0"):
        row.fake(-1.0)


def test_one_kind_of_background_becomes_the_other(row):
    known = row.to_spectrum_dataset()
    assert type(known) is SpectrumDataset
    np.testing.assert_array_equal(known.background, row.background)
    again = SpectrumDatasetOnOff.from_spectrum_dataset(known, acceptance=1, acceptance_off=10, name="again")
    np.testing.assert_allclose(again.background, row.background, rtol=1e-14)
    np.testing.assert_allclose(again.counts_off, 10 * row.background, rtol=1e-14)
    given = SpectrumDatasetOnOff.from_spectrum_dataset(known, 1, 10, counts_off=row.counts_off)
    np.testing.assert_array_equal(given.counts_off, row.counts_off)
    assert again.models is known.models is row.models
