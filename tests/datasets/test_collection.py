import numpy as np
import pytest
import xarray as xr
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from builders import cash_dataset, on_off_dataset, with_outcome
from xgamma.datasets import Datasets, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, ConfigTypeError, DataError, UnknownNameError
from xgamma.models.skymodel import SkyModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel
from xgamma.outcome import Outcome

COLUMNS = [
    "name", "counts", "excess", "sqrt_ts", "background", "npred", "npred_background", "npred_signal", "exposure_min",
    "exposure_max", "livetime", "ontime", "counts_rate", "background_rate", "excess_rate", "n_bins", "n_fit_bins",
    "stat_type", "stat_sum", "counts_off", "acceptance", "acceptance_off", "alpha",
]  # fmt: skip


def power_law(name="crab", **options):
    return SkyModel(PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1"), name=name, **options)


@pytest.fixture
def datasets():
    return Datasets.from_xarray(on_off_dataset(4, seed=5))


def test_rows_are_found_by_number_name_and_slice(datasets):
    assert datasets.names == ["23523", "23524", "23525", "23526"]
    assert datasets[1] is datasets["23524"]
    assert datasets[-1].name == "23526"
    assert datasets[1:3].names == ["23524", "23525"]
    assert [view.name for view in datasets] == datasets.names
    assert datasets.index(datasets[2]) == 2
    assert len(datasets) == 4


def test_an_unknown_name_raises_with_the_nearest(datasets):
    with pytest.raises(UnknownNameError, match=r"no dataset called '23529'. Did you mean '2352"):
        datasets["23529"]


def test_names_are_unique_over_all_datasets():
    with pytest.raises(ConfigError, match="Two datasets are called '23523'"):
        Datasets.from_xarray([on_off_dataset(), on_off_dataset()])


def test_append_takes_views_with_new_names(datasets):
    datasets.append(datasets[0].copy(name="again"))
    assert datasets.names[-1] == "again"
    with pytest.raises(ConfigError, match="called 'again' already"):
        datasets.append(datasets[-1])
    with pytest.raises(ConfigTypeError, match=r"use Datasets.from_xarray"):
        datasets.append(on_off_dataset(names=["new"]))


def test_models_are_shared_by_all_rows(datasets):
    datasets.models = [power_law()]
    assert all(view.models is datasets.models for view in datasets)
    assert datasets.parameters.names == ["index", "amplitude", "reference"]
    datasets[1].models = power_law("other")
    with pytest.raises(ConfigError, match=r"hold different models. Set datasets.models once"):
        _ = datasets.models


def test_models_appended_to_an_empty_list_reach_every_row(datasets):
    datasets.models.append(power_law())
    assert [view.models.names for view in datasets] == [["crab"]] * 4


def test_rows_put_together_without_models_share_the_empty_list():
    rows = [SpectrumDatasetOnOff(on_off_dataset(names=[name])) for name in ("a", "b")]
    datasets = Datasets(rows[:1])
    datasets.append(rows[1])
    datasets.models.append(power_law())
    assert [view.models.names for view in datasets] == [["crab"]] * 2


def test_reading_changes_nothing():
    given = [SpectrumDatasetOnOff(on_off_dataset(names=[name])) for name in ("a", "b", "c")]
    given[1].models = []
    datasets = Datasets(given)
    given[2].models = []
    held = [view.models for view in datasets]
    for name in ("models", "names", "parameters"):
        getattr(datasets, name)
    datasets.parts(), datasets.fit_inputs(), str(datasets), repr(datasets), datasets.stat_sum()
    assert all(view.models is models for view, models in zip(datasets, held, strict=True))


def test_a_whole_dataset_is_returned_as_the_same_object():
    reduced = [on_off_dataset(3), cash_dataset(2, names=["a", "b"])]
    datasets = Datasets.from_xarray(reduced)
    assert [ds is given for ds, given in zip(datasets.to_xarray(), reduced, strict=True)] == [True, True]
    [part] = datasets[1:3].to_xarray()
    assert part["dataset"].values.tolist() == ["23524", "23525"]


def test_fit_inputs_stack_the_masks_of_the_rows(datasets):
    assert [one.mask for one in datasets.fit_inputs()] == [None]
    datasets[2].mask_fit = datasets[2].energy_mask("1 TeV")
    [given] = datasets.fit_inputs()
    assert given.data is datasets[0].group
    assert given.mask[[0, 1, 3]].all()
    np.testing.assert_array_equal(given.mask[2], datasets[2].mask_fit)


@given(rows=st.lists(st.integers(0, 5), min_size=1, unique=True), fitted=st.booleans())
def test_the_statistic_of_any_rows_is_the_sum_of_theirs(rows, fitted):
    every = Datasets.from_xarray(on_off_dataset(6), power_law())
    chosen = Datasets([every[row] for row in rows])
    if fitted:
        chosen[0].mask_fit = chosen[0].energy_mask("2 TeV")
    assert chosen.stat_sum() == pytest.approx(sum(view.stat_sum() for view in chosen), rel=1e-12)
    assert chosen.names == [str(23523 + row) for row in rows]


def test_rows_may_have_models_of_their_own(datasets):
    datasets[0].models = power_law()
    assert datasets.stat_sum() == pytest.approx(sum(view.stat_sum() for view in datasets), rel=1e-12)


def test_the_info_table_has_a_row_for_each_dataset_with_units(datasets):
    datasets.models = power_law()
    datasets[1].mask_fit = datasets[1].energy_mask("2 TeV")
    table = datasets.info_table()
    assert table.colnames == COLUMNS
    assert table["livetime"].unit == u.s
    assert table["exposure_min"].unit == u.Unit("m2 s")
    assert table["excess_rate"].unit == u.Unit("s-1")
    for row, view in zip(table, datasets, strict=True):
        for name, value in view.info_dict().items():
            assert row[name] == getattr(value, "value", value)
        assert view.significance == row["sqrt_ts"]


def test_the_info_table_gives_the_numbers_of_the_first_look(datasets):
    table = datasets.info_table()
    assert f"{table['livetime'].to('h')[0]:.1f}" == "0.4 h"
    assert np.isfinite(table["excess"].value[0] + table["sqrt_ts"][0])


def test_a_table_of_both_statistics_leaves_the_off_columns_of_cash_empty():
    datasets = Datasets.from_xarray([on_off_dataset(2), cash_dataset(names=["known"])])
    table = datasets.info_table()
    assert table["stat_type"].tolist() == ["wstat", "wstat", "cash"]
    assert np.isnan(table["stat_sum"][2])
    assert table["counts_off"].mask.tolist() == [False, False, True]


def test_the_last_cumulative_row_is_the_stack(datasets):
    table = datasets.info_table(cumulative=True)
    assert table["name"].tolist() == ["stacked"] * 4
    stacked = datasets.stack_reduce().info_dict()
    for name in COLUMNS[1:]:
        value = getattr(stacked[name], "value", stacked[name])
        assert table[name][-1] == value or table[name][-1] == pytest.approx(value, rel=1e-13, nan_ok=True)
    assert (np.diff(table["counts"]) >= 0).all()


def test_a_stack_does_not_depend_on_the_order_of_rows(datasets):
    forward = datasets.stack_reduce(name="sum")
    backward = Datasets(list(datasets)[::-1]).stack_reduce(name="sum")
    assert (type(forward), forward.name) == (SpectrumDatasetOnOff, "sum")
    np.testing.assert_array_equal(forward.counts, backward.counts)
    np.testing.assert_allclose(forward.exposure, backward.exposure, rtol=1e-12)
    np.testing.assert_allclose(forward.acceptance_off, backward.acceptance_off, rtol=1e-12)


def test_datasets_with_different_good_times_are_stacked_together():
    first, second = on_off_dataset(2), on_off_dataset(2, names=["a", "b"], seed=1).pad(gti=(0, 1))
    stacked = Datasets.from_xarray([first, second]).stack_reduce()
    np.testing.assert_array_equal(
        stacked.counts[0], (xr.concat([first["counts"], second["counts"]], "dataset").sum("dataset")[0]) * [0, *[1] * 5]
    )


def test_datasets_with_different_axes_are_not_stacked():
    datasets = Datasets.from_xarray([on_off_dataset(), on_off_dataset(n_energy=5, names=["a"])])
    with pytest.raises(DataError, match="not aligned: 6 bins"):
        datasets.stack_reduce()


def test_rows_that_could_not_be_used_are_shown_only_on_request():
    ds = with_outcome(on_off_dataset(3), 1, Outcome.NO_OFF_REGION)
    datasets = Datasets.from_xarray(ds)
    assert datasets.names == ["23523", "23525"]
    assert [view.name for view in datasets.unused] == ["23524"]
    assert datasets.info_table()["name"].tolist() == ["23523", "23525"]
    table = datasets.info_table(all_rows=True)
    assert table["name"].tolist() == ["23523", "23524", "23525"]
    assert table["outcome"].tolist() == ["used", "no_off_region", "used"]
    assert table["outcome_detail"][1] == Outcome.NO_OFF_REGION.sentence
    assert table["n_fit_bins"].tolist() == [5, 0, 5]


def test_a_copy_is_independent(datasets):
    other = datasets.copy()
    other[0].data["counts"][:] = 0.0
    assert datasets[0].counts.sum() > 0
    assert other.names == datasets.names


def test_printing_stays_short_with_many_rows():
    datasets = Datasets.from_xarray(on_off_dataset(30))
    assert "  Rows                            : 30 rows\n" in str(datasets)
    assert "  ... 20 more ...\n" in str(datasets)
    assert len(str(datasets).splitlines()) < 25
    assert repr(datasets).startswith("<Datasets: 30 rows: 23523, 23524")
    assert datasets._repr_html_().count("<tr>") < 20


def test_an_empty_collection_works():
    datasets = Datasets()
    assert (len(datasets), datasets.names, datasets.stat_sum(), len(datasets.info_table())) == (0, [], 0.0, 0)
    assert (repr(datasets), str(datasets)) == (
        "<Datasets: 0 rows>", "Datasets\n--------\n\n  Rows                            : 0 rows\n"
    )  # fmt: skip
    assert len(datasets.models) == 0
