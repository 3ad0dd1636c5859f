"""Circles on the sky as regions of Gammapy, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from gammapy.utils.regions import compound_region_to_regions
from regions import CircleSkyRegion, PointSkyRegion, SkyRegion

from xgamma.errors import LaterError
from xgamma.formats.region_table import Circles


def sky_regions(circles: Circles) -> list[SkyRegion]:
    """Return a circle for each circle, a point for each of radius 0."""
    centers = SkyCoord(circles.lon, circles.lat, unit="deg", frame=circles.frame)
    return [
        CircleSkyRegion(center, radius * u.deg) if radius > 0 else PointSkyRegion(center)
        for center, radius in zip(centers, circles.radius.tolist(), strict=True)
    ]


def circles_of(region: SkyRegion | None, name: str) -> Circles:
    """Return the circles and points of a region, which may be a union of them; none for ``None``.

    Raises
    ------
    LaterError
        For another shape. ``name`` is that of the dataset.
    """
    if region is None:
        return Circles.none()
    try:
        parts = list(compound_region_to_regions(region))
    except ValueError:
        parts = [region]
    other = next((part for part in parts if not isinstance(part, CircleSkyRegion | PointSkyRegion)), None)
    if other is not None:
        raise LaterError(
            f"{name}: this version of xgamma holds circles and points on the sky, got a {type(other).__name__}; "
            "extract the spectrum from a circle."
        )
    frame = "galactic" if parts[0].center.frame.name == "galactic" else "icrs"
    centers = [part.center.transform_to(frame) for part in parts]
    return Circles(
        np.array([center.spherical.lon.deg for center in centers]),
        np.array([center.spherical.lat.deg for center in centers]),
        np.array([_radius(part) for part in parts]),
        frame,
    )


def _radius(region: Any) -> float:
    return float(region.radius.to_value("deg")) if isinstance(region, CircleSkyRegion) else 0.0
