"""Pictures of maps: axes of the projection, colours, bars, contours, regions, grids and sliders."""

from __future__ import annotations

import importlib
import sys
import types

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib.offsetbox import AnchoredOffsetbox

from xgamma.errors import ConfigError, DataError
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.plot import sky
from xgamma.shapes import Circle, Ellipse

ENERGY = MapAxis.from_energy_bounds("1 TeV", "100 TeV", 4)
CENTER = SkyCoord(83.63, 22.01, unit="deg")


@pytest.fixture
def cube():
    geom = WcsGeom.create(skydir=CENTER, binsz=0.1, width=(2.0, 1.5), axes=[ENERGY])
    return Map.from_geom(geom, np.random.default_rng(2).poisson(5.0, geom.data_shape), "m-2", name="flux_like")


def image_of(ax):
    (image,) = ax.images
    return image


def boxes_of(ax):
    return [artist for artist in ax.artists if isinstance(artist, AnchoredOffsetbox)]


def test_an_image_is_drawn_with_north_up_on_its_projection(cube):
    image = cube.sum_over_axes()
    ax = image.plot()
    assert isinstance(ax, WCSAxes)
    np.testing.assert_array_equal(image_of(ax).get_array(), image.data[0])
    assert image_of(ax).origin == "lower"
    # To the north is up, to the east is left.
    north, east = (SkyCoord(lon, lat, unit="deg") for lon, lat in ((83.63, 22.5), (84.2, 22.01)))
    (x0, y0), (xn, yn), (xe, ye) = (ax.wcs.world_to_pixel(at) for at in (CENTER, north, east))
    assert yn > y0 + 4
    assert xe < x0 - 4
    assert abs(xn - x0) + abs(ye - y0) < 0.1
    assert [coordinate.get_axislabel() for coordinate in ax.coords] == ["Right ascension", "Declination"]


def test_a_colour_bar_says_the_name_and_the_unit_and_is_as_high_as_the_image(cube):
    ax = cube.sum_over_axes().plot(add_cbar=True)
    _, bar = ax.figure.axes
    assert bar.get_ylabel() == "Flux like [m$^{-2}$]"
    ax.figure.canvas.draw()
    drawn, image = bar.get_position(), ax.get_position()
    assert drawn.y0 == pytest.approx(image.y0)
    assert drawn.y1 == pytest.approx(image.y1)
    assert drawn.x0 > image.x1
    box = ax.figure.get_tightbbox().padded(-0.02)
    assert box.x0 >= 0
    assert box.x1 <= ax.figure.get_figwidth()


def test_a_colour_bar_may_be_called_otherwise(cube):
    ax = cube.sum_over_axes().plot(add_cbar=True, kwargs_colorbar={"label": "Excess"})
    assert ax.figure.axes[1].get_ylabel() == "Excess"


@pytest.mark.parametrize("stretch", ["linear", "sqrt", "log", "asinh"])
def test_a_stretch_is_monotonic_from_the_first_colour_to_the_last(stretch):
    norm = sky.norm_of(np.array([[1.0, np.nan], [5.0, 100.0]]), stretch)
    assert (norm.vmin, norm.vmax) == (1.0, 100.0)
    colors = norm(np.linspace(1.0, 100.0, 50))
    assert colors[0] == pytest.approx(0.0, abs=1e-9)
    assert colors[-1] == pytest.approx(1.0)
    assert (np.diff(colors) > 0).all()
    given = sky.norm_of(np.zeros(3), stretch, vmin=-1, vmax=3)
    assert (given.vmin, given.vmax) == (-1.0, 3.0)


def test_what_is_not_known_is_grey_and_an_image_of_nothing_is_drawn(cube):
    image = cube.get_image_by_idx([0])
    image.data = np.where(np.arange(300).reshape(15, 20) < 5, np.nan, 1.0)
    ax = image.plot(add_cbar=True, stretch="log")
    assert image_of(ax).get_array().mask.sum() == 5
    np.testing.assert_allclose(image_of(ax).cmap(np.ma.masked), [0.82, 0.82, 0.82, 1.0], atol=0.01)
    image.data = np.full((15, 20), np.nan)
    image.plot(add_cbar=True).figure.canvas.draw()
    assert sky.norm_of(np.array([np.nan])).vmax == 1.0


def test_a_stretch_or_axes_that_do_not_fit_are_refused(cube):
    image = cube.sum_over_axes()
    with pytest.raises(ConfigError, match=r"stretch: there is no 'sqr'\. Did you mean 'sqrt'"):
        image.plot(stretch="sqr")
    with pytest.raises(ConfigError, match="expected axes with the projection of the map"):
        image.plot(ax=plt.figure().subplots())
    other = image.crop(2).plot()
    with pytest.raises(ConfigError, match="the projection of another map"):
        image.plot(ax=other)
    with pytest.raises(DataError, match="plot: expected an image, got 4 bins of energy; use sum_over_axes"):
        cube.plot()
    own = plt.figure().add_subplot(projection=image.geom.wcs)
    assert image.plot(ax=own) is own


def test_a_new_image_does_not_fall_upon_another(cube):
    image = cube.sum_over_axes()
    one, other = image.plot(), image.plot()
    assert one.figure is not other.figure
    given = plt.figure(figsize=(3, 3))
    assert image.plot(fig=given).figure is given
    empty = plt.figure(figsize=(3, 3))
    assert image.plot().figure is empty


def test_a_scale_bar_is_as_long_as_it_says(cube):
    ax = cube.sum_over_axes().plot(scale_bar=True)
    ((text, line),) = ([*box.get_child().get_children()] for box in boxes_of(ax))
    assert text.get_text() == "0.5\u00b0"
    (bar,) = line.get_children()
    assert np.ptp(bar.get_xdata()) == pytest.approx(0.5 / 0.1)
    ax = cube.sum_over_axes().plot(scale_bar="3 arcmin")
    ((text, line),) = ([*box.get_child().get_children()] for box in boxes_of(ax))
    assert text.get_text() == "3\u2032"
    assert np.ptp(line.get_children()[0].get_xdata()) == pytest.approx(0.5)


def test_a_beam_is_as_wide_as_it_says(cube):
    ax = cube.sum_over_axes().plot(beam="0.2 deg")
    (box,) = boxes_of(ax)
    for circle in box.get_child().get_children():
        assert (circle.width, circle.height) == pytest.approx((4.0, 4.0))
    with pytest.raises(ConfigError, match="beam: expected a radius above 0 deg"):
        cube.sum_over_axes().plot(beam=0)


def test_regions_are_drawn_where_they_are(cube):
    ax = cube.sum_over_axes().plot(
        regions=[Circle(83.63, 22.01, 0.3), Ellipse(83.2, 22.2, 0.4, 0.2, 30.0), Circle(84, 22, 0)]
    )
    circle, _, point = ax.lines
    lon, lat = circle.get_data()
    np.testing.assert_allclose(SkyCoord(lon, lat, unit="deg").separation(CENTER).deg, 0.3, rtol=1e-4)
    assert point.get_marker() == "+"


def test_contours_and_masks_are_drawn(cube):
    image = cube.sum_over_axes().smooth("0.2 deg")
    ax = image.plot()
    assert image.plot_contours([19, 20], ax) is ax
    assert ax.collections[0].levels.tolist() == [19, 20]
    mask = image.geom.to_image().region_mask(Circle(83.63, 22.01, 0.3), inside=False)
    before = len(ax.collections)
    mask.plot_mask(ax, color="cyan")
    assert len(ax.collections) == before + 2
    (mask | ~mask).plot_mask(ax)
    ax.figure.canvas.draw()
    with pytest.raises(DataError, match="plot_mask: expected a mask"):
        image.plot_mask()


def test_contours_of_another_image_lie_where_they_are(cube):
    ax = cube.sum_over_axes().plot()
    other = WcsGeom.create(skydir=CENTER.galactic, frame="galactic", proj="TAN", binsz=0.02, width=3)
    away = Map.from_geom(other, other.separation(CENTER).deg)
    away.plot_contours([0.3], ax)
    other.region_mask(Circle(83.63, 22.01, 0.5)).plot_mask(ax)
    lines = ax.collections[0]
    drawn = lines.get_transform().transform_path(lines.get_paths()[0])
    sky = ax.wcs.pixel_to_world(*ax.transData.inverted().transform(drawn.vertices).T)
    np.testing.assert_allclose(sky.separation(CENTER).deg, 0.3, atol=0.01)
    ax.figure.canvas.draw()


def test_planes_are_drawn_side_by_side_under_their_energies(cube):
    drawn = cube.plot_grid(ncols=3, stretch="sqrt")
    assert [ax.get_title() for ax in drawn] == ["1 - 3.16 TeV", "3.16 - 10 TeV", "10 - 31.6 TeV", "31.6 - 100 TeV"]
    figure = drawn[0].figure
    assert len(figure.axes) == 8
    figure.canvas.draw()
    tops = [ax.get_position().y0 for ax in drawn]
    assert tops[0] == pytest.approx(tops[2], abs=0.01)
    assert tops[0] > tops[3]
    for number, ax in enumerate(drawn):
        np.testing.assert_array_equal(image_of(ax).get_array(), cube.data[number])
    with pytest.raises(ConfigError, match="expected at least one column, got 0"):
        cube.plot_grid(ncols=0)


def test_titles_name_the_bins_of_all_axes():
    rad = MapAxis.from_bounds(0.0, 0.4, 2, unit="deg", name="rad")
    cube = Map.create(npix=4, axes=[rad, ENERGY])
    assert cube.plane_titles()[:3] == [
        "1 - 3.16 TeV, 0 - 0.2 deg",
        "1 - 3.16 TeV, 0.2 - 0.4 deg",
        "3.16 - 10 TeV, 0 - 0.2 deg",
    ]


def test_a_whole_sky_is_an_ellipse_without_a_scale():
    geom = WcsGeom.create(binsz=5, proj="AIT", frame="galactic")
    ax = Map.from_geom(geom, np.ones(geom.data_shape)).plot(add_cbar=True, scale_bar=True)
    ax.figure.canvas.draw()
    assert boxes_of(ax) == []
    assert type(ax.coords.frame).__name__ == "EllipticalFrame"
    assert np.ptp(ax.get_xlim()) == pytest.approx(np.rad2deg(4 * np.sqrt(2)) / 5)


def test_longitudes_that_grow_to_the_right_are_drawn_so():
    given = WcsGeom.create(binsz=0.5, width=10, frame="galactic")
    space = given.space
    turned = WcsGeom(type(space)(space.lon, space.lat, space.frame, space.binsize, space.npix, aspect=-1.0))
    ax = Map.from_geom(turned).plot()
    x, _ = ax.wcs.world_to_pixel(SkyCoord(2, 0, unit="deg", frame="galactic"))
    assert x == pytest.approx(9.5 + 4)


def test_a_slider_shows_each_plane(cube, monkeypatch):
    shown = {}
    widgets = types.ModuleType("ipywidgets")
    widgets.__spec__ = importlib.machinery.ModuleSpec("ipywidgets", None)
    widgets.SelectionSlider = lambda options, **_: options
    widgets.interact = lambda function, **sliders: shown.update(function=function, **sliders)
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    cube.plot_interactive(stretch="sqrt")
    assert shown["energy"][1] == ("3.16 - 10 TeV", 1)
    shown["function"](energy=2)
    np.testing.assert_array_equal(image_of(plt.gcf().axes[0]).get_array(), cube.data[2])


def test_without_the_package_of_sliders_a_sentence_says_so(cube, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"needs the package ipywidgets, which is not installed; install it, or use plot_grid"
    ):
        cube.interactive()


def test_a_spectrum_of_a_region_is_drawn_over_its_energies(cube):
    ax = cube.get_spectrum(Circle(83.63, 22.01, 0.5)).plot()
    assert ax.get_xlabel() == "Energy [TeV]"
    assert ax.get_ylabel() == "Flux like [m$^{-2}$]"
    assert ax.get_xscale() == "log"
    with pytest.raises(DataError, match="expected values over one axis, got one value"):
        cube.sum_over_axes(keepdims=False).get_spectrum(Circle(83.63, 22.01, 0.5)).plot()


def test_quantities_of_angles_are_taken(cube):
    ax = cube.sum_over_axes().plot(scale_bar=0.2 * u.deg, beam=6 * u.arcmin)
    assert len(boxes_of(ax)) == 2
