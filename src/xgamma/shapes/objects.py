"""Shapes of the regions that the package `regions` and those that build on it hand out; nothing of it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.shapes.kinds import Annulus, Circle, Ellipse, Polygon, Rectangle
from xgamma.shapes.shape import Shape

# FK5 at J2000 is the ICRS to 0.03 arcsec: a centre is converted, an angle stays as it is.
_EQUATORIAL = ("icrs", "fk5")
KNOWN = "circle, ellipse, annulus, rectangle, polygon or point"


def normalize_shape(given: Any) -> Shape:
    """Return a shape, or that of a region on the sky of the package `regions`.

    Raises
    ------
    ConfigTypeError
        For what is no region.
    ConfigError
        For a region in pixels, one made of others, or one in a frame that is neither equatorial nor Galactic.
    """
    if isinstance(given, Shape):
        return given
    name = type(given).__name__
    if name in _KINDS and name.endswith("SkyRegion"):
        return _KINDS[name](given)
    if name.endswith("PixelRegion"):
        raise ConfigError(f"Expected a region on the sky, got a {name}, which has no frame; use its to_sky(wcs).")
    if name.endswith("SkyRegion"):
        raise ConfigError(f"Expected a {KNOWN}, got a {name}; give its parts one by one.")
    raise ConfigTypeError(f"Expected a region, such as CircleSkyRegion of the package regions, got a {name}.")


def is_region(given: Any) -> bool:
    """Whether an object is a shape, or a region of the package `regions`."""
    return isinstance(given, Shape) or type(given).__name__.endswith(("SkyRegion", "PixelRegion"))


def _place(position: Any) -> tuple[Any, Any, str]:
    """Return longitude and latitude in degrees and the frame of a coordinate."""
    frame = position.frame.name
    if frame == "galactic":
        return np.asarray(position.l.deg), np.asarray(position.b.deg), frame
    if frame not in _EQUATORIAL:
        raise ConfigError(f"Expected a region in icrs, fk5 or galactic coordinates, got one in {frame}; convert it.")
    equatorial = position if frame == "icrs" else position.icrs
    return np.asarray(equatorial.ra.deg), np.asarray(equatorial.dec.deg), "icrs"


def _center(region: Any) -> dict[str, Any]:
    lon, lat, frame = _place(region.center)
    return {"lon": float(lon), "lat": float(lat), "frame": frame}


def _degrees(angle: Any) -> float:
    return float(angle.to_value("deg"))


def _circle(region: Any, name: str = "") -> Circle:
    return Circle(radius=_degrees(getattr(region, f"{name}radius")), **_center(region))


def _turnable(kind: type[Ellipse] | type[Rectangle], region: Any, name: str = "") -> Any:
    width, height = (_degrees(getattr(region, f"{name}{size}")) for size in ("width", "height"))
    return kind(width=width, height=height, angle=_degrees(region.angle), **_center(region))


def _annulus(part: Callable[[Any, str], Any], region: Any) -> Annulus:
    return Annulus(part(region, "outer_"), part(region, "inner_"))


def _polygon(region: Any) -> Polygon:
    lons, lats, frame = _place(region.vertices)
    return Polygon(tuple(lons.tolist()), tuple(lats.tolist()), frame)


def _ellipse(region: Any, name: str = "") -> Ellipse:
    shape: Ellipse = _turnable(Ellipse, region, name)
    return shape


def _rectangle(region: Any, name: str = "") -> Rectangle:
    shape: Rectangle = _turnable(Rectangle, region, name)
    return shape


_KINDS: Mapping[str, Callable[[Any], Shape]] = {
    "CircleSkyRegion": _circle,
    "PointSkyRegion": lambda region: Circle(radius=0.0, **_center(region)),
    "EllipseSkyRegion": _ellipse,
    "RectangleSkyRegion": _rectangle,
    "PolygonSkyRegion": _polygon,
    "CircleAnnulusSkyRegion": lambda region: _annulus(_circle, region),
    "EllipseAnnulusSkyRegion": lambda region: _annulus(_ellipse, region),
    "RectangleAnnulusSkyRegion": lambda region: _annulus(_rectangle, region),
}
