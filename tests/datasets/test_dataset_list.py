"""Datasets as a list: rows put in and taken out, what they have in common, tables and pictures of all of them."""

import logging

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time

from builders import cash_dataset, on_off_dataset
from xgamma.datasets import GTI, Datasets, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, ConfigTypeError, UnknownNameError
from xgamma.times import time_from_seconds


@pytest.fixture
def datasets():
    return Datasets.from_xarray(on_off_dataset(n_rows=4, seed=2))


def other(name="other"):
    return SpectrumDatasetOnOff(on_off_dataset(seed=8, names=[name]))


# --- a list


def test_rows_are_put_in_and_taken_out(datasets):
    first, second, third, fourth = datasets
    datasets.remove(second)
    datasets.remove("23526")
    assert list(datasets) == [first, third]
    datasets.insert(1, second)
    datasets.extend([fourth, other()])
    assert datasets.names == ["23523", "23524", "23525", "23526", "other"]
    assert datasets.pop().name == "other"
    del datasets["23525"]
    datasets[0] = other("new")
    datasets["new"] = other("new")
    datasets.reverse()
    assert datasets.names == ["23526", "23524", "new"]
    assert (datasets + third).names == ["23526", "23524", "new", "23525"]
    assert (datasets + Datasets([third])).names == (datasets + third).names
    datasets += [third]
    del datasets[1:]
    assert datasets.names == ["23526"]
    assert second in Datasets([first, second])


def test_a_name_twice_raises_and_changes_nothing(datasets):
    for change in (
        lambda: datasets.append(other("23524")),
        lambda: datasets.extend([other(), other()]),
        lambda: datasets.insert(0, other("23523")),
        lambda: datasets.__setitem__(0, other("23524")),
    ):
        with pytest.raises(ConfigError, match=r"There is a dataset called '(23523|23524|other)' already"):
            change()
    assert datasets.names == ["23523", "23524", "23525", "23526"]
    with pytest.raises(UnknownNameError, match=r"no dataset called '2352'. Did you mean"):
        datasets.remove("2352")
    with pytest.raises(ConfigTypeError, match="got a str"):
        datasets.append("23523")
    with pytest.raises(ConfigError, match="got a slice; set one dataset at a time"):
        datasets[1:] = [other()]


def test_ten_thousand_rows_are_added_at_once():
    rows = list(Datasets.from_xarray(on_off_dataset(n_rows=2000, n_energy=1, n_true=2)))
    datasets = Datasets()
    datasets.extend(rows)
    assert len(datasets) == 2000


def test_what_rows_have_in_common(datasets):
    assert datasets.is_all_same_type
    assert datasets.energy_axes_are_aligned
    assert datasets.is_all_same_energy_shape
    datasets[1].mask_fit = np.zeros(6, bool)
    assert datasets.contributes_to_stat.tolist() == [True, False, True, True]
    low, high = datasets.energy_ranges
    assert (low == 0.5 * u.TeV).all()
    np.testing.assert_allclose(high.value, 30.0)
    mixed = Datasets([*datasets, *Datasets.from_xarray(cash_dataset(n_energy=5, names=["c"]))])
    assert not mixed.is_all_same_type
    assert not mixed.energy_axes_are_aligned
    assert not mixed.is_all_same_energy_shape


def test_rows_of_several_regions_are_copied_by_their_own_names_and_not_added_up():
    datasets = Datasets.from_xarray(on_off_dataset(n_rows=2, n_region=2))
    assert datasets.copy().names == datasets.names == ["23523.0", "23523.1", "23524.0", "23524.1"]
    for call in (datasets.stack_reduce, datasets.plot):
        with pytest.raises(ConfigError, match=r"adds up the spectra of one region, and these are of 2; take copies"):
            call()
    one = Datasets([datasets[0].copy(), datasets[2].copy()])
    assert one.stack_reduce().counts.sum() == one.info_table()["counts"].sum()


def test_rows_without_a_bin_in_the_range_are_left_out_with_a_warning(datasets, caplog):
    high = SpectrumDatasetOnOff(on_off_dataset(names=["high"])).slice_by_energy("10 TeV", "30 TeV")
    both = Datasets([datasets[0], high])
    with caplog.at_level(logging.WARNING):
        few = both.slice_by_energy("0.5 TeV", "2 TeV")
    assert few.names == ["23523"]
    assert "high is left out: high: there is no bin between 0.5 and 2 TeV" in caplog.text
    assert len(both.slice_by_energy()) == 2


# --- time


def test_good_time_of_rows_and_of_all_of_them(datasets):
    gti = datasets[1].gti
    start = 1.0e8 + 2000.0
    np.testing.assert_array_equal(gti.data, [[start, start + 1700.0]])
    assert gti.time_sum == 1700 * u.s
    assert len(datasets.gti) == 4
    assert datasets.gti.time_sum == 4 * 1700 * u.s
    mjdref = datasets[0].data.attrs["mjdref"]
    assert abs((datasets.gti.time_start[1] - time_from_seconds(start, mjdref)).to_value("s")) < 1e-6
    assert len(datasets.gti.table) == 4
    assert "4 intervals, 6800.0 s, from" in repr(datasets.gti)
    assert repr(GTI(np.empty((0, 2)), 51544.0)) == "<GTI: 0 intervals, 0.0 s>"
    assert Datasets().gti.time_sum == 0 * u.s


def test_intervals_are_cut_and_merged():
    ends = Time(["2020-01-01T00:00", "2020-01-01T01:00", "2020-01-01T01:00", "2020-01-01T02:00"], scale="tt")
    gti = GTI.from_time_intervals([ends[:2], ends[2:]])
    assert len(gti.union()) == 1
    half = gti.select_time(Time(["2020-01-01T00:30", "2020-01-01T01:30"], scale="tt"))
    assert half.time_delta.to_value("min") == pytest.approx([30, 30], abs=1e-6)
    assert [interval.isot.tolist() for interval in half.time_intervals][1][0] == "2020-01-01T01:00:00.000"
    assert (half.time_ref, len(half)) == (gti.time_ref, 2)
    with pytest.raises(ConfigError, match="at least one interval, got none"):
        GTI.from_time_intervals([])
    with pytest.raises(ConfigError, match="starts before it stops"):
        gti.select_time(ends[[2, 0]])


def test_good_time_is_made_of_times_or_of_durations_since_a_reference():
    reference = Time(59000.0, format="mjd", scale="tt")
    gti = GTI.create([0, 2] * u.d, [1, 3] * u.d, reference)
    assert gti.time_start.mjd.tolist() == [59000.0, 59002.0]
    assert gti.time_sum.to_value("d") == 2
    assert GTI.create(gti.time_start, gti.time_stop).time_stop.mjd.tolist() == [59001.0, 59003.0]
    assert GTI.create("1 h", "2 h").time_start.isot.tolist() == ["2000-01-01T01:00:00.000"]
    with pytest.raises(ConfigError, match="A time interval starts before it stops"):
        GTI.create("2 h", "1 h")


def test_rows_are_selected_by_time(datasets):
    gti = datasets[1].gti
    assert datasets.select_time(gti.time_start[0], gti.time_stop[0]).names == ["23524"]
    assert len(datasets.select_time(gti.time_start[0] + 1 * u.s, gti.time_stop[0])) == 0


# --- tables and pictures


def test_the_meta_table_says_what_rows_are(datasets):
    table = Datasets([*datasets[:2], datasets.stack_reduce()]).meta_table
    assert table.colnames == ["NAME", "TYPE", "TELESCOP", "OBS_ID", "RA_PNT", "DEC_PNT"]
    assert table["NAME"].tolist() == ["23523", "23524", "stacked"]
    assert table["OBS_ID"].tolist() == [23523, 23524, None]
    assert table["RA_PNT"].unit == "deg"
    assert datasets[1].meta_table["OBS_ID"].tolist() == [23524]


def test_excess_and_significance_are_drawn_over_time(datasets):
    table = datasets.info_table(cumulative=True)
    figure = datasets.plot()
    drawn = [ax.lines[0].get_xydata() for ax in figure.axes]
    np.testing.assert_allclose(drawn[0], np.stack([table["livetime"].quantity.to_value("h"), table["excess"]], axis=1))
    np.testing.assert_allclose(drawn[1][:, 1], table["sqrt_ts"])
    figure = datasets.plot(cumulative=False)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), datasets.info_table()["excess"])
    assert figure.axes[0].get_ylabel() == "Excess counts"
    figure.canvas.draw()
    plt.close(figure)
