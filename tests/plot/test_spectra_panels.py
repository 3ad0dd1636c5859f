"""Pictures of several spectra: a panel each, and of many the sum of the others, all of them named."""

import numpy as np
import pytest

from builders import energy_axis, on_off_dataset
from simulated_spectra import power_law
from sky_rows import sky_row
from xgamma.datasets import Datasets
from xgamma.errors import DataError
from xgamma.plot.spectra_panels import MOST_PANELS, shown_spectra


def datasets(n_rows, **options):
    names = [f"run-{number}" for number in range(n_rows)]
    made = Datasets.from_xarray([on_off_dataset(n_rows, names=names, **options)])
    made.models = [power_law()]
    return made


def titles(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


def test_one_spectrum_is_a_picture_of_its_own_with_what_is_known_of_it():
    figure = datasets(1).plot_counts()
    assert len(figure.axes) == 1
    assert titles(figure)[0].startswith("source, ")
    assert titles(figure)[0].endswith(r"$\sigma$")


def test_each_spectrum_has_a_panel_with_its_name():
    figure = datasets(4).plot_counts()
    assert [title.split(",")[0] for title in titles(figure)] == ["run-0", "run-1", "run-2", "run-3"]
    assert figure.get_suptitle().startswith("source, ")
    assert "4 datasets" in figure.get_suptitle()


def test_a_fit_of_several_has_their_residuals_below_each():
    figure = datasets(3).plot_fit()
    assert len(figure.axes) == 6
    for above, below in zip(figure.axes[::2], figure.axes[1::2], strict=True):
        assert above.get_xlim() == below.get_xlim()
        assert above.get_xlabel() == ""


def test_of_many_spectra_the_last_panel_is_the_sum_of_the_others():
    spectra = [view.counts_spectrum() for view in datasets(20)]
    shown = shown_spectra(spectra)
    assert len(shown) == MOST_PANELS
    assert (shown[-1].name, shown[-1].facts) == ("Sum of 12", ("run-8, run-9, ... run-19",))
    for name in ("counts", "background", "signal", "npred"):
        total = sum(np.where(one.safe, getattr(one, name), 0.0) for one in spectra[8:])
        np.testing.assert_allclose(getattr(shown[-1], name), total, rtol=1e-12)
    assert "Sum of 12" in titles(datasets(20).plot_fit())[-1]


def test_spectra_of_other_energies_are_added_up_apart():
    spectra = [view.counts_spectrum() for n_energy in (6, 4) for view in datasets(12, n_energy=n_energy)]
    shown = shown_spectra(spectra)
    assert [one.name for one in shown[-2:]] == ["Sum of 5", "Sum of 12"]
    assert [len(one.counts) for one in shown[-2:]] == [6, 4]


def test_energies_in_which_nothing_is_are_not_shown():
    ds = on_off_dataset(1, n_energy=12)
    ds["counts"].values[..., 6:] = 0
    ds["counts_off"].values[..., 6:] = 0
    ax = Datasets.from_xarray([ds]).plot_counts().axes[0]
    edges = energy_axis(12).edges
    assert ax.get_xlim() == pytest.approx((edges[0], edges[7]))


def test_maps_have_a_panel_each_and_the_title_says_how_many_are_left_out():
    maps = Datasets.from_xarray([sky_row(counts=1.0, name=f"map-{number}") for number in range(11)])
    figure = maps.peek()
    assert len(titles(figure)) == MOST_PANELS
    assert figure.get_suptitle().endswith("the first 9")


def test_without_rows_nothing_can_be_drawn():
    with pytest.raises(DataError, match="no spectra or maps"):
        Datasets([]).plot_counts()
    with pytest.raises(DataError, match="no spectra whose fit"):
        Datasets.from_xarray([sky_row(counts=1.0)]).plot_fit()
