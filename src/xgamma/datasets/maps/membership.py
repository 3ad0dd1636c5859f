"""Which pixels of an image lie in a region, and with what share; a region is never lost in silence.

A pixel lies in a region when its centre does. Circles are those of the sphere; other shapes are drawn on the plane
tangent at their centre, so that the edges of polygons are great circles; angles are counted in the frame of the region.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from xgamma.axes import BoolArray, FloatArray, IntArray
from xgamma.errors import DataError
from xgamma.formats.region_files import normalize_regions
from xgamma.geometry import Plane, destination, from_tangent_plane, separation, to_frame
from xgamma.shapes import Annulus, Circle, Shape
from xgamma.shapes.shape import LARGEST_REACH
from xgamma.sky import SkySpace

# Of fewer pixels than these, the edge decides what their sum is.
FEWEST_WHOLE = 10
# So many places along each side of a pixel tell its share, or along a smaller region.
FINER, FINEST = 16, 200
_PLACES = 48


class Shares(NamedTuple):
    """Pixels in C order of the image, and the share of each that counts, shape (n,) each."""

    pixel: IntArray
    share: FloatArray

    @property
    def is_whole(self) -> bool:
        """Whether all pixels count whole."""
        return bool(np.all(self.share == 1))


def holds(shape: Shape, lon: FloatArray, lat: FloatArray) -> BoolArray:
    """Return which ICRS positions lie in a shape; a circle is one on the sphere, of whatever size."""
    if isinstance(shape, Circle):
        return np.asarray(separation(lon, lat, *shape.center) < shape.radius)
    if isinstance(shape, Annulus) and isinstance(shape.outer, Circle):
        return holds(shape.outer, lon, lat) & ~holds(shape.inner, lon, lat)
    return shape.holds(lon, lat)


def region_pixels(space: SkySpace, regions: Any) -> Iterator[IntArray]:
    """Yield of each region the pixels whose centres it holds; see ``WcsGeom.region_mask``.

    What of a region lies beyond the image has no pixels. Raises ``DataError`` for a region on the image without any.
    """
    for shape in normalize_regions(regions):
        if shape.reach == 0:
            yield _pixels_at(space, *(np.atleast_1d(place) for place in shape.center))
            continue
        found = np.flatnonzero(holds(shape, *space.positions()))
        if not len(found) and len(_pixels_at(space, *_outline(shape))):
            raise DataError(
                f"{shape} lies between the centres of pixels of {space.binsize:g} deg, and a mask would not show it; "
                "give smaller pixels or a larger region."
            )
        yield found


def shares_of_region(space: SkySpace, region: Any) -> Shares:
    """Return the pixels that a sum over a region is made of.

    They are those whose centres it holds, whole. Where these are fewer than ten, they are all pixels that it touches,
    with the share of their area in it, so that a region between the centres of pixels is not lost.

    Raises
    ------
    DataError
        For a region of which a part lies beyond the image.
    """
    (shape,) = normalize_regions(region)
    if shape.reach == 0:
        pixel = _pixels_at(space, *(np.atleast_1d(place) for place in shape.center))
        if not len(pixel):
            raise DataError(f"{shape} lies outside of the map.")
        return Shares(pixel, np.ones(1))
    _validate_inside(space, shape)
    found = np.flatnonzero(holds(shape, *space.positions()))
    if len(found) >= FEWEST_WHOLE:
        return Shares(found, np.ones(len(found)))
    return _touched(space, shape, found)


def _touched(space: SkySpace, shape: Shape, found: IntArray) -> Shares:
    edges = [np.concatenate(both) for both in zip(_outline(shape), _inside(shape), strict=True)]
    touched = np.union1d(found, _pixels_at(space, *edges))
    row, column = np.divmod(touched, space.npix[0])
    number = int(np.clip(np.ceil(2 * FINER * space.binsize / shape.reach), FINER, FINEST))
    fine = (np.arange(number) + 0.5) / number - 0.5
    x, y = column[:, None, None] + fine, row[:, None, None] + fine[:, None]
    share = holds(shape, *space.sky_of(x, y)).mean(axis=(1, 2))
    if not share.any():
        # It is smaller than the places: all of it lies in the pixel of its centre.
        touched = _pixels_at(space, *(np.atleast_1d(place) for place in shape.center))
        share = shape.solid_angle / space.solid_angles()[0, touched]
    return Shares(touched[share > 0], share[share > 0])


def _validate_inside(space: SkySpace, shape: Shape) -> None:
    lon, lat = _outline(shape)
    if _are_inside(space, lon, lat).all():
        return
    part = 1 - float(_are_inside(space, *_inside(shape)).mean())
    how_much = "All" if part == 1 else f"About {100 * part:.2g} %" if part > 0.005 else "A part"
    raise DataError(
        f"{how_much} of {shape} lies outside of the map of {space.npix[0]} by {space.npix[1]} pixels about "
        f"{space.lon:.4f}, {space.lat:.4f} deg ({space.frame}); give a larger map or a smaller region."
    )


def _outline(shape: Shape) -> tuple[FloatArray, FloatArray]:
    """Return ICRS positions along the edges of a shape."""
    if isinstance(shape, Circle):
        lon, lat = destination(*shape.center, np.linspace(0.0, 360.0, 4 * _PLACES, endpoint=False), shape.radius)
        return lon, lat
    lons, lats = (np.concatenate(parts) for parts in zip(*shape.outlines(), strict=True))
    return to_frame(lons, lats, shape.frame, "icrs")


def _inside(shape: Shape) -> tuple[FloatArray, FloatArray]:
    """Return ICRS positions that are even over the area of a shape."""
    if isinstance(shape, Circle) and shape.reach > LARGEST_REACH:
        part = (np.arange(_PLACES) + 0.5) / _PLACES
        away = np.rad2deg(np.arccos(1 - part * (1 - np.cos(np.deg2rad(shape.radius)))))
        lon, lat = destination(*shape.center, 360.0 * part[:, None], away)
        return lon.ravel(), lat.ravel()
    along = shape.reach * ((np.arange(_PLACES) + 0.5) / (0.5 * _PLACES) - 1)
    x, y = np.meshgrid(along, along)
    chosen = shape.inside(x, y)
    lon, lat = from_tangent_plane(Plane(x[chosen], y[chosen]), shape.lon, shape.lat)
    return to_frame(lon, lat, shape.frame, "icrs")


def _are_inside(space: SkySpace, lon: FloatArray, lat: FloatArray) -> BoolArray:
    inside = np.zeros(len(lon), dtype=bool)
    inside[space.cells(lon, lat).event] = True
    return inside


def _pixels_at(space: SkySpace, lon: FloatArray, lat: FloatArray) -> IntArray:
    return np.unique(space.cells(lon, lat).cell)
