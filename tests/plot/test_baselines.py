"""Every picture looks like the stored one; `make pictures` stores those that have changed on purpose."""

import importlib
import inspect
import pkgutil
import sys

import matplotlib
import matplotlib.pyplot as plt
import pytest
from gallery_of_pictures import PICTURES, figure_of

import xgamma.plot

TOLERANCE = 12.0
"""RMS of the colours, of 255: two versions of matplotlib place ticks and the edges of lines by parts of a pixel."""


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.some_long(5)
@pytest.mark.skipif(
    matplotlib.__version_info__[:2] < (3, 11), reason="matplotlib before 3.11 leaves other room around Axes"
)
@pytest.mark.parametrize("name", sorted(PICTURES))
@pytest.mark.mpl_image_compare(
    baseline_dir="baseline", style="default", tolerance=TOLERANCE, remove_text=True, savefig_kwargs={"dpi": 50}
)
def test_a_picture_looks_like_the_stored_one(name):
    return figure_of(name)


# Of these no picture is stored.
EXCEPTIONS = {
    "plot_theta_squared_table": "takes the columns of a table and draws them by plot_theta2",
    "plot_regions": "needs rows with off regions on the sky; tests/datasets compares shapes and labels",
    "plot_profiles": "the columns of plot_ts_profiles, over time; tests/datasets compares them",
}


def public_functions():
    for module in pkgutil.iter_modules(xgamma.plot.__path__):
        found = importlib.import_module(f"xgamma.plot.{module.name}")
        for name, function in inspect.getmembers(found, inspect.isfunction):
            plain = inspect.unwrap(function)
            if name.startswith(("plot_", "draw_")) and plain.__module__ == found.__name__:
                yield name, plain.__code__


@pytest.mark.long
def test_every_public_function_that_draws_has_a_stored_picture():
    called = set()

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_name.startswith(("plot_", "draw_")):
            called.add(frame.f_code)

    sys.setprofile(note)
    try:
        for name in PICTURES:
            figure_of(name)
            plt.close("all")
    finally:
        sys.setprofile(None)
    assert [name for name, code in public_functions() if code not in called and name not in EXCEPTIONS] == []
