import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from builders import cash_dataset, flux_points_product, on_off_dataset
from xgamma.datasets import FluxPoints, FluxPointsDataset, SpectrumDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError, DataError
from xgamma.models.skymodel import SkyModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel
from xgamma.plot.counts import fit_axes
from xgamma.plot.labels import axis_label, shade_bins
from xgamma.plot.sed import stat_difference
from xgamma.units import unit_label


def power_law():
    return SkyModel(PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1"), name="crab")


@pytest.fixture
def dataset():
    return SpectrumDatasetOnOff(on_off_dataset(n_energy=12), power_law())


@pytest.fixture
def points():
    return FluxPoints(flux_points_product())


@pytest.fixture
def ax():
    return Figure(figsize=(6.4, 4.8)).subplots()


def validate_nothing_is_clipped(figure):
    figure.canvas.draw()
    box = figure.get_tightbbox().padded(-0.02)
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("erg cm-2 s-1", "erg / (cm2 s)"),
        ("cm-2 s-1 TeV-1", "1 / (cm2 s TeV)"),
        ("m2 s", "m2 s"),
        ("TeV", "TeV"),
        ("s-1", "1 / s"),
        ("", ""),
    ],
)
def test_units_are_written_plainly_in_text(unit, text):
    assert unit_label(unit) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("erg cm-2 s-1", "erg cm$^{-2}$ s$^{-1}$"),
        ("1 / (cm2 s TeV)", "cm$^{-2}$ s$^{-1}$ TeV$^{-1}$"),
        ("m2 s", "m$^{2}$ s"),
        ("TeV", "TeV"),
        ("", ""),
    ],
)
def test_axes_say_units_as_papers_do(unit, text):
    assert axis_label("rate", unit) == (f"rate [{text}]" if text else "rate")


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", ["plot_counts", "plot_excess", "plot_residuals", "plot_masks"])
@pytest.mark.parametrize("row", [on_off_dataset, cash_dataset])
def test_spectra_have_labelled_axes_and_leave_pyplot_alone(name, row, ax):
    ds = row()
    view = SpectrumDatasetOnOff(ds) if "counts_off" in ds else SpectrumDataset(ds)
    assert getattr(view, name)(ax=ax) is ax
    assert ax.get_xlabel() == "Energy [TeV]"
    assert ax.get_ylabel() or name == "plot_masks"
    assert ax.get_xscale() == "log"
    assert ax.get_xlim() == pytest.approx((0.5, 30.0))
    assert plt.get_fignums() == []
    validate_nothing_is_clipped(ax.figure)


def test_without_axes_the_current_ones_are_used(dataset, points):
    current = plt.figure().subplots()
    assert dataset.plot_counts() is current
    assert points.plot() is plt.gca()


def test_counts_are_drawn_whole(dataset, ax):
    dataset.plot_counts(ax)
    counts = dataset.counts.values[0]
    low, high = ax.get_ylim()
    assert low < 0 < (counts + np.sqrt(counts)).max() < high
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "Counts",
        "Background",
        "Outside the safe range",
    ]


def test_an_excess_below_zero_is_in_the_plot(ax):
    ds = on_off_dataset()
    ds["counts"][:] = 0.0
    dataset = SpectrumDatasetOnOff(ds)
    dataset.plot_excess(ax)
    safe = dataset.mask_safe.values
    assert ax.get_ylim()[0] < dataset.excess.values[safe].min() < 0


def test_masks_shade_each_stretch_of_bins_and_are_in_the_legend_once(dataset, ax):
    dataset.mask_fit = dataset.energy_mask("1 TeV", "10 TeV")
    dataset.plot_masks(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Outside the safe range", "Outside the fit range"]
    assert len(ax.patches) == 3
    shade_bins(ax, np.arange(4.0), np.array([False, False, False]))
    assert len(ax.patches) == 3


def test_a_fit_is_drawn_with_its_residuals_below(dataset):
    dataset.mask_fit = dataset.energy_mask("1 TeV", "20 TeV")
    above, below = dataset.plot_fit()
    assert (above.get_ylabel(), below.get_ylabel()) == ("Excess counts", "(Data - model)\n/ $\\sqrt{\\mathrm{model}}$")
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "Energy [TeV]")
    assert above.get_xlim() == below.get_xlim()
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert "Predicted signal counts" in labels
    assert below.get_legend() is None
    residuals = dataset.residuals("diff/sqrt(model)").values
    assert below.get_ylim()[1] > np.nanmax(np.abs(residuals))
    validate_nothing_is_clipped(above.figure)


def test_a_fit_does_not_draw_over_another_picture(dataset):
    first = plt.figure()
    first.subplots()
    above, _ = dataset.plot_fit()
    assert above.figure is not first
    assert len(first.axes) == 1


def test_a_fit_takes_two_axes_or_none(dataset):
    above, below = Figure().subplots(2)
    assert dataset.plot_fit(above, below) == (above, below)
    assert plt.get_fignums() == []
    with pytest.raises(ConfigError, match="both ax_spectrum and ax_residuals or neither"):
        fit_axes(above, None)


def test_peek_shows_counts_exposure_and_dispersion(dataset):
    figure = dataset.peek()
    labels = [(ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes]
    assert labels[:3] == [
        ("Energy [TeV]", "Counts"),
        ("True energy [TeV]", "Exposure [m$^{2}$ s]"),
        ("True energy [TeV]", "Energy [TeV]"),
    ]
    assert labels[3][1] == "Probability"
    validate_nothing_is_clipped(figure)


@pytest.mark.some_long(3)
@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("dnde", r"$\mathrm{d}N/\mathrm{d}E$ [cm$^{-2}$ s$^{-1}$ TeV$^{-1}$]"),
        ("e2dnde", r"$E^2\,\mathrm{d}N/\mathrm{d}E$ [erg cm$^{-2}$ s$^{-1}$]"),
        ("flux", "Integral flux [cm$^{-2}$ s$^{-1}$]"),
        ("eflux", "Energy flux [erg cm$^{-2}$ s$^{-1}$]"),
        ("norm", "Norm"),
    ],
)
def test_points_are_drawn_with_their_unit(points, kind, label, ax):
    points.plot(ax, sed_type=kind, color="darkorange", label="points")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Energy [TeV]", label)
    points.plot_ts_profiles(ax, sed_type=kind)
    assert ax.get_ylabel() == label
    validate_nothing_is_clipped(ax.figure)


def test_points_times_a_power_of_the_energy_carry_the_unit_of_both(points, ax):
    points.plot(ax, sed_type="dnde", energy_power=2)
    assert ax.get_ylabel() == r"$E^2\,\mathrm{d}N/\mathrm{d}E$ [TeV cm$^{-2}$ s$^{-1}$]"
    low, high = ax.get_ylim()
    drawn = points.dnde.value * points.energy_ref.value**2
    assert low < drawn[:-1].min() < drawn[:-1].max() < high


def test_an_upper_limit_is_an_arrow_from_the_limit(points, ax):
    points.plot(ax, sed_type="dnde")
    heights = ax.lines[0].get_ydata()
    np.testing.assert_allclose(heights[:-1], points.dnde.value[:-1])
    assert heights[-1] == points.dnde_ul.value[-1]


def test_points_without_a_value_are_left_out(points, ax):
    points.data["norm"][1] = np.nan
    points.plot(ax)
    assert len(ax.lines[0].get_ydata()) == 4


def test_profiles_keep_the_limits_and_are_darkest_at_the_best_fit(points, ax):
    points.plot(ax, sed_type="dnde")
    ax.set_ylim(1e-15, 1e-9)
    ax.set_xlim(0.5, 40)
    points.plot_ts_profiles(ax, sed_type="dnde")
    assert (ax.get_ylim(), ax.get_xlim()) == ((1e-15, 1e-9), (0.5, 40))
    assert ax.figure.axes[-1].get_ylabel() == "Fit statistic difference"
    for mesh, value in zip(ax.collections[-5:], points.dnde.value, strict=True):
        heights = np.sqrt(np.prod([mesh.get_coordinates()[1:, 0, 1], mesh.get_coordinates()[:-1, 0, 1]], axis=0))
        assert heights[np.argmax(mesh.get_array())] == pytest.approx(value, rel=0.06)


def test_profiles_alone_choose_limits_that_hold_every_best_fit(points, ax):
    points.plot_ts_profiles(ax, sed_type="e2dnde", add_cbar=False)
    low, high = ax.get_ylim()
    best = points.e2dnde.to_value("erg cm-2 s-1")
    assert low < best.min() < best.max() < high
    assert len(ax.figure.axes) == 1


def test_profiles_need_a_scan(points, ax):
    with pytest.raises(DataError, match="selection_optional"):
        FluxPoints(points.data.drop_vars("stat_scan")).plot_ts_profiles(ax)


def test_a_profile_between_the_scanned_norms_is_the_true_one():
    signal, counts, background = 30.0, 33.0, 2.0
    norm_scan = np.geomspace(0.2, 5, 11)

    def stat(norm):
        return 2 * (signal * norm + background - counts * np.log(signal * norm + background))

    best = (counts - background) / signal
    norm = np.array([0.25, 0.7, 1.0, best, 1.2, 2.9])
    known = stat_difference(norm, norm_scan, stat(norm_scan), best, stat(best))
    np.testing.assert_allclose(known, stat(norm) - stat(best), atol=0.02)
    below = stat_difference(np.array([0.1]), norm_scan, stat(norm_scan), best, stat(best), stat(0.0))
    assert stat(0.2) - stat(best) < below[0] < stat(0.0) - stat(best)
    assert np.isnan(stat_difference(np.array([0.1, 6.0]), norm_scan, stat(norm_scan), best, stat(best))).all()
    assert np.isnan(stat_difference(norm, norm_scan, np.full(11, np.nan), np.nan, np.nan)).all()


def test_points_are_drawn_with_models_and_residuals(points):
    dataset = FluxPointsDataset(points, power_law())
    above, below = dataset.plot_fit()
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert sorted(labels) == ["Flux points", "Upper limits", "crab"]
    assert above.get_ylabel() == r"$E^2\,\mathrm{d}N/\mathrm{d}E$ [erg cm$^{-2}$ s$^{-1}$]"
    assert below.get_ylabel() == "(Data - model)\n/ model"
    assert above.get_xlim() == below.get_xlim()
    assert above.get_xlim()[0] < points.energy_min.value.min()
    validate_nothing_is_clipped(above.figure)
