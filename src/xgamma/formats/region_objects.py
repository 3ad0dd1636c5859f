"""Shapes as objects of the package `regions`, and regions as that package reads them in texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from astropy import units as u
from astropy.coordinates import SkyCoord
from regions import (
    CircleAnnulusSkyRegion,
    CircleSkyRegion,
    EllipseAnnulusSkyRegion,
    EllipseSkyRegion,
    PointSkyRegion,
    PolygonSkyRegion,
    RectangleAnnulusSkyRegion,
    RectangleSkyRegion,
    Regions,
)

from xgamma.errors import ConfigTypeError
from xgamma.shapes import Annulus, Circle, Ellipse, Polygon, Rectangle, Shape


def regions_of_text(text: str, form: str) -> list[Any]:
    """Return the regions of a text of DS9 (``ds9``) or CASA (``crtf``), as the package reads them."""
    return list(Regions.parse(text, format=form))


def sky_regions(shapes: Sequence[Shape]) -> list[Any]:
    """Return shapes as regions of the package `regions`."""
    return [_sky_region(shape) for shape in shapes]


def sky_rectangle(center: tuple[float, float], frame: str, width: float, height: float) -> Any:
    """Return a rectangle of any size in degrees as a region of the package `regions`."""
    return RectangleSkyRegion(SkyCoord(*center, unit="deg", frame=frame), width * u.deg, height * u.deg)


def _sky_region(shape: Shape) -> Any:
    if isinstance(shape, Polygon):
        return PolygonSkyRegion(SkyCoord(list(shape.lons), list(shape.lats), unit="deg", frame=shape.frame))
    center = SkyCoord(shape.lon, shape.lat, unit="deg", frame=shape.frame)
    match shape:
        case Circle():
            return CircleSkyRegion(center, shape.radius * u.deg) if shape.radius > 0 else PointSkyRegion(center)
        case Ellipse():
            return EllipseSkyRegion(center, shape.width * u.deg, shape.height * u.deg, shape.angle * u.deg)
        case Rectangle():
            return RectangleSkyRegion(center, shape.width * u.deg, shape.height * u.deg, shape.angle * u.deg)
        case Annulus(outer=Circle() as outer, inner=Circle() as inner):
            return CircleAnnulusSkyRegion(center, inner.radius * u.deg, outer.radius * u.deg)
        case Annulus(outer=Ellipse() | Rectangle() as large, inner=Ellipse() | Rectangle() as small):
            sizes = [size * u.deg for size in (small.width, large.width, small.height, large.height)]
            kind: Any = EllipseAnnulusSkyRegion if isinstance(large, Ellipse) else RectangleAnnulusSkyRegion
            return kind(center, *sizes, large.angle * u.deg)
    raise ConfigTypeError(f"There is no region of the package regions for a {shape.kind}.")
