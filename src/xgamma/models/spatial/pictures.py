"""Pictures of morphologies: densities, outlines and errors of positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xgamma.axes import Axis
from xgamma.errors import ConfigError
from xgamma.models.spatial.pixels import pixel_densities, pixel_integrals
from xgamma.plot import sky as plot_sky
from xgamma.sky import SkySpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# A picture about a source is so many pixels wide, and at least so many degrees.
_PIXELS, _NARROWEST = 150, 0.2


def space_about(center: tuple[float, float], frame: str, reach: float) -> SkySpace:
    """Return an image about a centre that holds what a source reaches."""
    width = max(2.2 * min(reach, 80.0), _NARROWEST)
    return SkySpace.of_width(*center, frame, width / _PIXELS, (width, width), None, "TAN" if width < 60 else "CAR")


def draw(model: Any, space: SkySpace, ax: Axes | None, **style: Any) -> Axes:
    """Draw the density of a model; of a point the share of it in each pixel."""
    image = space.image
    values = pixel_integrals(model, image) if model.is_point else pixel_densities(model, image)
    unit = "" if model.is_point else str(model.density_unit)
    name = "Share" if model.is_point else "Density"
    return plot_sky.plot_image(values, image, ax, **{"unit": unit, "name": name, **style})


def draw_planes(model: Any, space: SkySpace, axis: Axis, **style: Any) -> list[Any]:
    """Draw the density of a model at the centres of the bins of an axis of energy."""
    planes = pixel_densities(model, space.image, None, axis.center)
    usual = {"unit": str(model.density_unit), "name": "Density"}
    return list(
        plot_sky.plot_planes(
            list(planes), space.image, plot_sky.bin_titles(axis.edges, axis.unit), **{**usual, **style}
        )
    )


def _on_sky(ax: Axes | None, space: SkySpace) -> Any:
    if ax is None:
        return plot_sky.normalize_sky_axes(None, space)
    if not hasattr(ax, "get_transform") or not hasattr(ax, "coords"):
        raise ConfigError("plot: expected axes with a projection, as Map.plot returns them.")
    return ax


def draw_position(model: Any, space: SkySpace, ax: Axes | None, **style: Any) -> Axes:
    """Draw the position of a model as a marker, and the ellipse of 95 % where it has an error."""
    axes, center = _on_sky(ax, space), model.center()
    usual = {"marker": "x", "color": "red", "label": "position", "ls": "none", **style}
    axes.plot(*center, transform=axes.get_transform(model.frame), **usual)
    try:
        shape = model.error_shape()
    except ConfigError:
        return axes  # type: ignore[no-any-return]
    plot_sky.draw_shape(axes, shape, color=usual["color"], lw=1.2)
    return axes  # type: ignore[no-any-return]


def draw_extension(model: Any, space: SkySpace, ax: Axes | None, factor: float, **style: Any) -> Axes:
    """Draw the outline of a model at its size less and plus the error of it."""
    axes = _on_sky(ax, space)
    sizes = [one for one in model.parameters if one.name in ("sigma", "r_0", "radius") and one.error > 0]
    for size in sizes[:1]:
        for moved, ls in ((size.value - size.error, "--"), (size.value, "-"), (size.value + size.error, "--")):
            shape = model.reassign(size.name, np.clip(moved, 0.0, None) * size.unit).outline(factor)
            plot_sky.draw_shape(axes, shape, **{"color": "red", "lw": 1.0, "ls": ls, **style})
    return axes  # type: ignore[no-any-return]
