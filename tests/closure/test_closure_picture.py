"""The picture of a closure shows its input, with units on its axes."""

import numpy as np
from matplotlib.figure import Figure

from xgamma.plot.expected import Covered, draw_closure, plot_coverage, plot_pulls

COVERED = Covered(
    "upper limits",
    np.array([5.0, 50.0]),
    np.array([0.9, 0.95]),
    np.array([[0.8, 0.96], [0.9, 0.98]]),
    0.9772,
)


def test_each_parameter_and_each_kind_of_interval_has_a_panel():
    figure = draw_closure({"index": np.zeros(3), "amplitude": np.ones(3)}, [COVERED, COVERED], 20.0)
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "Pull of index [standard deviations]",
        "Pull of amplitude [standard deviations]",
        *["Expected counts in the on region [counts]"] * 2,
    ]
    assert [ax.get_ylabel() for ax in figure.axes] == ["Sets per bin"] * 2 + ["Coverage [fraction]"] * 2
    assert [ax.get_title() for ax in figure.axes[2:]] == ["upper limits"] * 2
    figure.canvas.draw()


def test_the_histogram_holds_every_pull_that_is_a_number():
    ax = plot_pulls(np.array([-1.1, 0.1, 0.2, np.nan]), "index", Figure().subplots())
    assert sum(bar.get_height() for bar in ax.patches) == 3
    assert set(ax.get_legend_handles_labels()[1]) == {"3 sets", "Gaussian, width 1"}


def test_points_with_few_counts_are_grey():
    ax = plot_coverage(COVERED, 20.0, Figure().subplots())
    few, enough = (container.lines[0] for container in ax.containers)
    assert (few.get_xdata().tolist(), few.get_color()) == ([5.0], "0.6")
    assert (enough.get_xdata().tolist(), enough.get_ydata().tolist()) == ([50.0], [0.95])
