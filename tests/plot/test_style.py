"""Pictures look as the style file says, where nobody has said otherwise; their axes carry units."""

import importlib
import inspect
import pkgutil

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.visualization import quantity_support
from matplotlib.figure import Figure

import xgamma.plot
from builders import flux_points_product, light_curve_product, on_off_dataset
from xgamma.datasets import FluxPoints, FluxPointsDataset, LightCurve, SpectrumDatasetOnOff
from xgamma.errors import ConfigError
from xgamma.models import PowerLawSpectralModel, SkyModel
from xgamma.plot import look, style
from xgamma.plot.labels import sed_label

BLUE = "#0072B2"


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def dataset():
    return SpectrumDatasetOnOff(on_off_dataset())


@pytest.fixture
def points():
    return FluxPoints(flux_points_product())


def test_a_picture_has_the_look_of_the_package_and_leaves_no_trace_of_it(dataset):
    before = dict(mpl.rcParams)
    ax = dataset.plot_counts()
    assert ax.containers[0].lines[0].get_color() == BLUE
    assert ax.xaxis.get_major_ticks()[0].get_tickdir() == "in"
    assert dict(mpl.rcParams) == before


def test_what_a_user_has_set_wins(dataset):
    with mpl.rc_context({"axes.prop_cycle": mpl.cycler(color=["#123456", "#654321"]), "xtick.direction": "inout"}):
        ax = dataset.plot_counts()
    assert ax.containers[0].lines[0].get_color() == "#123456"
    assert ax.xaxis.get_major_ticks()[0].get_tickdir() == "inout"


def test_a_style_sheet_of_matplotlib_wins(dataset):
    with plt.style.context("dark_background"):
        figure = dataset.plot_counts().figure
    assert figure.get_facecolor() == mpl.colors.to_rgba("black")


def test_what_was_given_wins_by_any_of_its_names(dataset):
    ax = dataset.plot_counts(kwargs_background={"c": "k", "lw": 3, "ls": ":"}, kwargs_counts={"fmt": "s"})
    [line] = [patch for patch in ax.patches if patch.get_label() == "Background"]
    assert (line.get_linewidth(), line.get_linestyle()) == (3, ":")
    assert ax.containers[0].lines[0].get_marker() == "s"


def test_lines_and_points_of_a_cycle_differ_without_their_colours():
    looks = [style.line_style(number) for number in range(6)]
    assert len({str(look["linestyle"]) for look in looks}) == 6
    assert len({style.point_style(number)["marker"] for number in range(8)}) == 8


def test_colours_of_a_cycle_differ_for_colour_blind_eyes():
    """Deuteranopia, by the matrix of Machado, Oliveira and Fernandes 2009 for linear RGB."""
    matrix = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]])
    seen = np.array([matrix @ np.power(mpl.colors.to_rgb(style.cycle_color(number)), 2.2) for number in range(7)])
    seen = np.power(np.clip(seen, 0, 1), 1 / 2.2)
    apart = np.linalg.norm(seen[:, np.newaxis] - seen, axis=2)[np.triu_indices(7, 1)]
    assert apart.min() > 0.15


def test_the_digest_of_the_style_changes_with_the_file_and_with_the_version(monkeypatch, tmp_path):
    first = look.style_digest()
    assert first == look.style_digest()
    monkeypatch.setattr(look, "DRAWING_VERSION", look.DRAWING_VERSION + 1)
    second = look.style_digest()
    other = tmp_path / "other.mplstyle"
    other.write_bytes(look.STYLE_FILE.read_bytes() + b"lines.linewidth: 2\n")
    monkeypatch.setattr(look, "STYLE_FILE", other)
    assert len({first, second, look.style_digest()}) == 3


def test_others_can_use_the_style_file():
    with plt.style.context("xgamma.plot.xgamma"):
        assert mpl.rcParams["xtick.direction"] == "in"


def drawing_functions():
    for module in pkgutil.iter_modules(xgamma.plot.__path__):
        found = importlib.import_module(f"xgamma.plot.{module.name}")
        for name, function in inspect.getmembers(found, inspect.isfunction):
            if name.startswith(("plot_", "draw_")) and inspect.unwrap(function).__module__ == found.__name__:
                yield pytest.param(function, id=f"{module.name}.{name}")


@pytest.mark.parametrize("function", list(drawing_functions()))
def test_every_function_that_draws_goes_through_the_style(function):
    assert hasattr(function, "__wrapped__")


# --- quantities


def test_quantities_are_drawn_in_the_unit_of_the_axes(points):
    ax = points.plot(sed_type="e2dnde")
    [line] = ax.plot([100, 1000] * u.GeV, [1e-14, 2e-14] * u.Unit("J m-2 s-1"))
    assert line.get_xdata(orig=False) == pytest.approx([0.1, 1.0])
    assert line.get_ydata(orig=False) == pytest.approx([1e-11, 2e-11])


def test_quantities_are_drawn_so_with_the_support_of_astropy_too(points):
    with quantity_support():
        ax = points.plot(sed_type="e2dnde")
        [line] = ax.plot([100, 1000] * u.GeV, [1e-14, 2e-14] * u.Unit("J m-2 s-1"))
        assert line.get_xdata(orig=False) == pytest.approx([0.1, 1.0])
        assert ax.get_xlabel() == "Energy [TeV]"


def test_axes_that_carry_units_keep_them(points, dataset):
    axes = Figure().subplots(2)
    axes[0].xaxis.set_units(u.GeV)
    axes[0].yaxis.set_units(u.Unit("MeV cm-2 s-1"))
    points.plot(axes[0], "e2dnde")
    assert axes[0].get_xlabel() == "Energy [GeV]"
    assert axes[0].get_ylabel() == r"$E^2\,\mathrm{d}N/\mathrm{d}E$ [MeV cm$^{-2}$ s$^{-1}$]"
    drawn = axes[0].containers[0].lines[0]
    known = np.isfinite(points.dnde_ul.value if points.is_ul.all() else points.dnde.value)
    assert drawn.get_xdata() == pytest.approx(points.energy_ref.to_value("GeV")[known])
    axes[1].xaxis.set_units(u.GeV)
    dataset.plot_counts(axes[1])
    assert axes[1].get_xlim() == pytest.approx((500.0, 30000.0))


def test_the_unit_of_energies_is_an_argument(points):
    ax = points.plot(energy_unit="GeV")
    assert ax.get_xlabel() == "Energy [GeV]"
    model = PowerLawSpectralModel()
    assert model.plot([1, 10] * u.TeV, ax=ax).get_lines()[-1].get_xdata()[[0, -1]] == pytest.approx([1e3, 1e4])


def test_a_unit_of_another_dimension_raises(points):
    ax = points.plot(sed_type="e2dnde")
    with pytest.raises(ConfigError, match="the unit of these axes is erg"):
        points.plot(ax, sed_type="dnde")
    with pytest.raises(ConfigError, match="energy_unit: expected a unit that TeV converts to, the unit is m"):
        points.plot(Figure().subplots(), energy_unit="m")
    with pytest.raises(ConfigError, match="energy_unit: expected a unit, got 'GEEV'"):
        points.plot(Figure().subplots(), energy_unit="GEEV")


@pytest.mark.parametrize(
    ("sed_type", "power", "text"),
    [
        ("dnde", 0, r"$\mathrm{d}N/\mathrm{d}E$"),
        ("dnde", 1, r"$E\,\mathrm{d}N/\mathrm{d}E$"),
        ("e2dnde", 0.5, r"$E^{2.5}\,\mathrm{d}N/\mathrm{d}E$"),
        ("flux", 1, "$E$ Integral flux"),
    ],
)
def test_axes_say_the_kind_of_spectrum_as_papers_do(sed_type, power, text):
    assert sed_label(sed_type, power) == text


def test_interactive_pictures_that_begin_within_the_style_stay_interactive():
    with mpl.rc_context(), style.drawing_style():
        # As a notebook does when pyplot is first used.
        mpl.rcParams["interactive"] = True
    assert mpl.rcParams["interactive"] is False
    with mpl.rc_context():
        with style.drawing_style():
            mpl.rcParams["interactive"] = True
        assert mpl.rcParams["interactive"] is True


def test_points_and_light_curves_show_themselves(points):
    dataset = FluxPointsDataset(points, [SkyModel(PowerLawSpectralModel(), name="crab")])
    for view, count in ((points, 1), (LightCurve(light_curve_product()), 1), (dataset, 2)):
        axes = [ax for ax in view.peek().axes if ax.get_label() != "<colorbar>"]
        assert len(axes) == count
