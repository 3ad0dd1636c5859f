"""Whatever has `peek` or a method that plots draws a figure that says what it shows."""

import importlib
import inspect
import pkgutil
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.visualization.wcsaxes import WCSAxes
from views_to_draw import ENERGIES, NAMES, TIMES, objects

import xgamma
from xgamma.description import Described

# Of what a call needs besides Axes; `name.method` of one object, or a method of all.
GIVEN = {
    "spectral.plot": (ENERGIES,), "spectral.plot_error": (ENERGIES,), "temporal.plot": (TIMES,),
    "phases.plot": (TIMES,),
    "map.plot_contours": ([0.3, 0.6],), "mask.plot_contours": ([0.5],),
}  # fmt: skip
# Methods that say why they draw nothing of an object.
OTHERS = {
    "maps.plot": "several planes", "maps.plot_contours": "several planes", "maps.plot_mask": "no mask",
    "map.plot_mask": "no mask", "spatial.plot_grid": "no energies", "region-map.plot_region": "later",
    "light-curve.plot_ts_profiles": "no scan", "datasets.plot_maps": "no maps",
    "datasets.plot_regions": "no regions",
    "spectrum.plot_masks": "shades what else is drawn",
}  # fmt: skip
# Their Axes have a projection, which they make themselves.
ON_SKY = ("map-dataset", "map", "maps", "mask", "excess-map", "models", "spatial", "region", "catalog", "geom")
# Sliders, which need ipywidgets.
INTERACTIVE = "plot_interactive"
# What has no picture of its own, and where it is drawn instead.
WITHOUT = {
    "Analysis": "its report", "DescribedSteps": "its report", "Store": "pictures are products",
    "Axis": "MapAxis", "MapCoord": "numbers", "MapValues": "Map",
    "Parameter": "Parameters", "OptimizeResult": "FitResult", "CovarianceResult": "FitResult",
    "Shape": "RegionGeom", "Component": "its kinds",
    "Response": "its kinds", "ResponseMap": "its kinds", "DatasetList": "Datasets", "Row": "its kinds",
}  # fmt: skip
# Quantities without a unit.
PLAIN = re.compile(
    r"Events|Counts|Excess( counts)?|Significance|Pixels( from the middle)?|Factor of the flux|Phase|Norm|Share|Value"
    r"|index|Data - model|Density.*|Date \(TT\)|Time \(MJD, TT\)|MJD.*|Energy / true energy|\(.* - .*\).*", re.DOTALL,
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn(tiny_release, tmp_path_factory):
    return objects(tiny_release, tmp_path_factory.mktemp("drawn"))


def methods(kind):
    found = [name for name, _ in inspect.getmembers(kind, callable) if name == "peek" or name.startswith("plot")]
    return sorted(name for name in found if name != INTERACTIVE)


def figure_of(made):
    """Return the figure of what a method returned: Axes, several of them, or a figure."""
    one = made[0] if isinstance(made, tuple | list) else made
    return one if hasattr(one, "savefig") else one.figure


def assert_says_what_it_shows(figure, where):
    figure.draw_without_rendering()
    shown = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    assert shown, where
    for ax in shown:
        if isinstance(ax, WCSAxes):
            assert all(coordinate.get_axislabel() for coordinate in ax.coords), where
            continue
        if ax.texts and len(ax.get_yticks()) == 1:
            # A row, whose tick is its name and whose unit stands beside it.
            continue
        if ax.images and not ax.get_xlabel():
            # A matrix, whose ticks are names.
            assert all(label.get_text() for label in ax.get_xticklabels()), where
            continue
        (left, bottom), others = ax.get_position().p0, [other.get_position().p0 for other in shown]
        is_above = any(abs(x - left) < 0.02 and y < bottom - 0.02 for x, y in others)
        is_beside = any(abs(y - bottom) < 0.02 and x < left - 0.02 for x, y in others)
        for label, is_elsewhere in (
            (ax.get_xlabel(), is_above),
            (ax.get_ylabel(), is_beside or not len(ax.get_yticks())),
        ):
            assert (is_elsewhere and not label) or "[" in label or PLAIN.fullmatch(label), (where, label)


@pytest.mark.some_long(6)
@pytest.mark.parametrize("name", NAMES)
def test_peek_and_every_plot_draw_a_figure_that_says_what_it_shows(drawn, name):
    view = drawn[name]
    for method in methods(type(view)):
        where, function = f"{name}.{method}", getattr(view, method)
        if where in OTHERS:
            continue
        given = {}
        if method == "peek":
            given["figsize"] = (6.5, 5.5)
        elif name not in ON_SKY and "ax" in inspect.signature(function).parameters:
            given["ax"] = plt.figure().subplots()
        made = function(*GIVEN.get(where, ()), **given)
        assert_says_what_it_shows(figure_of(made), where)
        if method == "peek":
            titles = [made.get_suptitle(), *(ax.get_title() for ax in made.axes)]
            assert any(titles), where
            np.testing.assert_array_equal(made.get_size_inches(), (6.5, 5.5), err_msg=where)
        elif given:
            assert made is given["ax"], where
        plt.close("all")


def kinds_with_pictures():
    """Yield every class of the package that draws itself, or says of itself what it is."""
    for module in pkgutil.walk_packages(xgamma.__path__, "xgamma."):
        if re.search(r"\.(plot|bridges)\b|__main__$", module.name):
            continue
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__ == module.name and not kind.__name__.startswith("_"):
                yield kind


def test_one_of_each_kind_is_drawn(drawn):
    assert sorted(drawn) == sorted(NAMES)


def test_every_object_that_prints_itself_draws_itself(drawn):
    kinds = [type(view) for view in drawn.values()]
    for kind in kinds_with_pictures():
        if not methods(kind) and not issubclass(kind, Described):
            continue
        is_drawn = any(issubclass(one, kind) or issubclass(kind, one) for one in kinds)
        is_other = any(one.__name__ in WITHOUT for one in kind.__mro__) and not methods(kind)
        assert is_drawn or is_other or hasattr(kind, "peek"), kind
