"""The import path of Gammapy's ``utils.regions``: regions along a line and rings about a position."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import astropy
import numpy as np

from xgamma.errors import ConfigError
from xgamma.gammapy_names import later_names
from xgamma.shapes import Annulus, Circle, Rectangle, Shape
from xgamma.units import canonical

__all__ = ["make_concentric_annulus_sky_regions", "make_orthogonal_rectangle_sky_regions"]


def make_orthogonal_rectangle_sky_regions(
    start_pos: Any, end_pos: Any, wcs: Any = None, height: Any = "1 deg", nbin: int = 1
) -> list[Shape]:
    """Return rectangles one after the other along a line, each across it.

    Parameters
    ----------
    start_pos, end_pos
        ``SkyCoord`` of the ends of the line, which is a great circle.
    wcs
        Taken and not needed: the line does not depend on an image.
    height
        How far the rectangles reach across the line, from side to side.
    nbin
        The number of rectangles.

    Raises
    ------
    ConfigError
        Without a rectangle, for a line without a length, or a height that is none.
    """
    if isinstance(nbin, bool) or int(nbin) != nbin or nbin < 1:
        raise ConfigError(f"make_orthogonal_rectangle_sky_regions: expected at least one rectangle, got {nbin!r}.")
    frame = "galactic" if start_pos.frame.name == "galactic" else "icrs"
    start, end = (astropy.coordinates.SkyCoord(one).transform_to(frame) for one in (start_pos, end_pos))
    across = canonical(height, "deg", "height")
    length = float(start.separation(end).deg)
    if not length > 0:
        raise ConfigError("make_orthogonal_rectangle_sky_regions: expected two positions, got one twice.")
    shares = (np.arange(nbin) + 0.5) / nbin
    middles = start.directional_offset_by(start.position_angle(end), shares * start.separation(end))
    found: list[Shape] = []
    for middle in middles:
        # Position angles go from north to east, angles of shapes from west to north.
        angle = (float(middle.position_angle(end).deg) - 90.0) % 180.0
        lon, lat = float(middle.spherical.lon.deg), float(middle.spherical.lat.deg)
        found.append(Rectangle(lon, lat, length / nbin, across, angle, frame))
    return found


def make_concentric_annulus_sky_regions(
    center: Any, radius_max: Any, radius_min: Any = "1e-5 deg", nbin: int = 11
) -> list[Shape]:
    """Return rings about a position, one within the other: ``nbin - 1`` of them, as in Gammapy.

    Parameters
    ----------
    center
        A ``SkyCoord``.
    radius_max, radius_min
        The radius of the outermost ring, and the inner one of the first.
    nbin
        The number of radii.

    Raises
    ------
    ConfigError
        For fewer than two radii, and radii that do not ascend from above 0.
    """
    if isinstance(nbin, bool) or int(nbin) != nbin or nbin < 2:
        raise ConfigError(f"make_concentric_annulus_sky_regions: expected at least two radii, got {nbin!r}.")
    low, high = canonical(radius_min, "deg", "radius_min"), canonical(radius_max, "deg", "radius_max")
    if not 0 < low < high:
        raise ConfigError(
            f"make_concentric_annulus_sky_regions: expected 0 < radius_min < radius_max, got {low:g} and {high:g} deg."
        )
    frame = "galactic" if center.frame.name == "galactic" else "icrs"
    place = astropy.coordinates.SkyCoord(center).transform_to(frame).spherical
    lon, lat = float(place.lon.deg), float(place.lat.deg)
    edges = np.linspace(low, high, nbin).tolist()
    circles = [Circle(lon, lat, radius, frame) for radius in edges]
    return [Annulus(outer, inner) for inner, outer in pairwise(circles)]


__getattr__ = later_names(__name__)
