"""The one place where pictures get their look: a style file of matplotlib, and what it cannot say.

The rule is short: what someone has set in ``matplotlib.rcParams``, by a style sheet, a matplotlibrc or by hand, wins;
all else is as in ``xgamma.mplstyle``. What counts as set is what differs from the defaults of matplotlib. Axes keep the
frame, ticks and fonts that they were made with; only what is drawn on them follows the rule.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

import matplotlib as mpl
from matplotlib.cbook import normalize_kwargs
from matplotlib.lines import Line2D

from xgamma.plot.look import STYLE_FILE

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
"""Of points that stand beside each other, so that they differ without colours."""

BAND_ALPHA = 0.22
BAND = {"alpha": BAND_ALPHA, "lw": 0.0}
"""Of error bands."""

# rcParams are those of the process: two threads that draw wait for each other.
_LOCK = threading.RLock()

P = ParamSpec("P")
R = TypeVar("R")


@lru_cache(maxsize=1)
def style_settings() -> dict[str, Any]:
    """Return the rcParams of the style file."""
    return dict(cast(dict[str, Any], mpl.rc_params_from_file(STYLE_FILE, use_default_template=False)))


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw in the style of the package, except for what someone has set in ``matplotlib.rcParams``."""
    with _LOCK:
        default, now = cast(dict[str, Any], mpl.rcParamsDefault), cast(dict[str, Any], mpl.rcParams)
        # Nothing is left to set within another function that draws; a context copies all rcParams.
        own = {name: value for name, value in style_settings().items() if now[name] == default[name] != value}
        if not own:
            yield
            return
        with mpl.rc_context(cast(Any, own)):
            try:
                yield
            finally:
                interactive = now["interactive"]
        # Notebooks switch it on as pyplot begins, which may be within; without it, they show no picture.
        now["interactive"] = interactive


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function draw in the style of the package."""

    @wraps(function)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with drawing_style():
            return function(*args, **kwargs)

    return drawn


def cycle_color(number: int) -> str:
    """Return a colour of the cycle in use; the name ``C0`` would become another colour outside of the style."""
    with drawing_style():
        colors = mpl.rcParams["axes.prop_cycle"].by_key().get("color", ["black"])
    return cast(str, colors[number % len(colors)])


def point_style(number: int) -> dict[str, Any]:
    """Return colour and marker of the points of one of several data sets."""
    return {"color": cycle_color(number), "marker": MARKERS[number % len(MARKERS)], "linestyle": "none"}


def line_style(number: int) -> dict[str, Any]:
    """Return colour and dashes of one of several lines."""
    with drawing_style():
        cycle = mpl.rcParams["axes.prop_cycle"].by_key()
    lines = cycle.get("linestyle", ["-"])
    return {"color": cycle_color(number), "linestyle": lines[number % len(lines)]}


def merged_style(*styles: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return keywords of lines and points of which later ones win, by whatever alias they are given.

    >>> merged_style({"lw": 1, "marker": "o"}, {"linewidth": 2}), merged_style({"marker": "o"}, {"fmt": "s"})
    ({'linewidth': 2, 'marker': 'o'}, {'fmt': 's'})
    """
    result: dict[str, Any] = {}
    for style in styles:
        own = normalize_kwargs(dict(style or {}), Line2D)
        if "fmt" in own:
            result = {name: value for name, value in result.items() if name not in ("marker", "linestyle")}
        elif {"marker", "linestyle"} & set(own):
            result.pop("fmt", None)
        result |= own
    return result
